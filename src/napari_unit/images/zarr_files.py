"""Zarr arrays and OME-Zarr images in folders, versions 2 and 3, read where they are sliced."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_unit.images.array_files import axes_of_unnamed
from napari_unit.images.axes import Axes, axes_of_file, letter_of_label
from napari_unit.images.decoding import DECODING_ERRORS, UnreadableError, first_line
from napari_unit.images.placement import PixelSize
from napari_unit.images.source_image import SourceImage
from napari_unit.images.units import checked_pixel_size, time_step_s
from napari_unit.images.zarr_pixels import MARKS, ZarrPixels

if TYPE_CHECKING:
    import zarr

__all__ = ["ZarrPixels", "is_zarr", "open_zarr"]


def is_zarr(path: Path) -> bool:
    """Tell whether a folder is a zarr array or group."""
    return any((path / mark).is_file() for mark in MARKS)


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
    try:
        pixels = ZarrPixels(path)
        names = getattr(array.metadata, "dimension_names", None)
        names = names or array.attrs.get("_ARRAY_DIMENSIONS")
    except DECODING_ERRORS as error:
        raise UnreadableError(first_line(error)) from error
    letters = [_letter(str(name), "") for name in names] if isinstance(names, list | tuple) else []
    # names that leave open which axes are rows and columns say no more than none
    if axes is None and len(letters) == array.ndim and {"Y", "X"} <= set(letters):
        found = axes_of_file("".join(letters))
    else:
        found = axes_of_unnamed(path, array.ndim, axes)
    return SourceImage(
        array=pixels,
        axes=found,
        name=path.name.removesuffix(".zarr"),
        level_shapes=(pixels.shape,),
        path=path.absolute(),
    )


def _open_image(path: Path, group: "zarr.Group", axes: str | None) -> SourceImage:
    from yaozarrs import v04, v05, validate_ome_object

    try:
        attributes = dict(group.attrs)
    except DECODING_ERRORS as error:
        raise UnreadableError(first_line(error)) from error
    described = attributes.get("ome", attributes)
    if not isinstance(described, dict) or "multiscales" not in described:
        raise UnreadableError(
            "it is a zarr group without an image of its own; give the path of an image in it"
        )
    try:
        # what to show of it is often incomplete, and is not needed
        image = validate_ome_object({k: v for k, v in described.items() if k != "omero"})
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
    size, origin, step_s = _placing(scales)
    return SourceImage(
        array=levels[0],
        axes=found,
        name=name,
        pixel_size=size,
        origin=None if size is None else origin,
        channel_names=_channel_names(described.get("omero"), found.channels_in(levels[0].shape)),
        time_step_s=step_s,
        level_shapes=tuple(level.shape for level in levels),
        smaller=tuple(levels[1:]),
        path=path.absolute(),
        notes=(f"{path.name} holds {n_images} images; the first one is taken.",)
        if n_images > 1
        else (),
    )


def _letter(name: str, kind: str) -> str:
    """Return the letter of an axis; what has none is a plane, see `axes_of_file`."""
    if kind in ("channel", "time"):
        return kind[0].upper()
    if known := letter_of_label(name):
        return known
    return name.upper() if len(name) == 1 and name.isascii() and name.isalpha() else "?"


def _placing(scales: Any) -> tuple[PixelSize | None, tuple[float, ...], float | None]:
    """Return size and place of the first pixel, and the time between two images."""
    n = len(scales.axes)
    factors, origin = np.ones(n), np.zeros(n)
    # those of the level, then those of all levels
    for transform in (
        *scales.datasets[0].coordinateTransformations,
        *(scales.coordinateTransformations or ()),
    ):
        if transform.type == "scale" and len(transform.scale) == n:
            factors, origin = factors * transform.scale, origin * transform.scale
        elif transform.type == "translation" and len(transform.translation) == n:
            origin = origin + transform.translation
    letters = [_letter(axis.name, str(axis.type)) for axis in scales.axes]
    sides = dict(zip(letters, factors.tolist(), strict=True))
    units = {k: getattr(axis, "unit", None) for k, axis in zip(letters, scales.axes, strict=True)}
    step_s = time_step_s(sides.get("T"), units.get("T"))
    sized = {"Y", "X", "Z"} if units.get("Z") == units.get("Y") else {"Y", "X"}
    at = tuple(
        value if letter in sized and np.isfinite(value) else 0.0
        for letter, value in zip(letters, origin.tolist(), strict=True)
    )
    if units.get("X") != units.get("Y"):
        return None, at, step_s
    depth = sides.get("Z", 0) if "Z" in sized else 0
    return checked_pixel_size(sides.get("Y"), sides.get("X"), depth, units.get("Y")), at, step_s


def _channel_names(omero: Any, n_channels: int) -> tuple[str, ...]:
    """Return the names of the channels if the file gives one to each."""
    channels = omero.get("channels") if isinstance(omero, dict) else None
    if not isinstance(channels, list):
        return ()
    names = [c.get("label") if isinstance(c, dict) else None for c in channels]
    known = tuple(name for name in names if isinstance(name, str) and name)
    return known if len(known) == n_channels == len(names) else ()
