import zipfile
from pathlib import Path

import numpy as np
import pytest

from napari_unit.images.files import open_path
from napari_unit.images.plain_pixels import PlainPixels

RNG = np.random.default_rng(0)
GRAY = RNG.integers(0, 60000, (40, 50)).astype("u2")


def test_npy_is_read_where_it_is_sliced(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", GRAY)
    image = open_path(tmp_path / "a.npy")
    assert isinstance(image.array, PlainPixels)
    assert (image.axes.letters, image.name, image.array.dtype) == ("YX", "a", np.uint16)
    assert np.array_equal(image.array[3:9, 5:20], GRAY[3:9, 5:20])


def test_axes_that_no_file_names_must_be_said(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.stack([GRAY] * 3))
    with pytest.raises(ValueError, match=r"a.npy has 3 axes .* as in axes='ZYX' or axes='YXS'"):
        open_path(tmp_path / "a.npy")
    assert open_path(tmp_path / "a.npy", "cyx").axes.letters == "CYX"


def test_the_first_array_of_an_npz_is_taken_and_it_says_so(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "a.npz", image=GRAY, labels=GRAY * 0)
    image = open_path(tmp_path / "a.npz")
    assert np.array_equal(image.array, GRAY)
    assert image.notes == ("a.npz holds 2 arrays; 'image', the first one, is taken.",)
    np.savez(tmp_path / "b.npz", GRAY)
    assert open_path(tmp_path / "b.npz").notes == ()


@pytest.mark.parametrize("ending", ["npy", "npz"])
def test_objects_are_never_unpickled(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a.{ending}"
    (np.save if ending == "npy" else np.savez)(path, np.array([{}, None], object))
    with pytest.raises(
        ValueError, match=r"cannot be read as an image: .*(allow_pickle|Python objects)"
    ):
        open_path(path)


@pytest.mark.parametrize("ending", ["npy", "npz"])
def test_a_truncated_array_gets_a_sentence(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a.{ending}"
    (np.save if ending == "npy" else np.savez)(path, GRAY)
    content = path.read_bytes()
    for n in (5, 60, len(content) // 2):
        path.write_bytes(content[:n])
        with pytest.raises(ValueError, match=r"cannot be read as an image: .*\.$"):
            open_path(path)


def test_an_archive_of_something_else_gets_a_sentence(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(ValueError, match="there is no array in it, or something else first"):
        open_path(tmp_path / "a.npz")
