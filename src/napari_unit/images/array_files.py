"""Arrays that numpy has saved: .npy read where it is sliced, .npz decoded at once."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_unit.images.axes import Axes
from napari_unit.images.decoding import DECODING_ERRORS, UnreadableError, check_piece, first_line
from napari_unit.images.plain_pixels import PlainPixels
from napari_unit.images.source_image import SourceImage


def open_npy(path: Path, axes: str | None) -> SourceImage:
    """Open an array; nothing in it is unpickled.

    Raises
    ------
    UnreadableError
        If it is damaged or holds objects.
    ValueError
        If it has other than two axes and `axes` does not say what they are.
    """
    try:
        mapped = np.load(path, mmap_mode="r", allow_pickle=False)
        # numpy has read the header; nothing is read through its map
        is_fortran = mapped.flags.f_contiguous and not mapped.flags.c_contiguous
        array = PlainPixels(path, int(mapped.offset), mapped.shape, mapped.dtype, is_fortran)
    except DECODING_ERRORS as error:
        raise UnreadableError(first_line(error)) from error
    return _image(path, array, axes)


def open_npz(path: Path, axes: str | None) -> SourceImage:
    """Decode the first array of several; nothing in it is unpickled.

    Raises
    ------
    UnreadableError, ValueError
        As `open_npy`; or if there is no array.
    """
    try:
        # opened here: of a damaged file numpy would leave its own handle open
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            names = archive.files
            if names:
                check_piece(archive.zip.infolist()[0].file_size, "arrays")
            array = archive[names[0]] if names else None
    except DECODING_ERRORS as error:
        raise UnreadableError(first_line(error)) from error
    if not isinstance(array, np.ndarray):  # numpy gives other members of the archive as bytes
        raise UnreadableError("there is no array in it, or something else first")
    note = f"{path.name} holds {len(names)} arrays; {names[0]!r}, the first one, is taken."
    return _image(path, array, axes, (note,) if len(names) > 1 else ())


def _image(
    path: Path, array: NDArray[Any] | PlainPixels, axes: str | None, notes: tuple[str, ...] = ()
) -> SourceImage:
    return SourceImage(
        array=array,
        axes=axes_of_unnamed(path, array.ndim, axes),
        name=path.stem,
        level_shapes=(array.shape,),
        path=path.absolute(),
        notes=notes,
    )


def axes_of_unnamed(path: Path, ndim: int, axes: str | None) -> Axes:
    """Return the axes of an array whose file does not name them."""
    if axes is not None:
        return Axes.parse(axes, ndim)
    if ndim != 2:
        raise ValueError(
            f"{path.name} has {ndim} axes and does not say what they are; say it with axes=, as in "
            "axes='ZYX' or axes='YXS'."
        )
    return Axes("YX")
