"""A part of an image: ranges along its axes, as a user gives them."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from napari_unit.engine.planes import Part
from napari_unit.geometry.regions import Region
from napari_unit.geometry.tiling import Span
from napari_unit.images.source_image import SourceImage

Ranges = Mapping[str, tuple[int, int]]
"""First pixel or plane and the one behind the last, by the letter of the axis."""


def part_of(image: SourceImage, ranges: Ranges) -> Part:
    """Return which planes of an image, and which pixels of them, ranges along its axes name.

    Raises
    ------
    ValueError
        If an axis is none of the image's or holds channels, or a range is empty or leaves the
        image.
    """
    spans = _spans(image, ranges)
    axes = image.axes
    counts = [image.shape[axis] for axis in axes.planes]
    wanted = [range(spans[axis].start, spans[axis].stop) for axis in axes.planes]
    if counts:
        numbers = np.ravel_multi_index(np.meshgrid(*wanted, indexing="ij"), counts).ravel()
    else:
        numbers = np.zeros(1, int)
    return Part(tuple(numbers.tolist()), Region(spans[axes.y], spans[axes.x]))


def described_part(image: SourceImage, ranges: Ranges) -> SourceImage:
    """Return what a part of an image is as an image: where it stands, and how large it is.

    Its array has the part's shape and no pixels of its own; levels smaller than it are left out.
    """
    spans = _spans(image, ranges)
    shape = tuple(span.length for span in spans)
    first = [span.start for span in spans]
    placement, origin = image.placement, image.origin
    if placement is not None:
        placement = placement.shifted(first[: len(placement.scale)])
    if origin is not None and image.pixel_size is not None:
        size = image.pixel_size
        sides = {"Y": size.y, "X": size.x, "Z": size.z or 0.0}
        origin = tuple(
            at + start * sides.get(letter, 0.0)
            for at, start, letter in zip(origin, first, image.axes.letters, strict=False)
        )
    return replace(
        image,
        array=np.broadcast_to(np.zeros((), image.array.dtype), shape),
        placement=placement,
        origin=origin,
        level_shapes=(),
        smaller=(),
    )


def _spans(image: SourceImage, ranges: Ranges) -> list[Span]:
    letters = image.axes.letters
    for letter in ranges:
        if letter not in letters or letter in "CS":
            allowed = ", ".join(one for one in letters if one not in "CS")
            raise ValueError(
                f"The part is given along {letter!r}; the image {image.name!r} can be cut along "
                f"{allowed}."
            )
    found = []
    for letter, length in zip(letters, image.shape, strict=True):
        start, stop = ranges.get(letter, (0, length))
        if not 0 <= start < stop <= length:
            raise ValueError(
                f"The part goes from {start} to {stop} along {letter}, and the image "
                f"{image.name!r} from 0 to {length}; give a range inside it."
            )
        found.append(Span(start, stop))
    return found
