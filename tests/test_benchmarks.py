import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

pytest.importorskip("nuclei_splits", reason="benchmarks/ is in the repository only")

import instance_score
import nuclei
import nuclei_questions
import nuclei_report
import nuclei_scenes
import nuclei_segmentation
import nuclei_splits
import realism
import results_file
import torch
from instance_score import Matches, match, score, without_dust
from nuclei_segmentation import SegmentationSettings, classes, draw_crop, instances, normalised
from nuclei_splits import LabelledImage

from napari_unit.domains import Domain, IntensityScaling
from napari_unit.models.architecture import Architecture
from napari_unit.models.card import ModelCard
from napari_unit.models.file import LoadedModel, load_model, save_model
from napari_unit.models.model import TranslationModel

SMALL = SegmentationSettings(width=4, depth=2, steps=60, batch=4, crop_px=32, learning_rate=2e-2)


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Networks this small only wait for each other's threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def denormals() -> Iterator[None]:
    """Take back what the benchmark's command sets for the process that it thinks its own."""
    yield
    torch.set_flush_denormal(False)


def squares(*boxes: tuple[int, int, int], shape: tuple[int, int] = (48, 48)) -> np.ndarray:
    """Labels with one square per (top, left, side)."""
    labels = np.zeros(shape, np.int32)
    for number, (top, left, side) in enumerate(boxes, 1):
        labels[top : top + side, left : left + side] = number
    return labels


