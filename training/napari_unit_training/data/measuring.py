"""One look at every pixel: intensity windows, and hashes to know the images again by."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_unit.domains import Domain, IntensityScaling
from napari_unit.engine.intensities import Intensities, measure_intensities
from napari_unit.geometry.regions import Region
from napari_unit.images.source_image import SourceImage
from napari_unit.images.storage import ArraySource
from napari_unit_training.data.checks import ImageProblems
from napari_unit_training.data.image_files import ImageFiles
from napari_unit_training.data.scaling import Scaling


@dataclass(frozen=True, slots=True)
class Measured:
    """What one look at all pixels of an image has found.

    Parameters
    ----------
    intensities
        Its window.
    digest
        Hexadecimal hash of its shape and pixels.
    """

    intensities: Intensities
    digest: str


def measure_images(
    usable: dict[Path, SourceImage],
    files: ImageFiles,
    scaling: Scaling,
    problems: ImageProblems,
    tell: Callable[[], None],
) -> dict[Path, Measured]:
    """Look at every pixel: intensity windows, and hashes to know the images again by.

    `tell` is called before each image.
    """
    measured: dict[Path, Measured] = {}
    for path, image in usable.items():
        tell()
        kind, low, high = scaling
        n = image.n_channels
        typical = ((0.0,) * n, (1.0,) * n) if kind == "percentiles" else ()
        names = tuple(f"{index}" for index in range(n))
        domain = Domain("image", names, IntensityScaling(kind, low, high, *typical))
        try:
            planes = _Hashed(files.planes(path))
            job = measure_intensities(planes, domain)
            while True:
                try:
                    next(job)
                except StopIteration as end:
                    measured[path] = Measured(end.value, planes.digest.hexdigest())
                    break
        except OSError as error:
            problems.add(path, "cannot be read to their end; copy them again", f" ({error})")
        except ValueError as error:
            problems.add(path, _what_is_wrong(error))
    return measured


def _what_is_wrong(error: ValueError) -> str:
    if "NaN" in str(error):
        return "hold NaN or infinite pixels; replace them"
    return "have the same value everywhere; take them out"


class _Hashed:
    """Planes that hash what is read of them, each region once; a `PlaneSource`."""

    def __init__(self, planes: ArraySource) -> None:
        self._planes = planes
        self._seen: set[tuple[int, Region]] = set()
        self.digest = hashlib.blake2b(digest_size=16)
        self.digest.update(f"{planes.n_planes} {planes.n_channels} {planes.dtype}".encode())
        self.digest.update(f"{planes.height} {planes.width}".encode())
        self.n_planes, self.n_channels = planes.n_planes, planes.n_channels
        self.height, self.width, self.dtype = planes.height, planes.width, planes.dtype

    def read(self, plane: int, region: Region) -> NDArray[Any]:
        pixels = self._planes.read(plane, region)
        if (plane, region) not in self._seen:
            self._seen.add((plane, region))
            self.digest.update(np.ascontiguousarray(pixels).data)
        return pixels


def fingerprint_of(measured: dict[Path, Measured]) -> str:
    """Return a hash of the names and pixels of all images."""
    digest = hashlib.blake2b(digest_size=16)
    for path, found in measured.items():
        digest.update(f"{path.name}:{found.digest};".encode())
    return digest.hexdigest()
