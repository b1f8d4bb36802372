from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile

from napari_unit.images.files import open_path

RNG = np.random.default_rng(0)
GRAY = RNG.integers(0, 60000, (90, 110)).astype("u2")
COLOR = RNG.integers(0, 255, (90, 110, 3)).astype("u1")


@pytest.mark.parametrize(
    ("pixels", "ending", "axes", "has_alpha"),
    [
        (GRAY, "png", "YX", False),
        (COLOR, "png", "YXS", False),
        (np.dstack([COLOR, COLOR[..., :1]]), "png", "YXS", True),
        (COLOR, "jpg", "YXS", False),
        (COLOR[..., 0], "jpg", "YX", False),
    ],
)
def test_pictures(
    tmp_path: Path, pixels: np.ndarray, ending: str, axes: str, has_alpha: bool
) -> None:
    path = tmp_path / f"a.{ending}"
    imagecodecs.imwrite(str(path), np.ascontiguousarray(pixels))
    image = open_path(path)
    assert (image.axes.letters, image.shape, image.has_alpha) == (axes, pixels.shape, has_alpha)
    if ending == "png":
        assert np.array_equal(image.array, pixels)


def test_axes_given_by_the_user_go_before_those_of_the_file(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.stack([GRAY, GRAY]))
    assert open_path(tmp_path / "a.tif").n_channels == 1
    assert open_path(tmp_path / "a.tif", "CYX").n_channels == 2
    with pytest.raises(ValueError, match="but the image has 3"):
        open_path(tmp_path / "a.tif", "YX")


def test_paths_that_are_no_images_get_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="does not exist; give the path of a TIFF"):
        open_path(tmp_path / "none.tif")
    with pytest.raises(FileNotFoundError, match="is a folder, and no zarr; give the path"):
        open_path(tmp_path)
    (tmp_path / "a.tif").write_text("hello")
    with pytest.raises(ValueError, match="is no TIFF, PNG, JPEG, npy or npz image"):
        open_path(tmp_path / "a.tif")


@pytest.mark.filterwarnings("ignore")  # what decoders say of it does not matter
@pytest.mark.parametrize("ending", ["tif", "tiled.tif", "png", "jpg"])
def test_truncated_files_get_a_sentence(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a.{ending}"
    if "tif" in ending:
        how: dict[str, Any] = {"tile": (32, 32), "compression": "zlib"} if "tiled" in ending else {}
        tifffile.imwrite(path, GRAY, **how)
    else:
        imagecodecs.imwrite(str(path), COLOR)
    content = path.read_bytes()
    for n in (4, 60, len(content) // 2) if "tif" in ending else (4, 60):
        path.write_bytes(content[:n])
        with pytest.raises(ValueError, match=r"cannot be read as an image: .*\.$"):
            open_path(path)
