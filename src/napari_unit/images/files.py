"""Images in files, opened without reading their pixels where the format allows it."""

from collections.abc import Callable
from pathlib import Path

from napari_unit.images.array_files import open_npy, open_npz
from napari_unit.images.decoding import TooLargeError, UnreadableError
from napari_unit.images.picture_files import open_jpeg, open_png
from napari_unit.images.source_image import SourceImage
from napari_unit.images.tiff_files import open_tiff
from napari_unit.images.zarr_files import is_zarr, open_zarr

SUFFIXES = (".tif", ".tiff", ".png", ".jpg", ".jpeg", ".npy", ".npz")
"""Endings by which images are found in a folder; what a file is, its first bytes say."""

_Opener = Callable[[Path, str | None], SourceImage]
_OPENERS: dict[bytes, _Opener] = {
    **dict.fromkeys((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), open_tiff),
    b"\x89PNG": open_png,
    b"\xff\xd8\xff": open_jpeg,
    b"\x93NUM": open_npy,
    b"PK\3\4": open_npz,
}
"""By the first bytes of a file."""


def open_path(path: str | Path, axes: str | None = None) -> SourceImage:
    """Open an image file.

    Parameters
    ----------
    path
        A TIFF or OME-TIFF (its first image, tile by tile), a zarr array or OME-Zarr image, a .npy
        array; or a PNG, a JPEG or a .npz (decoded at once, as these formats need it).
    axes
        A letter per axis, where the file does not say what they are.

    Returns
    -------
    The image; its axes are those that the file names.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    OSError
        If it must not be read, or its disk fails.
    ValueError
        If it is no image of these formats, is damaged, or leaves open which axis is which.
    MemoryError
        If what must be decoded at once of it is more than the memory holds.
    """
    path = Path(path)
    try:
        return _opener_of(path)(path, axes)
    except TooLargeError as error:
        raise MemoryError(f"{path} cannot be read: {error}.") from error
    except UnreadableError as error:
        raise ValueError(f"{path} cannot be read as an image: {error}.") from error
    except OSError as error:
        if error.errno is None:  # a sentence already
            raise
        raise type(error)(f"{path} cannot be opened: {error.strerror}.") from error
    except ValueError as error:  # what is wrong with its axes
        if path.name in str(error):
            raise
        raise ValueError(f"{path.name}: {error}") from error


def _opener_of(path: Path) -> _Opener:
    if path.is_dir() and is_zarr(path):
        return open_zarr
    if not path.is_file():
        what = "is a folder, and no zarr" if path.is_dir() else "does not exist"
        raise FileNotFoundError(
            f"The image {path} {what}; give the path of a TIFF, PNG, JPEG, zarr, npy or npz."
        )
    with path.open("rb") as file:
        magic = file.read(4)
    for start, opener in _OPENERS.items():
        if magic.startswith(start):
            return opener
    raise ValueError(f"{path} is no TIFF, PNG, JPEG, npy or npz image.")
