from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

pytest.importorskip("engine_case", reason="benchmarks/ is in the repository only")

from engine_case import Case, choose_direction, read_case, read_crop, read_unit, write_case

from napari_unit.domains import Domain, IntensityScaling
from napari_unit.models.file import load_model

IMAGE = np.random.default_rng(0).integers(0, 255, (3, 40, 48), dtype=np.uint8)
CASE = Case("image", (3, 40, 48), "uint8", None, 2, 0, "a", "b")


def test_a_case_is_read_as_it_was_written(tmp_path: Path) -> None:
    write_case(tmp_path, CASE, IMAGE)
    assert read_case(tmp_path) == CASE
    np.testing.assert_array_equal(np.load(tmp_path / "image.npy"), IMAGE)
    unit = read_unit(tmp_path)
    assert unit.shape == (1, 3, 40, 48)
    assert (unit.min(), unit.max()) == (-1.0, 1.0)


def test_all_methods_get_the_same_networks() -> None:
    image = torch.rand(1, 3, 40, 48)
    with torch.inference_mode():
        torch.testing.assert_close(CASE.plain()(image), CASE.plain()(image), rtol=0, atol=0)


def test_a_model_must_fit_the_image(save_tiny_model: Callable[..., Path]) -> None:
    scaling = IntensityScaling("percentiles", 1, 99, (5.0,), (180.0,))
    path = save_tiny_model("tiny", *(Domain(name, ("DNA",), scaling) for name in "xy"))
    assert choose_direction(IMAGE, None, None, 7) == (7, "a", "b")
    width, source, target = choose_direction(IMAGE[:1], path, "x", 7)
    assert (width, source, target) == (load_model(path).model.architecture.width, "y", "x")
    with pytest.raises(SystemExit, match="The image has 3 channels"):
        choose_direction(IMAGE, path, None, 7)


def test_a_crop_ends_with_the_image(tmp_path: Path) -> None:
    Image.fromarray(IMAGE.transpose(1, 2, 0)).save(tmp_path / "image.png")
    found = read_crop(tmp_path / "image.png", (30, 20), 16)
    np.testing.assert_array_equal(found, IMAGE[:, 30:40, 20:36])
