"""Which parts of an image its normalisation statistics are taken from."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass

import numpy as np

from napari_unit.engine.planes import PaddedPlanes
from napari_unit.geometry.regions import Region, grid, whole

SAMPLE_CORE_PX = 256
"""Side of the squares that a sample is made of."""
MAX_SAMPLED = 64
"""Squares in a sample."""
MAX_CANDIDATES = 4096
"""Squares that are looked at, at random places of a larger image."""
MIN_DEVIATION = 0.01
"""Standard deviation, in units of [-1, 1], below which a square is flat; the trainer's default."""

_LOOK_EVERY_PX = 4


@dataclass(frozen=True, slots=True)
class Field:
    """A part of a plane over which statistics are taken.

    Parameters
    ----------
    plane
        Its plane.
    core
        Its pixels, in the padded plane; what lies around is seen, but not counted.
    """

    plane: int
    core: Region


@dataclass(frozen=True, slots=True)
class Sample:
    """The fields of a sample, and what they stand for.

    Parameters
    ----------
    fields
        They do not overlap.
    n_eligible
        Fields that they were drawn from, themselves included.
    """

    fields: tuple[Field, ...]
    n_eligible: int


def all_of(planes: PaddedPlanes, regions: Sequence[Region]) -> Sample:
    """Return every pixel: of each plane the same fields, which cover it."""
    n = planes.planes.n_planes
    fields = tuple(Field(plane, region) for plane in range(n) for region in regions)
    return Sample(fields, len(fields))


def n_looks(n_planes: int, size: tuple[int, int]) -> int:
    """Return how many squares `stratified_sample` looks at, given the padded planes' size.

    0 where there are so few that all of the image is measured instead.
    """
    rows, columns = (-(-length // SAMPLE_CORE_PX) for length in size)
    n = n_planes * rows * columns
    return 0 if n <= MAX_SAMPLED else min(n, MAX_CANDIDATES)


def stratified_sample(planes: PaddedPlanes, seed: int) -> Generator[int, None, Sample]:
    """Return squares of the image that are like the trainer's crops, dark and bright alike.

    The planes are cut into squares of `SAMPLE_CORE_PX`. Flat ones are left out, as the trainer
    leaves out flat crops (unless all are flat), the others are ordered by their mean intensity
    and cut into `MAX_SAMPLED` strata, and one is drawn from each.

    Parameters
    ----------
    planes
        The image.
    seed
        Of the draw; the sample depends on it and on the image alone.

    Yields
    ------
    Squares looked at so far, of `n_looks`.
    """
    candidates = [
        Field(plane, core)
        for plane in range(planes.planes.n_planes)
        for core in grid(whole(planes.size), SAMPLE_CORE_PX)
    ]
    random = np.random.default_rng(seed)
    if len(candidates) > MAX_CANDIDATES:
        chosen = np.sort(random.choice(len(candidates), MAX_CANDIDATES, replace=False))
        candidates = [candidates[index] for index in chosen]
    looks: list[tuple[float, float]] = []
    for field in candidates:
        looks.append(_look(planes, field))
        yield len(looks)
    means, deviations = np.array(looks).T
    (eligible,) = np.nonzero(deviations >= MIN_DEVIATION)
    if not len(eligible):
        eligible = np.arange(len(candidates))
    ordered = eligible[np.argsort(means[eligible], kind="stable")]
    strata = np.array_split(ordered, min(MAX_SAMPLED, len(ordered)))
    drawn = sorted(int(random.choice(stratum)) for stratum in strata)
    return Sample(tuple(candidates[index] for index in drawn), len(eligible))


def _look(planes: PaddedPlanes, field: Field) -> tuple[float, float]:
    """Return mean and largest standard deviation of a square, from every fourth pixel."""
    region = field.core.common(whole((planes.planes.height, planes.planes.width)))
    if region is None:
        return 0.0, 0.0
    pixels = planes.planes.read(field.plane, region)[:, ::_LOOK_EVERY_PX, ::_LOOK_EVERY_PX]
    unit = planes.window.to_unit(pixels)
    return float(unit.mean()), float(unit.std(axis=(1, 2)).max())
