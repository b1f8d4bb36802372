"""Whether an image is the same as before, told by a part of its pixels."""

import hashlib
import math

import numpy as np

from napari_unit.engine.planes import PlaneSource
from napari_unit.geometry.regions import Region, whole
from napari_unit.geometry.tiling import Span

_N_PATCHES = 64
_PATCH_PX = 32


def content_mark(planes: PlaneSource) -> str:
    """Return a hash of shape, dtype and up to 64 patches of 32 px, spread over all planes.

    Two images of one experiment differ in it; a few changed pixels may not be noticed. It does
    not depend on where the image lies, in which format or since when.

    Parameters
    ----------
    planes
        The image; a small one is read as a whole.
    """
    counts = (planes.n_planes, planes.n_channels, planes.height, planes.width)
    content = hashlib.sha256(repr((counts, planes.dtype.name)).encode())
    size = (planes.height, planes.width)
    if planes.n_planes * math.prod(size) <= _N_PATCHES * _PATCH_PX**2:
        places = [(plane, whole(size)) for plane in range(planes.n_planes)]
    else:
        places = [(_plane(i, planes.n_planes), _patch(i, size)) for i in range(_N_PATCHES)]
    for plane, region in places:
        # bytes in one order, whatever machine this is
        pixels = planes.read(plane, region)
        content.update(np.ascontiguousarray(pixels, pixels.dtype.newbyteorder("<")).tobytes())
    return content.hexdigest()


def _plane(i: int, n_planes: int) -> int:
    return i * n_planes // _N_PATCHES


def _patch(i: int, size: tuple[int, int]) -> Region:
    """Return the i-th patch of a sequence that covers a plane evenly (Roberts' R2 sequence)."""
    spans = []
    for length, step in zip(size, (0.7548776662466927, 0.5698402909980532), strict=True):
        side = min(_PATCH_PX, length)
        start = int((0.5 + i * step) % 1.0 * (length - side + 1))
        spans.append(Span(start, start + side))
    return Region(*spans)
