import numpy as np
import pytest
import torch
from PIL import Image

from napari_unit.domains import Domain, IntensityScaling
from napari_unit.models.architecture import Architecture
from napari_unit.models.model import TranslationModel
from napari_unit.runs.latest_preview import read_latest_preview
from napari_unit_training.preview import (
    GAP_PX,
    preview_grid,
    translations,
    write_preview,
    write_preview_arrays,
)


@pytest.fixture
def model() -> TranslationModel:
    torch.manual_seed(0)
    scaling = IntensityScaling("range", 0, 1)
    a, b = Domain("a", ("x",), scaling), Domain("b", ("r", "g", "b", "far red"), scaling)
    return TranslationModel(a, b, Architecture(1, 1, 1))


@pytest.fixture
def crops() -> tuple[torch.Tensor, torch.Tensor]:
    return torch.rand(2, 1, 16, 16) * 2 - 1, torch.rand(2, 4, 16, 16) * 2 - 1


def _cell(grid, row, column):
    step = 16 + GAP_PX
    return grid[row * step : row * step + 16, column * step : column * step + 16]


def _shown(image: torch.Tensor) -> np.ndarray:
    pixels = ((image.detach().numpy() + 1) * 127.5).round().astype(np.uint8)
    return np.moveaxis(np.broadcast_to(pixels[:3], (3, 16, 16)), 0, 2)


def test_each_cell_shows_what_its_place_says(model, crops):
    grid = preview_grid(translations(model, crops))
    assert grid.shape == (2 * 16 + GAP_PX, 8 * 16 + 7 * GAP_PX, 3)
    ab = model.translate(crops[0], "a", "b")
    ba = model.translate(crops[1], "b", "a")
    columns = [
        crops[0], model.translate(crops[0], "a", "a"), ab, model.translate(ab, "b", "a"),
        crops[1], model.translate(crops[1], "b", "b"), ba, model.translate(ba, "a", "b"),
    ]  # fmt: skip
    for row in range(2):
        for column, images in enumerate(columns):
            expected = _shown(images[row]).astype(int)
            assert np.abs(_cell(grid, row, column) - expected).max() <= 1, (row, column)


def test_the_picture_is_the_grid_and_the_same_each_time(model, crops, tmp_path):
    path = tmp_path / "previews" / "x.png"
    write_preview(path, translations(model, crops))
    first = path.read_bytes()
    with Image.open(path) as picture:
        np.testing.assert_array_equal(np.asarray(picture), preview_grid(translations(model, crops)))
    write_preview(path, translations(model, crops))
    assert path.read_bytes() == first


def test_two_channels_are_red_and_green(crops):
    scaling = IntensityScaling("range", 0, 1)
    domains = (Domain(n, ("x", "y"), scaling) for n in "ab")
    two = crops[1][:, :2]
    grid = preview_grid(translations(TranslationModel(*domains, Architecture(1, 1, 0)), (two, two)))
    assert (_cell(grid, 0, 0)[..., 2] == 0).all()
    assert _cell(grid, 0, 0)[..., 1].std() > 0


def test_the_numbers_behind_the_picture_are_read_by_who_knows_no_torch(model, crops, tmp_path):
    columns = translations(model, crops)
    path = tmp_path / "previews" / "latest.npz"
    write_preview_arrays(path, columns, ("left", "right"), 7)
    found = read_latest_preview(path)
    assert (found.domains, found.images_seen) == (("left", "right"), 7)
    assert [*found.crops] == [*columns]
    for name, column in columns.items():
        np.testing.assert_allclose(found.crops[name], column.numpy(), atol=1e-3)
    write_preview_arrays(path, columns, ("left", "right"), 8)
    assert read_latest_preview(path).images_seen == 8
