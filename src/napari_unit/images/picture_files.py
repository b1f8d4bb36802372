"""PNG and JPEG, decoded at once, as these formats need it."""

import os
from pathlib import Path
from typing import Literal

from napari_unit.images.axes import Axes
from napari_unit.images.decoding import DECODING_ERRORS, UnreadableError, first_line
from napari_unit.images.source_image import SourceImage


def open_png(path: Path, axes: str | None) -> SourceImage:
    """Decode a PNG.

    Raises
    ------
    UnreadableError
        If it is damaged.
    """
    return _open(path, axes, "png")


def open_jpeg(path: Path, axes: str | None) -> SourceImage:
    """Decode a JPEG.

    Raises
    ------
    UnreadableError
        If it is damaged.
    """
    return _open(path, axes, "jpeg")


def _open(path: Path, axes: str | None, codec: Literal["png", "jpeg"]) -> SourceImage:
    import imagecodecs

    try:
        array = imagecodecs.imread(os.fspath(path), codec=codec)
    except DECODING_ERRORS as error:
        raise UnreadableError(first_line(error)) from error
    stored = Axes("YX" if array.ndim == 2 else "YXS")
    found = stored if axes is None else Axes.parse(axes, array.ndim)
    return SourceImage(
        array=array,
        axes=found,
        name=path.stem,
        # four samples of a JPEG are printing inks
        has_alpha=codec == "png" and found.letters == "YXS" and array.shape[2] in (2, 4),
        level_shapes=(array.shape,),
        path=path.absolute(),
    )
