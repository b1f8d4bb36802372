"""Measure an image's intensity window in passes over its regions, exactly and in little memory."""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_unit.domains import Domain, Window
from napari_unit.engine.planes import PlaneSource
from napari_unit.geometry.regions import Region, grid, whole

READ_PX = 1024
"""Side of the regions that a pass reads; the result does not depend on it."""


@dataclass(frozen=True, slots=True)
class Intensities:
    """What an image's pixel values are like.

    Parameters
    ----------
    window
        Pixel values per channel that stand for -1 and 1.
    n_clipped
        Pixel values outside the window.
    notes
        Sentences about channels whose window is not what the domain's scaling asks for.
    """

    window: Window
    n_clipped: int
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _OrderStatistic:
    """The pixel value of one rank, and how many are smaller and equal."""

    value: float
    n_smaller: int
    n_equal: int


class _Selection:
    """Finds the pixel values of given ranks in one channel, in passes over its pixels.

    Pixel values become unsigned keys of the same order; a pass counts the next 16 bits of the
    keys that share the bits already known (radix selection). So one pass gives any order
    statistic of 16-bit pixels exactly, and two of 32-bit pixels.

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
        self._counts: dict[int, NDArray[np.int64]] = {}
        self._passes = 0

    def begin_pass(self) -> None:
        self._passes += 1
        self._counts = {prefix: np.zeros(1 << 16, np.int64) for prefix in set(self._known)}

    def count(self, pixels: NDArray[Any]) -> None:
        keys = _keys_of(pixels.ravel())
        for prefix, counts in self._counts.items():
            if keys.itemsize == 2 or self._passes == 2:
                digits = keys if keys.itemsize == 2 else keys[keys >> 16 == prefix] & 0xFFFF
            else:
                digits = keys >> 16
            found = np.bincount(digits)
            counts[: len(found)] += found

    def end_pass(self) -> None:
        for index, rank in enumerate(self._ranks):
            counts = self._counts[self._known[index]]
            reached = np.cumsum(counts) + self._n_smaller[index]
            digit = int(np.searchsorted(reached, rank, side="right"))
            self._n_equal[index] = int(counts[digit])
            self._n_smaller[index] = int(reached[digit]) - int(counts[digit])
            self._known[index] = (self._known[index] << 16) | digit

    def found(self) -> list[_OrderStatistic]:
        return [
            _OrderStatistic(_value_of(key, self._dtype), n_smaller, n_equal)
            for key, n_smaller, n_equal in zip(
                self._known, self._n_smaller, self._n_equal, strict=True
            )
        ]


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


def _regions_of(planes: PlaneSource) -> Iterator[tuple[int, Region]]:
    for plane in range(planes.n_planes):
        for region in grid(whole((planes.height, planes.width)), READ_PX):
            yield plane, region


def n_reads(planes: PlaneSource) -> int:
    """Return how many regions `measure_intensities` reads."""
    n_passes = 1 if _has_16_bits(planes.dtype) else 2
    return n_passes * sum(1 for _ in _regions_of(planes))


def measure_intensities(planes: PlaneSource, domain: Domain) -> Generator[int, None, Intensities]:
    """Measure the window by which an image's pixel values map to [-1, 1], over all its planes.

    Percentiles are those of `numpy.percentile` (linear) over all pixels of a channel; float64
    pixels and integers of 32 and 64 bits are rounded to float32. Where the two coincide, the
    channel's extremes stand in.

    Parameters
    ----------
    planes
        The image.
    domain
        Whose scaling is asked for.

    Yields
    ------
    Regions read so far, of `n_reads`.

    Raises
    ------
    ValueError
        If pixels are not finite, or all have the same value.
    """
    n_px = planes.n_planes * planes.height * planes.width
    scaling = domain.scaling
    low, high = (scaling.low, scaling.high) if scaling.kind == "percentiles" else (0.0, 100.0)
    places = [(n_px - 1) * percent / 100.0 for percent in (low, high)]
    ranks = [int(f(place)) for place in places for f in (np.floor, np.ceil)] + [0, n_px - 1]
    channels = [_Selection(ranks, planes.dtype) for _ in range(planes.n_channels)]
    done = n_not_finite = n_outside = 0
    first_place = ""
    for number in range(1 if _has_16_bits(planes.dtype) else 2):
        for channel in channels:
            channel.begin_pass()
        for plane, region in _regions_of(planes):
            pixels = planes.read(plane, region)
            if number == 0 and planes.dtype.kind == "f":
                found_here = int(np.count_nonzero(~np.isfinite(pixels)))
                if found_here and not n_not_finite:
                    first_place = _first_not_finite(planes, plane, region, pixels)
                n_not_finite += found_here
            if number == 0 and scaling.kind == "range":
                n_outside += domain.typical_window.outside(pixels)
            for channel, values in zip(channels, pixels, strict=True):
                channel.count(values)
            done += 1
            yield done
        if n_not_finite:
            raise ValueError(
                f"{n_not_finite} of the image's {n_px * planes.n_channels} pixel values are NaN "
                f"or infinite, the first at {first_place}; replace them, for example with "
                "numpy.nan_to_num."
            )
        for channel in channels:
            channel.end_pass()
    found = [channel.found() for channel in channels]
    if all(extremes[-2].value == extremes[-1].value for extremes in found):
        raise ValueError(
            f"All pixels of the image have the same value ({found[0][-1].value:g}); "
            "there is nothing to translate."
        )
    if scaling.kind == "range":
        return Intensities(domain.typical_window, n_outside, ())
    return _from_percentiles(found, places, domain)


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


def _from_percentiles(
    found: Sequence[Sequence[_OrderStatistic]], places: Sequence[float], domain: Domain
) -> Intensities:
    bounds: list[tuple[float, float]] = []
    notes: list[str] = []
    n_clipped = 0
    percent = f"{domain.scaling.low:g} and {domain.scaling.high:g}"
    for name, statistics in zip(domain.channels, found, strict=True):
        low_floor, low_ceil, high_floor, high_ceil, least, most = statistics
        low = _between(low_floor, low_ceil, places[0] % 1.0)
        high = _between(high_floor, high_ceil, places[1] % 1.0)
        if low < high:
            n_clipped += low_floor.n_smaller + (low_floor.n_equal if low > low_floor.value else 0)
            n_clipped += most.n_smaller + most.n_equal - high_ceil.n_smaller
            n_clipped -= high_ceil.n_equal if high >= high_ceil.value else 0
        elif least.value < most.value:
            # a sparse image: nearly all of it is one value
            low, high = least.value, most.value
            notes.append(
                f"The percentiles {percent} of channel {name!r} coincide; its smallest and "
                f"largest value, {low:g} and {high:g}, stand for them."
            )
        else:
            low, high = least.value, least.value + 1.0
            notes.append(f"All pixels of channel {name!r} are {low:g}, which maps to -1.")
        bounds.append((low, high))
    return Intensities(domain.window_from(bounds), n_clipped, tuple(notes))


def _between(floor: _OrderStatistic, ceil: _OrderStatistic, fraction: float) -> float:
    return floor.value + (ceil.value - floor.value) * fraction
