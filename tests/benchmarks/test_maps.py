from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("maps", reason="benchmarks/ is in the repository only")

import maps
import maps_images
import switches
from curves_figure import draw_curves
from equal_compute import arithmetic_per_image, images_of_equal_compute
from hypothesis import given
from hypothesis import strategies as st
from trials import Trial

from napari_unit.models.file import LoadedModel
from napari_unit_training.config_files import merge, read_preset, settings_from


@pytest.fixture
def maps_data(tmp_path: Path) -> Path:
    """A folder of pairs: photos are noise, maps are their number in every channel."""
    rng = np.random.default_rng(0)
    for name, count in (("trainA", 120), ("trainB", 120), ("valA", 4), ("valB", 4)):
        folder = tmp_path / "data" / "maps" / name
        folder.mkdir(parents=True)
        for number in range(1, count + 1):
            pixels = np.full((16, 16, 3), number, np.uint8)
            if name.endswith("A"):
                pixels = rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"{number}.png")
    return tmp_path / "data"


def test_tuning_opens_no_validation_picture(maps_data: Path, tmp_path: Path) -> None:
    for name in ("valA", "valB"):
        for path in (maps_data / "maps" / name).iterdir():
            path.unlink()
    folders = maps_images.prepare(maps_data, tmp_path / "out", "tuning", 8)
    trained, scored = (maps_images.read(f) for f in (folders.maps, folders.scored_maps))
    assert trained.shape == (20, 8, 8, 3)
    assert scored[:, 0, 0, 0].tolist() == list(range(21, 121))
    assert set(trained[:, 0, 0, 0].tolist()) == set(range(1, 21))


def test_validation_pairs_share_their_numbers(maps_data: Path, tmp_path: Path) -> None:
    folders = maps_images.prepare(maps_data, tmp_path / "out", "validation", 16)
    for folder in (folders.scored_photos, folders.scored_maps):
        names = [path.name for path in sorted(folder.iterdir())]
        assert names == [f"{n:05d}.png" for n in range(1, 5)]
    assert len(maps_images.read(folders.maps)) == 120


def test_a_missing_set_is_named(tmp_path: Path) -> None:
    (tmp_path / "maps" / "trainA").mkdir(parents=True)
    with pytest.raises(FileNotFoundError, match="trainA holds no pictures"):
        maps_images.prepare(tmp_path, tmp_path / "out", "tuning", 8)


def test_a_pixel_is_right_if_no_channel_is_off_by_more() -> None:
    true = np.full((1, 2, 2, 3), 100, np.uint8)
    made = true.copy()
    made[0, 0, 0] = (105, 100, 95)  # within 5
    made[0, 0, 1] = (100, 111, 100)  # within 16
    made[0, 1, 0] = (100, 100, 117)  # wrong
    background = np.array([0, 0, 0], np.uint8)
    found = maps_images.compare(made, true, background)
    assert (found["accuracy_5"], found["accuracy_10"], found["accuracy_16"]) == (0.5, 0.5, 0.75)
    assert found["drawn_16"] == 0.75
    assert found["rmse"] == pytest.approx(np.sqrt((25 + 25 + 121 + 289) / 12))


def test_what_is_background_does_not_count_as_drawn() -> None:
    true = np.full((1, 2, 2, 3), 200, np.uint8)
    true[0, 0, 0] = (0, 0, 255)
    constant = np.array([200, 200, 200], np.uint8)
    found = maps_images.compare(np.broadcast_to(constant, true.shape), true, constant)
    assert (found["accuracy_16"], found["drawn_16"]) == (0.75, 0.0)


@given(color=st.tuples(*[st.integers(20, 235)] * 3), seed=st.integers(0, 100))
def test_the_best_constant_colour_is_the_most_common_one(color: tuple, seed: int) -> None:
    rng = np.random.default_rng(seed)
    pictures = rng.integers(0, 256, (1, 24, 24, 3), dtype=np.uint8)
    pictures[0, :18] = color
    found = maps_images.best_constant(pictures).astype(int)
    assert np.abs(found - color).max() <= 18


def test_scores_are_of_the_model_that_is_given(
    tiny_tissue_model: LoadedModel, maps_data: Path, tmp_path: Path
) -> None:
    folders = maps_images.prepare(maps_data, tmp_path / "out", "validation", 16)
    score = maps_images.MapsScore(folders, (255, 255, 255))
    photos = maps_images.read(folders.scored_photos)
    made = maps_images.translate_all(tiny_tissue_model.model, photos)
    assert (made.shape, made.dtype) == (photos.shape, np.uint8)
    expected = maps_images.compare(
        made, maps_images.read(folders.scored_maps), np.full(3, 255, np.uint8)
    )
    assert score(tiny_tissue_model) == expected


def test_what_needs_no_training_is_compared_like_a_model(maps_data: Path, tmp_path: Path) -> None:
    folders = maps_images.prepare(maps_data, tmp_path / "out", "validation", 16)
    true = maps_images.read(folders.scored_maps)
    color = np.array((250, 240, 230), np.uint8)
    found = maps_images.MapsScore(folders, (250, 240, 230)).baselines()
    assert list(found) == ["the photo as it is", "the best constant colour"]
    photos, constant = found.values()
    assert photos == maps_images.compare(maps_images.read(folders.scored_photos), true, color)
    assert constant == maps_images.compare(np.broadcast_to(color, true.shape), true, color)
    assert constant["drawn_16"] == 0


