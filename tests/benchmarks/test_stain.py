from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("stain", reason="benchmarks/ is in the repository only")

import stain

from napari_unit.domains import Domain, IntensityScaling
from napari_unit.models.file import load_model


@pytest.fixture
def fragment(tmp_path: Path) -> Path:
    """Noise in two colors, larger than the crops that are scored."""
    rng = np.random.default_rng(0)
    for name, color in (("val_HE", (200, 120, 190)), ("val_IHC", (190, 200, 220))):
        (tmp_path / name).mkdir()
        for number in range(6):
            noise = rng.integers(-90, 30, (136, 136, 1))
            pixels = np.clip(np.array(color) + noise, 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / name / f"{number}.png")
    return tmp_path


@pytest.fixture
def model_path(save_tiny_model: Callable[..., Path]) -> Path:
    scaling = IntensityScaling("range", 0, 255)
    colors = ("red", "green", "blue")
    return save_tiny_model("stain", *(Domain(name, colors, scaling) for name in stain.DOMAINS))


def test_a_model_is_measured_beside_what_is_known(
    fragment: Path, model_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stain, "N_CROPS", 8)
    score = stain.StainScore(fragment / "val_HE", fragment / "val_IHC")
    found = score(load_model(model_path))
    assert set(found) == {*stain.MEASURES, *stain.KNOWN.values(), "cycle_error"}
    assert found["real"] < found["untranslated"]  # a color is farther than other noise of its own
    assert found == score(load_model(model_path))  # the same crops each time


def test_variants_see_as_many_images_with_and_without_the_content_term() -> None:
    plain, content = stain.trials_of([0], 50)
    assert (plain.images, content.images) == (50, 50)
    assert content.settings["weights"] == {"content": 10.0}
    assert "weights" not in plain.settings


def test_the_table_has_untranslated_and_real_images_beside_the_models() -> None:
    point = {
        "distance": 0.1, "content_agreement": 0.5, "intensity_distance": 0.2, "sharpness": 1.0,
        "untranslated": 0.4, "real": 0.05,
    }  # fmt: skip
    trials = [{"name": n, "seed": 0, "curve": [point]} for n in stain.VARIANTS]
    lines = stain.table(trials).splitlines()
    assert lines[2] == "| default | 0.100 | 0.500 | 0.200 | 1.00 |"
    assert lines[-2] == "| untranslated | 0.400 |  |  |  |"


def test_pictures_are_images_above_their_translations(
    fragment: Path, model_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stain, "STATISTICS", "image")  # the tiny model has none of its training
    stain.draw(model_path, fragment / "val_HE", tmp_path / "out" / "p.png")
    with Image.open(tmp_path / "out" / "p.png") as picture:
        assert picture.size == (5 * 136, 2 * 136)
