from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import statistics_choice
import tifffile
from scipy.ndimage import gaussian_filter

from napari_unit.domains import Domain, IntensityScaling

RANGE = IntensityScaling("range", 0.0, 255.0)


@pytest.fixture
def files(tmp_path: Path, save_tiny_model: Callable[..., Path]) -> tuple[Path, Path]:
    noise = np.random.default_rng(0).random((220, 260))
    image = (gaussian_filter(noise, 3) * 255).astype("u1")
    tifffile.imwrite(tmp_path / "in.tif", image)
    model = save_tiny_model("m", Domain("a", ("x",), RANGE), Domain("b", ("y",), RANGE))
    return tmp_path / "in.tif", model


def test_every_choice_but_one_is_without_seams_and_whole_is_one_piece(
    files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    image, model = files
    monkeypatch.setattr(statistics_choice, "MODES", ("image", "whole", "local", "tile"))
    case = statistics_choice.read_case(
        ["c", str(image), str(model), "b", str(image)], (200, 240), (4, 8)
    )
    assert case.image.shape == (1, 200, 240)
    found = statistics_choice.compare(case, 64, [0, 1])
    assert max(found["whole"]["max_error"]) < 1e-4
    assert max(found["tile"]["max_error"]) > 1e-2
    for mode in ("image", "whole", "local"):
        assert max(found[mode]["between_tile_sizes"]) < 1e-4
    assert max(found["tile"]["between_tile_sizes"]) > 1e-2
    assert len(found["image"]["psnr_to_truth"]) == 2
    text = statistics_choice.table({"c": found})
    assert text.count("\n") == 5
    assert "`local`" in text


def test_an_incomplete_case_is_refused() -> None:
    with pytest.raises(SystemExit, match=r"A case is NAME IMAGE MODEL TO \[TRUTH\], not a b"):
        statistics_choice.read_case(["a", "b"], (8, 8), (0, 0))


def test_the_ratio_is_that_of_the_full_range() -> None:
    one = np.zeros((1, 4, 4), "f4")
    assert statistics_choice.psnr(one, one + 0.2) == pytest.approx(20.0, abs=1e-4)