def test_equal_compute_gives_less_arithmetic_more_images() -> None:
    small = {**maps.SIZES["reduced"].settings, "width": 4, "discriminator_width": 4}
    no_cycle = merge(small, maps.VARIANTS["no cycle"])
    again = merge(small, {"reuse_fakes": False})
    assert images_of_equal_compute(small, small, 1000, 3) == 1000
    assert images_of_equal_compute(no_cycle, small, 1000, 3) > 1400
    assert images_of_equal_compute(again, small, 1000, 3) < 950


def test_arithmetic_is_that_of_the_convolutions() -> None:
    """Twice the width is four times the arithmetic, but for the ends; a batch changes nothing."""

    def counted(**change: object) -> float:
        base = {"width": 8, "discriminator_width": 8, "n_scales": 1, "crop_px": 32, "device": "cpu"}
        return arithmetic_per_image(settings_from(merge(read_preset("default"), base, change)), 1)

    wide = {"width": 16, "discriminator_width": 16}
    assert 3.5 < counted(**wide) / counted() < 4
    assert counted(batch_size=2) == pytest.approx(counted(), rel=1e-6)
    assert counted() < counted(gradient_penalty=1.0) < 1.1 * counted()


def test_the_papers_three_are_compared() -> None:
    size = maps.Size(64, 100, {**maps.SIZES["reduced"].settings, "width": 2})
    found = maps.trials_of(size, [0, 1])
    assert [(t.name, t.seed) for t in found] == [
        (name, seed) for seed in (0, 1) for name in ("UNIT", "no weight sharing", "no cycle")
    ]
    assert found[1].settings["n_shared"] == 0
    assert found[2].images > found[0].images


def curve(value: float) -> list[dict[str, float]]:
    keys = ("accuracy_16", "accuracy_10", "accuracy_5", "drawn_16", "rmse")
    return [{"images": i, **dict.fromkeys(keys, value * i)} for i in (1, 2)]


def test_the_table_has_medians_over_seeds_beside_the_papers_figures(tmp_path: Path) -> None:
    trials = [
        {"name": name, "seed": seed, "curve": curve(0.1 + 0.1 * seed)}
        for name in maps.VARIANTS for seed in (0, 1)
    ]  # fmt: skip
    keys = ("accuracy_16", "accuracy_10", "accuracy_5", "drawn_16", "rmse")
    text = maps.table(trials, {"one colour": dict.fromkeys(keys, 0.5)})
    assert "| UNIT | 0.300 (0.200–0.400) |" in text
    assert text.splitlines()[2].endswith("| 0.600 |")
    assert "| one colour | 0.500 | 0.500 | 0.500 | 0.500 | 0.5 |  |" in text
    path = tmp_path / "curves.png"
    shown = {"accuracy_16": "right", "rmse": "off"}
    grey = []
    for untrained in (None, ("one colour", dict.fromkeys(shown, 0.2))):
        draw_curves(trials, shown, path, untrained=untrained)
        drawn = np.asarray(Image.open(path).convert("RGB"))
        assert (drawn == (31, 119, 180)).all(-1).sum() > 100  # the first color of a cycle
        grey.append((drawn == 128).all(-1).sum())
    assert grey[1] > grey[0] + 100  # a dashed line


@pytest.mark.parametrize("group", switches.GROUPS)
def test_every_switch_changes_the_base_to_settings_that_exist(group: str) -> None:
    asked = switches.GROUPS[group]
    shared = merge(read_preset(asked.preset), asked.shared)
    base = settings_from(shared)
    for name, change in asked.changes.items():
        assert settings_from(merge(shared, change)) != base, name


def test_what_default_has_is_added_to_cyclegan() -> None:
    added = merge(*switches.FROM_CYCLEGAN.values())
    made = settings_from(merge(read_preset("cyclegan"), switches.reduced(), added))
    default = settings_from(merge(read_preset("default"), switches.reduced()))
    differ = {
        field.name
        for field in fields(made)
        if getattr(made, field.name) != getattr(default, field.name)
    }
    assert differ == {"images_total", "validation"}


def test_switches_are_sorted_by_what_they_add_to_the_base_of_the_same_seed() -> None:
    trials = [
        {**Trial(name, seed, 10, {}).as_dict(), "curve": [{"score": score + seed}]}
        for name, score in (("default", 0.5), ("worse", 0.4), ("better", 0.7))
        for seed in (0, 1)
    ]
    lines = switches.table(trials, {"score": 2}, {"as it is": {"score": 0.125}}).splitlines()[2:]
    assert lines == [
        "| as it is | 0.12 |",
        "| default | 1.00 (0.50 to 1.50) |",
        "| better | +0.20 (+0.20 to +0.20) |",
        "| worse | -0.10 (-0.10 to -0.10) |",
    ]
    one = switches.table(trials[::2], {"score": 2}, {"as it is": {"score": 0.125}}).splitlines()
    assert one[4] == "| better | +0.20 |"
