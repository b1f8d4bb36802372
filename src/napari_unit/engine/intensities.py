"""Measure an image's intensity window in passes over its regions, exactly and in little memory."""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from napari_unit.domains import Domain, Window
from napari_unit.engine.counting import (
    Counted,
    CountingPass,
    OrderStatistic,
    Place,
    Selection,
    count,
    n_passes,
)
from napari_unit.engine.mapping import IN_PROCESS, Mapper
from napari_unit.engine.planes import PlaneSource
from napari_unit.geometry.regions import grid, whole

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


def _places_of(planes: PlaneSource) -> Iterator[Place]:
    number = 0
    for plane in range(planes.n_planes):
        for region in grid(whole((planes.height, planes.width)), READ_PX):
            yield number, plane, region
            number += 1


def n_reads(planes: PlaneSource) -> int:
    """Return how many regions `measure_intensities` reads."""
    return n_passes(planes.dtype) * sum(1 for _ in _places_of(planes))


def measure_intensities(
    planes: PlaneSource, domain: Domain, mapper: Mapper = IN_PROCESS
) -> Generator[int, None, Intensities]:
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
    mapper
        Who reads and counts.

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
    channels = [Selection(ranks, planes.dtype) for _ in range(planes.n_channels)]
    limits = domain.typical_window if scaling.kind == "range" else None
    done = n_outside = 0
    for number in range(n_passes(planes.dtype)):
        wanted = CountingPass(number, tuple(channel.prefixes for channel in channels), limits)
        total = Counted([{} for _ in channels])
        job = partial(count, planes, wanted)
        for counted in mapper.run(job, list(_places_of(planes))):
            total.add(counted)
            yield done + total.n_regions
        done += total.n_regions
        if total.first_not_finite is not None:
            raise ValueError(
                f"{total.n_not_finite} of the image's {n_px * planes.n_channels} pixel values are "
                f"NaN or infinite, the first at {total.first_not_finite[1]}; replace them, for "
                "example with numpy.nan_to_num."
            )
        n_outside += total.n_outside
        for channel, counts in zip(channels, total.counts, strict=True):
            channel.learn(counts)
    found = [channel.found() for channel in channels]
    if all(extremes[-2].value == extremes[-1].value for extremes in found):
        raise ValueError(
            f"All pixels of the image have the same value ({found[0][-1].value:g}); "
            "there is nothing to translate."
        )
    if limits is not None:
        return Intensities(limits, n_outside, ())
    return _from_percentiles(found, places, domain)


def _from_percentiles(
    found: Sequence[Sequence[OrderStatistic]], places: Sequence[float], domain: Domain
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


def _between(floor: OrderStatistic, ceil: OrderStatistic, fraction: float) -> float:
    return floor.value + (ceil.value - floor.value) * fraction