def picture(seed: int, shape: tuple[int, int] = (48, 48)) -> LabelledImage:
    """Bright squares on a dark noisy ground."""
    rng = np.random.default_rng(seed)
    rows, columns = rng.integers(0, 8, 4), rng.integers(0, 8, 4)
    boxes = [
        (24 * (i // 2) + int(rows[i]), 24 * (i % 2) + int(columns[i]), int(rng.integers(8, 14)))
        for i in range(4)
    ]
    labels = squares(*boxes, shape=shape)
    image = 20.0 + 150.0 * (labels > 0) + 4.0 * rng.standard_normal(shape)
    return LabelledImage(f"p{seed:03d}", np.clip(image, 0, 255).astype(np.uint8), labels)


@pytest.fixture(scope="module")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    domains = (
        Domain("synthetic", ("DNA",), IntensityScaling("percentiles", 1, 99, (50.0,), (900.0,))),
        Domain("real", ("DNA",), IntensityScaling("percentiles", 1, 99, (5.0,), (180.0,))),
    )
    architecture = Architecture(width=2, n_residual=1, n_shared=1)
    torch.manual_seed(0)
    model = TranslationModel(*domains, architecture)
    card = ModelCard("tiny", "For tests.", domains, architecture, {}, "0")
    path = tmp_path_factory.mktemp("model") / "tiny.safetensors"
    save_model(path, model, card)
    return load_model(path)


# --- F1 ---------------------------------------------------------------------------------------


def test_f1_is_its_closed_form() -> None:
    truth = squares((2, 2, 10), (2, 20, 10), (20, 2, 10))
    found = squares((2, 2, 10), (2, 23, 10), (30, 30, 10))  # hit; IoU 70/130; nowhere near
    matches = match(truth, found)
    assert matches == Matches(found=2, invented=1, missed=1)
    assert matches.f1 == pytest.approx(2 * 2 / (2 * 2 + 1 + 1))


def test_an_iou_of_exactly_one_half_is_no_match() -> None:
    truth, found = squares((0, 0, 12)), squares((0, 0, 12))
    found[6:12] = 0  # 72 of 144 pixels
    assert match(truth, found) == Matches(0, 1, 1)
    found[6, 0] = 1
    assert match(truth, found) == Matches(1, 0, 0)


def test_a_merger_of_two_equal_nuclei_misses_both() -> None:
    truth = squares((0, 0, 10), (0, 10, 10))
    assert match(truth, (truth > 0).astype(np.int32)) == Matches(0, 1, 2)


def test_empty_images_count_as_perfect_only_when_left_empty() -> None:
    empty, full = squares(), squares((0, 0, 10))
    assert match(empty, empty).f1 == 1.0
    assert match(empty, full).f1 == match(full, empty).f1 == 0.0


label_images = st.builds(
    lambda seed, n: (
        np.random.default_rng(seed).integers(0, n + 1, (6, 6)).repeat(6, 0).repeat(6, 1)
    ),
    st.integers(0, 10_000),
    st.integers(1, 8),
).map(lambda labels: labels.astype(np.int32))


@given(truth=label_images, found=label_images, seed=st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
def test_matches_do_not_depend_on_numbering_and_swap_with_the_roles(
    truth: np.ndarray, found: np.ndarray, seed: int
) -> None:
    numbers = np.r_[0, 1 + np.random.default_rng(seed).permutation(20)].astype(np.int32) * 3
    forward, backward = match(truth, numbers[found]), match(found, truth)
    assert forward == match(truth, found)
    assert (forward.found, forward.invented, forward.missed) == (
        backward.found,
        backward.missed,
        backward.invented,
    )
    assert match(truth, truth).f1 == 1.0


def test_dust_counts_nowhere() -> None:
    labels = squares((0, 0, 4), (10, 10, 9), (30, 30, 5))  # 16, 81 and 25 px
    kept = without_dust(labels)
    assert instance_score.MIN_AREA_PX == 20
    assert set(np.unique(kept)) == {0, 1, 2}
    assert match(labels, squares((10, 10, 9), (30, 30, 5), (44, 0, 3))).f1 == 1.0


def test_score_means_over_images_and_pools_over_nuclei() -> None:
    found = score([Matches(1, 0, 0), Matches(0, 0, 99)])
    assert found.per_image == pytest.approx(0.5)
    assert found.pooled == pytest.approx(2 / (2 + 99))
    with pytest.raises(ValueError, match="at least one"):
        score([])


# --- splits -----------------------------------------------------------------------------------


@given(count=st.integers(10, 500), set_name=st.sampled_from(nuclei_splits.SETS))
def test_splits_are_disjoint_in_name_order_and_complete(count: int, set_name: str) -> None:
    names = [f"{n:04d}" for n in range(count)]
    split = nuclei_splits.split_names(set_name, names[::-1])
    assert [*split.train, *split.tuning, *split.validation] == names
    assert min(len(split.train), len(split.tuning), len(split.validation)) >= 1


@pytest.mark.parametrize(
    ("set_name", "count", "sizes"),
    [("dsb2018_fluo", 433, (278, 69, 86)), ("bbbc039", 150, (80, 20, 50))],
)
def test_split_sizes_are_the_documented_ones(
    set_name: str, count: int, sizes: tuple[int, int, int]
) -> None:
    split = nuclei_splits.split_names(set_name, [f"{n:04d}" for n in range(count)])
    assert (len(split.train), len(split.tuning), len(split.validation)) == sizes


def test_a_copy_of_a_scored_field_leaves_training_even_from_the_other_set() -> None:
    pictures = [picture(seed) for seed in range(6)]
    copy = replace(pictures[0], name="copy", image=(pictures[0].image // 2 + 7).astype(np.uint8))
    real = nuclei_splits.without_copies(
        {"dsb2018_fluo": (copy, pictures[1]), "bbbc039": (pictures[2], pictures[3])},
        {"dsb2018_fluo": (pictures[4],), "bbbc039": (pictures[0],)},
    )
    assert real.n_copies == 1
    assert [i.name for i in real.train["dsb2018_fluo"]] == ["p001"]
    assert [i.name for i in real.train["bbbc039"]] == ["p002", "p003"]
    assert [len(images) for images in real.scored.values()] == [1, 1]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    for offset, set_name in enumerate(nuclei_splits.SETS):
        for kind in ("images", "labels"):
            (folder / set_name / kind).mkdir(parents=True)
        for seed in range(15):
            made = picture(100 * offset + seed)
            Image.fromarray(made.image).save(folder / set_name / "images" / f"{made.name}.png")
            labels = Image.fromarray(made.labels.astype(np.uint16))
            labels.save(folder / set_name / "labels" / f"{made.name}.png")
    return folder


def test_tuning_touches_no_validation_image(data: Path) -> None:
    tuning = nuclei_splits.read_real(data, "tuning")
    validation = nuclei_splits.read_real(data, "validation")
    for name in nuclei_splits.SETS:
        untouchable = {i.name for i in validation.scored[name]}
        assert untouchable.isdisjoint(i.name for i in tuning.train[name] + tuning.scored[name])
        assert untouchable.isdisjoint(i.name for i in validation.train[name])
    with pytest.raises(FileNotFoundError, match="dsb2018_fluo and bbbc039"):
        nuclei_splits.read_real(data / "bbbc039", "tuning")


def test_the_models_training_folder_holds_no_scored_image(data: Path, tmp_path: Path) -> None:
    count = nuclei_splits.copy_training_images(data, tmp_path / "real")
    names = {p.stem for p in (tmp_path / "real").iterdir()}
    assert len(names) == count > 0
    scored = nuclei_splits.read_real(data, "validation").scored
    assert names.isdisjoint(f"{s}_{i.name}" for s, images in scored.items() for i in images)
    with pytest.raises(FileExistsError):
        nuclei_splits.copy_training_images(data, tmp_path / "real")


# --- segmentation -----------------------------------------------------------------------------


def test_normalisation_forgets_gain_and_offset() -> None:
    image = picture(0).image.astype(np.float32)
    plain = normalised(image, (1.0, 99.8))
    np.testing.assert_allclose(normalised(37.0 * image + 1000.0, (1.0, 99.8)), plain, atol=1e-4)
    assert np.isfinite(normalised(np.zeros((9, 9), np.uint8), (1.0, 99.8))).all()


def test_a_nucleus_is_interior_with_a_boundary_of_one_pixel() -> None:
    found = classes(squares((10, 10, 7), (10, 17, 7), (0, 40, 8)))
    assert np.count_nonzero(found == nuclei_segmentation.BACKGROUND) == 48 * 48 - 2 * 49 - 64
    inside = np.argwhere(found == nuclei_segmentation.INTERIOR)
    assert set(map(tuple, inside)) == (
        {(y, x) for y in range(11, 16) for x in range(11, 16)}
        | {(y, x) for y in range(11, 16) for x in range(18, 23)}
        | {(y, x) for y in range(7) for x in range(41, 48)}  # the image's edge is no boundary
    )


@given(seed=st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_a_crop_and_its_truth_stay_aligned(seed: int) -> None:
    calm = replace(SMALL, gain=(1.0, 1.0), gamma=(1.0, 1.0), noise=0.0)
    truth = np.random.default_rng(seed).integers(0, 3, (40, 50)).astype(np.uint8)
    image, cropped = draw_crop(truth.astype(np.float32), truth, calm, np.random.default_rng(seed))
    assert image.shape == cropped.shape == (32, 32)
    np.testing.assert_array_equal(image, cropped)


def test_true_classes_give_the_instances_back() -> None:
    labels = squares((2, 2, 12), (2, 14, 12), (20, 20, 9), (40, 3, 2))  # the last: no interior
    chances = np.stack([classes(labels) == k for k in range(3)]).astype(np.float32)
    found = instances(chances, SMALL)
    np.testing.assert_array_equal(found > 0, labels > 0)
    assert len(np.unique(found)) == 5
    assert all(len(np.unique(found[labels == number])) == 1 for number in (3, 4))
    assert match(labels, found) == Matches(3, 0, 0)


def test_the_network_learns_and_a_second_training_comes_from_the_cache(tmp_path: Path) -> None:
    train = [picture(seed) for seed in range(8)]
    network = nuclei_segmentation.trained(train, SMALL, 0, tmp_path)
    odd = replace(
        picture(99), image=picture(99).image[:45, :47], labels=picture(99).labels[:45, :47]
    )
    assert nuclei_segmentation.evaluate(network, [odd, picture(98)], SMALL).pooled > 0.7
    (kept,) = tmp_path.iterdir()
    written = kept.stat().st_mtime_ns
    again = nuclei_segmentation.trained(train, SMALL, 0, tmp_path)
    assert kept.stat().st_mtime_ns == written
    assert not again.training
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[name])


def test_the_cache_knows_other_pixels_labels_settings_and_seeds(tmp_path: Path) -> None:
    brief = replace(SMALL, steps=1)
    pictures = [picture(0)]
    other_pixels = [replace(pictures[0], image=pictures[0].image + 1)]
    other_labels = [replace(pictures[0], labels=np.roll(pictures[0].labels, 1))]
    for pool, setting, seed in (
        (pictures, brief, 0),
        (pictures, brief, 1),
        (pictures, replace(brief, noise=0.01), 0),
        (other_pixels, brief, 0),
        (other_labels, brief, 0),
    ):
        nuclei_segmentation.trained(pool, setting, seed, tmp_path)
    assert len(list(tmp_path.iterdir())) == 5


# --- distances --------------------------------------------------------------------------------


def test_mmd_is_its_closed_form() -> None:
    x, y = np.array([[1.0], [2.0]]), np.array([[0.0], [3.0]])
    within = (1 * 2 + 1) ** 3 + (0 * 3 + 1) ** 3
    between = np.mean([1.0, 4.0**3, 1.0, 7.0**3])
    assert realism.squared_mmd(x, y) == pytest.approx(within - 2 * between)


def test_kernel_distance_is_unbiased_and_sees_a_shift() -> None:
    rng = np.random.default_rng(0)
    same = [realism.squared_mmd(*rng.standard_normal((2, 60, 8))) for _ in range(60)]
    assert abs(np.mean(same)) < 3 * np.std(same) / np.sqrt(len(same))
    x, y = rng.standard_normal((2, 300, 8))
    near = realism.kernel_distance(x, y, rng).mean
    far = realism.kernel_distance(x, y + 0.5, rng).mean
    farther = realism.kernel_distance(x, y + 1.0, rng).mean
    assert abs(near) < 0.1 * far
    assert far < farther


def test_sliced_wasserstein_of_a_shift_in_one_dimension_is_the_shift() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((50, 1))
    assert realism.sliced_wasserstein(x, x + 0.7, rng) == pytest.approx(0.7)
    assert realism.sliced_wasserstein(x, rng.permutation(x), rng) == 0.0


def test_whitening_leaves_the_reference_uncorrelated() -> None:
    rng = np.random.default_rng(0)
    reference = rng.standard_normal((200, 6)) @ rng.standard_normal((6, 6)) + 5.0
    white = realism.whitening(np.c_[reference, reference[:, 0]]).whiten(
        np.c_[reference, reference[:, 0]]
    )
    assert white.shape == (200, 6)  # the repeated feature adds no direction
    np.testing.assert_allclose(white.T @ white / 200, np.eye(6), atol=1e-6)


def patches_of(seed: int, gain: float = 1.0, blur: bool = False) -> np.ndarray:
    rng = np.random.default_rng(seed)
    images = [gain * picture(1000 * seed + n).image.astype(np.float32) + 3 for n in range(12)]
    if blur:
        images = [(i + np.roll(i, 1, 0) + np.roll(i, 1, 1)) / 3 for i in images]
    return realism.draw_patches([images], [1.0], 60, 32, rng)


@pytest.mark.parametrize("features", [realism.network_features, realism.classical_features])
def test_features_ignore_gain_and_see_blur(features) -> None:
    reference, other = features(patches_of(1)), features(patches_of(2))
    np.testing.assert_allclose(features(patches_of(2, gain=9.0)), other, rtol=0.05, atol=0.05)
    plain = realism.whitening(reference).standardise
    rng = np.random.default_rng(0)
    near = realism.sliced_wasserstein(plain(reference), plain(other), rng)
    blurred = features(patches_of(2, blur=True))
    assert realism.sliced_wasserstein(plain(reference), plain(blurred), rng) > 1.5 * near


def test_features_have_their_width_and_are_finite_on_empty_patches() -> None:
    empty = np.zeros((3, 32, 32), np.float32)
    assert realism.network_features(empty).shape == (3, 480)
    assert realism.classical_features(empty).shape == (3, 41)
    assert np.isfinite(realism.network_features(empty)).all()
    assert np.isfinite(realism.classical_features(empty)).all()


# --- scenes -----------------------------------------------------------------------------------


def test_seeds_share_no_scenes_and_repeat_themselves() -> None:
    first, again = nuclei_scenes.simulate_scenes(2, 64, 0), nuclei_scenes.simulate_scenes(3, 64, 0)
    other = nuclei_scenes.simulate_scenes(2, 64, 1)
    np.testing.assert_array_equal(first[1].image, again[1].image)
    assert not any(np.array_equal(a.image, b.image) for a in first for b in other)


def test_matched_scenes_keep_their_labels_and_get_a_real_histogram() -> None:
    scenes = nuclei_scenes.simulate_scenes(3, 64, 0)
    real = [picture(0)]
    for scene, made in zip(scenes, nuclei_scenes.matched(scenes, real, 0), strict=True):
        assert made.labels is scene.labels
        assert real[0].image.min() <= made.image.min() <= made.image.max() <= real[0].image.max()
        assert made.image.mean() == pytest.approx(real[0].image.mean(), rel=0.1)


def test_each_scene_is_translated_by_itself(tiny_model: LoadedModel) -> None:
    scenes = nuclei_scenes.simulate_scenes(3, 64, 0)
    together = nuclei_scenes.translated(scenes, tiny_model, "real", "direct")
    (alone,) = nuclei_scenes.translated(scenes[1:2], tiny_model, "real", "direct")
    np.testing.assert_allclose(alone.image, together[1].image, atol=1e-2)
    assert together[1].labels is scenes[1].labels
    assert 5.0 <= together[1].image.min() < together[1].image.max() <= 180.0


def test_the_engine_gives_the_pixels_of_the_network(tiny_model: LoadedModel) -> None:
    scenes = nuclei_scenes.simulate_scenes(1, 64, 0)
    (direct,) = nuclei_scenes.translated(scenes, tiny_model, "real", "direct")
    (whole,) = nuclei_scenes.translated(scenes, tiny_model, "real", "whole")
    np.testing.assert_allclose(whole.image, direct.image, atol=0.02)  # 1e-4 of the 175 grey levels


# --- the whole benchmark ----------------------------------------------------------------------


def test_the_benchmark_answers_its_questions(
    data: Path, tiny_model: LoadedModel, tmp_path: Path
) -> None:
    small = nuclei_questions.BenchmarkSettings(
        scenes=3,
        held_out_scenes=2,
        scene_px=64,
        patches=12,
        patch_px=32,
        statistics="direct",
        segmentation=replace(SMALL, steps=3),
    )
    said: list[str] = []
    real = nuclei_splits.read_real(data, "validation")
    numbers = [
        nuclei.measure_seed(
            seed, real, tiny_model, "real", nuclei.QUESTIONS, small, tmp_path, said.append
        )
        for seed in range(2)
    ]
    assert {"scenes", "translation", "distances"} <= set(said)
    kinds = {"real", "raw", "matched", "translated"}
    assert set(numbers[0]["useful"]) == set(numbers[0]["realism"]) == kinds
    assert set(numbers[0]["labels"]) == kinds - {"real"}
    scores = [v for kind in numbers[0]["useful"].values() for v in kind.values()]
    assert all(0.0 <= value <= 1.0 for value in scores)
    report = nuclei_report.tables(numbers)
    assert report.count("| scenes, translated |") == 2
    results_file.write_result(
        tmp_path / "results" / "r.json", {"seeds": numbers, **results_file.provenance(["torch"], 1)}
    )
    kept = json.loads((tmp_path / "results" / "r.json").read_text())
    assert kept["seeds"] == numbers
    assert {"command", "commit", "versions", "machine", "date"} <= set(kept)


def seed_numbers(raw: float, translated: float, real: float, on_scenes: float) -> dict:
    useful = {
        kind: dict.fromkeys(nuclei_splits.SETS, value)
        for kind, value in (("raw", raw), ("translated", translated), ("real", real))
    }
    distances = {
        "raw": {"kernel": 0.4, "sliced": 1.0},
        "translated": {"kernel": 0.1, "sliced": 0.5},
    }
    return {
        "useful": useful,
        "labels": {"translated": {"real": on_scenes}},
        "realism": distances,
    }


def test_verdicts_are_medians_over_seeds() -> None:
    seeds = [seed_numbers(0.7, t, 0.9, 0.82) for t in (0.75, 0.8, 0.99)]
    answers = nuclei_report.verdicts(seeds)
    assert answers["useful: share of the way to real on dsb2018_fluo"] == pytest.approx(0.5)
    assert answers["useful: F1 gained on bbbc039"] == pytest.approx(0.1)
    assert answers["labels: F1 lost against real images"] == pytest.approx(0.08)
    assert answers["labels: stay true"] is False
    assert answers["realism: kernel distance, translated over raw"] == pytest.approx(0.25)
    assert nuclei_report.verdicts([seed_numbers(0.7, 0.8, 0.9, 0.87)])["labels: stay true"] is True


def test_spread_is_median_and_range() -> None:
    assert results_file.spread([0.1, 0.3, 0.2]) == "0.200 (0.100–0.300)"
    assert results_file.spread([0.25], 2) == "0.25"


def test_without_a_model_only_baselines_are_measured(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    small = nuclei_questions.BenchmarkSettings(
        scenes=2, held_out_scenes=1, scene_px=64, patches=8, patch_px=32
    )
    monkeypatch.setattr(nuclei, "BenchmarkSettings", lambda statistics="image": small)
    out = tmp_path / "r.json"
    nuclei.main(["--data", str(data), "--seeds", "1", "--questions", "realism", "--out", str(out)])
    assert "| scenes, raw |" in capsys.readouterr().out
    kept = json.loads(out.read_text())
    assert kept["model"] is None
    assert kept["answers"] == {}
    assert "translated" not in kept["seeds"][0]["realism"]
    with pytest.raises(SystemExit, match="give at least 1"):
        nuclei.main(["--data", str(data), "--seeds", "0"])
