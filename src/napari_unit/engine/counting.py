"""Count pixel values, region by region and in any order, to find those of given ranks exactly.

Pixel values become unsigned keys of the same order; a pass counts the next 16 bits of the keys that
share the bits already known (radix selection). So one pass gives any order statistic of 16-bit
pixels, and two of 32-bit pixels, whatever the size of the image and whoever counts which part.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_unit.domains import Window
from napari_unit.engine.planes import PlaneSource
from napari_unit.geometry.regions import Region

Place = tuple[int, int, Region]
"""Number in the order of the image, plane, region."""


@dataclass(frozen=True, slots=True)
class CountingPass:
    """What one pass over the pixels counts.

    Parameters
    ----------
    number
        0 or 1.
    prefixes
        Per channel: the bits that are known of the wanted values' keys.
    limits
        Pixel values outside of which pixels are counted; None counts none.
    """

    number: int
    prefixes: tuple[frozenset[int], ...]
    limits: Window | None


@dataclass(slots=True)
class Counted:
    """What was counted in some regions.

    Parameters
    ----------
    counts
        Per channel and prefix: how often each value of the next 16 bits came.
    n_regions
        How many regions.
    n_outside
        Pixel values outside the limits.
    n_not_finite
        Pixel values that are no numbers.
    first_not_finite
        Number of the first region that holds such, and where in words.
    """

    counts: list[dict[int, NDArray[np.int64]]]
    n_regions: int = 0
    n_outside: int = 0
    n_not_finite: int = 0
    first_not_finite: tuple[int, str] | None = field(default=None)

    def add(self, other: "Counted") -> None:
        """Take what was counted elsewhere."""
        for mine, theirs in zip(self.counts, other.counts, strict=True):
            for prefix, counts in theirs.items():
                mine[prefix] = mine[prefix] + counts if prefix in mine else counts
        self.n_regions += other.n_regions
        self.n_outside += other.n_outside
        self.n_not_finite += other.n_not_finite
        firsts = [f for f in (self.first_not_finite, other.first_not_finite) if f is not None]
        self.first_not_finite = min(firsts, default=None)


def count(planes: PlaneSource, wanted: CountingPass, places: Sequence[Place]) -> Counted:
    """Read some regions and count.

    Parameters
    ----------
    planes
        The image.
    wanted
        What is counted.
    places
        The regions.
    """
    found = Counted([
        {prefix: np.zeros(1 << 16, np.int64) for prefix in prefixes}
        for prefixes in wanted.prefixes
    ])  # fmt: skip
    for number, plane, region in places:
        pixels = planes.read(plane, region)
        found.n_regions += 1
        if wanted.number == 0 and planes.dtype.kind == "f":
            n_here = int(np.count_nonzero(~np.isfinite(pixels)))
            if n_here and found.first_not_finite is None:
                where = _first_not_finite(planes, plane, region, pixels)
                found.first_not_finite = (number, where)
            found.n_not_finite += n_here
        if wanted.number == 0 and wanted.limits is not None:
            found.n_outside += wanted.limits.outside(pixels)
        for counts, values in zip(found.counts, pixels, strict=True):
            _count_values(counts, values, wanted.number)
    return found


def _count_values(
    counts: Mapping[int, NDArray[np.int64]], pixels: NDArray[Any], number: int
) -> None:
    keys = _keys_of(pixels.ravel())
    for prefix, known in counts.items():
        if keys.itemsize == 2 or number == 1:
            digits = keys if keys.itemsize == 2 else keys[keys >> 16 == prefix] & 0xFFFF
        else:
            digits = keys >> 16
        found = np.bincount(digits)
        known[: len(found)] += found


@dataclass(frozen=True, slots=True)
class OrderStatistic:
    """The pixel value of one rank, and how many are smaller and equal."""

    value: float
    n_smaller: int
    n_equal: int


class Selection:
    """Finds the pixel values of given ranks in one channel, in passes over its pixels.

    Parameters
    ----------
    ranks
        Counted from 0 in ascending order of the values.
    dtype
        Of the pixels.
    """

    def __init__(self, ranks: Sequence[int], dtype: np.dtype[Any]) -> None:
        self._ranks = ranks
        self._dtype = dtype
        self._known = [0] * len(ranks)
        self._n_smaller = [0] * len(ranks)
        self._n_equal = [0] * len(ranks)

    @property
    def prefixes(self) -> frozenset[int]:
        """The bits that are known of the values' keys."""
        return frozenset(self._known)

    def learn(self, counts: Mapping[int, NDArray[np.int64]]) -> None:
        """Take what a pass has counted."""
        for index, rank in enumerate(self._ranks):
            of_prefix = counts[self._known[index]]
            reached = np.cumsum(of_prefix) + self._n_smaller[index]
            digit = int(np.searchsorted(reached, rank, side="right"))
            self._n_equal[index] = int(of_prefix[digit])
            self._n_smaller[index] = int(reached[digit]) - int(of_prefix[digit])
            self._known[index] = (self._known[index] << 16) | digit

    def found(self) -> list[OrderStatistic]:
        """Return the values of all ranks, after the last pass."""
        return [
            OrderStatistic(_value_of(key, self._dtype), n_smaller, n_equal)
            for key, n_smaller, n_equal in zip(
                self._known, self._n_smaller, self._n_equal, strict=True
            )
        ]


def n_passes(dtype: np.dtype[Any]) -> int:
    """Return how many passes over pixels of a type find any rank."""
    return 1 if _has_16_bits(dtype) else 2


def _has_16_bits(dtype: np.dtype[Any]) -> bool:
    return dtype.kind in "iu" and dtype.itemsize <= 2


def _keys_of(pixels: NDArray[Any]) -> NDArray[np.unsignedinteger[Any]]:
    """Return unsigned keys in the order of the pixel values, of 16 or 32 bits."""
    if _has_16_bits(pixels.dtype):
        lowest = int(np.iinfo(pixels.dtype).min)
        shifted = pixels.astype(np.int32) - lowest if lowest else pixels
        return shifted.astype(np.uint16, copy=False)
    limit = np.finfo(np.float32).max
    bits: NDArray[np.uint32] = np.clip(pixels, -limit, limit).astype(np.float32).view(np.uint32)
    # floats order like sign and magnitude: turn negative ones around, put the others above them
    bits ^= np.where(bits >> 31, np.uint32(0xFFFFFFFF), np.uint32(0x80000000))
    return bits


def _value_of(key: int, dtype: np.dtype[Any]) -> float:
    if _has_16_bits(dtype):
        return float(key + int(np.iinfo(dtype).min))
    bits = key & 0x7FFFFFFF if key >> 31 else ~key & 0xFFFFFFFF
    return float(np.array(bits, np.uint32).view(np.float32))


def _first_not_finite(planes: PlaneSource, plane: int, region: Region, pixels: NDArray[Any]) -> str:
    """Return in words where a region holds its first pixel that is no number, row by row."""
    wrong = ~np.isfinite(pixels)
    row, column = (int(at) for at in np.argwhere(wrong.any(axis=0))[0])
    channel = int(np.argmax(wrong[:, row, column]))
    of_channel = f", channel {channel}" if planes.n_channels > 1 else ""
    return (
        f"plane {plane}, row {region.rows.start + row}, "
        f"column {region.columns.start + column}{of_channel}"
    )
