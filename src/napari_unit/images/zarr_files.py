"""Zarr arrays and OME-Zarr images in folders, versions 2 and 3, read where they are sliced."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_unit.images.array_files import axes_of_unnamed
from napari_unit.images.axes import Axes, axes_of_file
from napari_unit.images.decoding import DECODING_ERRORS, UnreadableError, first_line
from napari_unit.images.placement import PixelSize
from napari_unit.images.source_image import SourceImage
from napari_unit.images.units import checked_pixel_size

if TYPE_CHECKING:
    import zarr

_MARKS = (".zarray", ".zgroup", ".zattrs", "zarr.json")


class ZarrPixels:
    """One zarr array, which reads what is sliced.

    Parameters
    ----------
    path
        Of the folder.
    inner
        Path of the array in it; empty for the folder itself.
    """

    def __init__(self, path: Path, inner: str = "") -> None:
        import zarr

        self._made_of = (path, inner)
        self._pixels = zarr.open_array(path, mode="r", path=inner)
        self.shape = tuple(int(length) for length in self._pixels.shape)
        self.dtype = np.dtype(self._pixels.dtype)
        self.ndim = len(self.shape)

    def __getitem__(self, index: Any) -> NDArray[Any]:
        try:
            return np.asarray(self._pixels[index])
        except DECODING_ERRORS as error:
            raise OSError(f"{self._made_of[0]} is damaged: {first_line(error)}.") from error

    def __reduce__(self) -> tuple[Any, ...]:
        return ZarrPixels, self._made_of


def is_zarr(path: Path) -> bool:
    """Tell whether a folder is a zarr array or group."""
    return any((path / mark).is_file() for mark in _MARKS)


def open_zarr(path: Path, axes: str | None) -> SourceImage:
    """Open a zarr array, or the image of an OME-Zarr group with its levels.

    Raises
    ------
    UnreadableError
        If it is damaged or holds no image.
    ValueError
        If nothing says what the axes are.
    """
    import zarr

    try:
        node = zarr.open(path, mode="r")
    except DECODING_ERRORS as error:
        raise UnreadableError(first_line(error)) from error
    if isinstance(node, zarr.Array):
        return _open_bare(path, node, axes)
    return _open_image(path, node, axes)


def _open_bare(path: Path, array: "zarr.Array[Any]", axes: str | None) -> SourceImage:
    names = getattr(array.metadata, "dimension_names", None) or array.attrs.get("_ARRAY_DIMENSIONS")
    if axes is None and isinstance(names, list | tuple) and len(names) == array.ndim:
        found = axes_of_file("".join(_letter(str(name), "") for name in names))
    else:
        found = axes_of_unnamed(path, array.ndim, axes)
    return SourceImage(
        array=ZarrPixels(path),
        axes=found,
        name=path.name.removesuffix(".zarr"),
        level_shapes=(array.shape,),
        path=path.absolute(),
    )


def _open_image(path: Path, group: "zarr.Group", axes: str | None) -> SourceImage:
    from yaozarrs import v04, v05, validate_ome_object

    attributes = dict(group.attrs)
    described = attributes.get("ome", attributes)
    if not isinstance(described, dict) or "multiscales" not in described:
        raise UnreadableError(
            "it is a zarr group without an image of its own; give the path of an image in it"
        )
    try:
        image = validate_ome_object(described)
    except ValueError as error:  # pydantic's, many lines long
        raise UnreadableError("it is no OME-Zarr image of version 0.4 or 0.5") from error
    if not isinstance(image, v04.Image | v05.Image):
        raise UnreadableError("it is no OME-Zarr image of version 0.4 or 0.5")
    scales = image.multiscales[0]
    try:
        levels = [ZarrPixels(path, dataset.path) for dataset in scales.datasets]
    except DECODING_ERRORS as error:
        raise UnreadableError(first_line(error)) from error
    stored = "".join(_letter(axis.name, str(axis.type)) for axis in scales.axes)
    found = axes_of_file(stored) if axes is None else Axes.parse(axes, levels[0].ndim)
    if len(stored) != levels[0].ndim:
        raise UnreadableError(f"it names {len(stored)} axes of an array that has {levels[0].ndim}")
    name = path.name.removesuffix(".zarr").removesuffix(".ome")
    n_images = len(image.multiscales)
    return SourceImage(
        array=levels[0],
        axes=found,
        name=name,
        pixel_size=_pixel_size(scales),
        level_shapes=tuple(level.shape for level in levels),
        path=path.absolute(),
        notes=(f"{path.name} holds {n_images} images; the first one is taken.",)
        if n_images > 1
        else (),
    )


def _letter(name: str, kind: str) -> str:
    """Return the letter of an axis; what has none is a plane, see `axes_of_file`."""
    if kind in ("channel", "time"):
        return kind[0].upper()
    return name.upper() if len(name) == 1 and name.isascii() and name.isalpha() else "?"


def _pixel_size(scales: Any) -> PixelSize | None:
    axes = [axis.name.upper() for axis in scales.axes]
    transforms = scales.datasets[0].coordinateTransformations
    (scale,) = (t.scale for t in transforms if t.type == "scale")
    sides = dict(zip(axes, scale, strict=False))
    units = {axis.name.upper(): getattr(axis, "unit", None) for axis in scales.axes}
    if units.get("X") != units.get("Y"):
        return None
    depth = sides.get("Z", 0) if units.get("Z") == units.get("Y") else 0
    return checked_pixel_size(sides.get("Y"), sides.get("X"), depth, units.get("Y"))
