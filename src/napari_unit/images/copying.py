"""Images of any origin as OME-TIFF files, plane by plane; and whether a file has them already."""

import shutil
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_unit.atomic import written_whole
from napari_unit.geometry.regions import Region
from napari_unit.geometry.tiling import Span
from napari_unit.images.files import open_path
from napari_unit.images.ome_tiff import OmeTiffPlan, check_storable, stored_axes, write_ome_tiff
from napari_unit.images.source_image import SourceImage
from napari_unit.images.storage import ArraySource
from napari_unit.images.stored_image import StoredImage

_COMPARED_PX = 2048
_OTHER_TYPES = {"float16": "float32", "int64": "float64", "uint64": "float64"}
"""Pixel types that OME-TIFF does not know, and what holds their values: integers to 2^53."""


def copy_to_tiff(image: SourceImage, path: Path) -> Generator[tuple[int, int], None, None]:
    """Write an image's first level to an OME-TIFF whose axes are named; opacity is left out.

    Parameters
    ----------
    image
        Of a layer, or of a file.
    path
        Of the file, which is there when it is whole.

    Yields
    ------
    Tiles that are written, and how many there are; closing stops and leaves nothing.

    Raises
    ------
    ValueError
        If an OME-TIFF has no such axes or pixels.
    OSError
        If there is no room for it.
    """
    view = _InStoredOrder(image)
    channels = image.channel_names or tuple(f"channel {n}" for n in range(image.n_channels))
    stored = StoredImage(
        view.axes,
        (view.shape,),
        view.dtype,
        image.name,
        image.pixel_size,
        time_step_s=image.time_step_s,
    )
    plan = OmeTiffPlan(stored, channels[: image.n_channels])
    check_storable(plan)
    free = shutil.disk_usage(path.parent).free
    if free < plan.n_bytes:
        raise OSError(
            f"{path.parent} has {free / 1e9:.1f} GB free, and a copy of {image.name!r} takes up to "
            f"{plan.n_bytes / 1e9:.1f} GB; make room, or give its file instead."
        )
    with written_whole(path) as partial:
        yield from write_ome_tiff(partial, plan, [view])


def is_same_as_file(image: SourceImage) -> Generator[bool, None, None]:
    """Compare an image with the file that it is said to come from, to the last pixel.

    Yields
    ------
    False for every part that is the same. At the end True if all was; what differs, or cannot be
    read, ends it at once.
    """
    if image.path is None:
        return
    try:
        there = open_path(image.path)
        same = (there.shape, there.axes.channel, there.axes.y, there.axes.x, there.has_alpha)
        ours = (image.shape, image.axes.channel, image.axes.y, image.axes.x, image.has_alpha)
        if same != ours or there.array.dtype != image.array.dtype:
            return
        if image.n_channels != there.n_channels:
            return
        one, other = (ArraySource(i.array, i.axes, i.channels_read) for i in (image, there))
        for plane in range(one.n_planes):
            for region in _squares(one.height, one.width):
                pixels = one.read(plane, region)
                equal_nan = pixels.dtype.kind == "f"
                if not np.array_equal(pixels, other.read(plane, region), equal_nan=equal_nan):
                    return
                yield False
    except (ValueError, OSError, MemoryError):
        return
    yield True


def _squares(height: int, width: int) -> Iterator[Region]:
    for top in range(0, height, _COMPARED_PX):
        for left in range(0, width, _COMPARED_PX):
            yield Region(
                Span(top, min(top + _COMPARED_PX, height)),
                Span(left, min(left + _COMPARED_PX, width)),
            )


class _InStoredOrder:
    """An image in the axis order of a TIFF, read where it is indexed: a page, rows, columns."""

    def __init__(self, image: SourceImage) -> None:
        self.axes = stored_axes(image.axes)
        length = dict(zip(image.axes.letters, image.shape, strict=True))
        channel = "" if image.axes.channel is None else image.axes.letters[image.axes.channel]
        if channel:
            length[channel] = image.n_channels
        self.shape = tuple(length[letter] for letter in self.axes.letters)
        own = np.dtype(image.array.dtype)
        if own.kind not in "iuf":
            raise ValueError(
                f"The layer {image.name!r} holds pixels of type {own}; convert them to whole "
                "numbers or to floating point."
            )
        self.dtype = np.dtype(_OTHER_TYPES.get(own.name, own.newbyteorder("=")))
        # of channels that are pages one at a time, so that none is read for nothing
        wanted = [[n] for n in image.channels_read] if channel == "C" else [image.channels_read]
        self._sources = [ArraySource(image.array, image.axes, each) for each in wanted]
        self._lead = self.axes.letters[: -3 if channel == "S" else -2]
        self._counts = [length[letter] for letter in self._lead if letter != "C"]

    def __getitem__(self, index: tuple[Any, ...]) -> NDArray[Any]:
        n = len(self._lead)
        at = dict(zip(self._lead, index[:n], strict=True))
        channel = int(at.pop("C", 0))
        plane = int(np.ravel_multi_index(tuple(at.values()), self._counts)) if at else 0
        source = self._sources[channel]
        rows, columns = (
            Span(part.start, min(part.stop, end))
            for part, end in zip(index[n:], (source.height, source.width), strict=True)
        )
        pixels = source.read(plane, Region(rows, columns)).astype(self.dtype, copy=False)
        return pixels.transpose(1, 2, 0) if "S" in self.axes.letters else pixels[0]
