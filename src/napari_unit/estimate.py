"""How long a translation will take and how much memory, told before it begins. Needs no torch."""

import json
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_unit.atomic import written_whole
from napari_unit.engine.sampling import MAX_SAMPLED, SAMPLE_CORE_PX
from napari_unit.images.outputs import ResultShape
from napari_unit.images.source_image import SourceImage
from napari_unit.models.architecture import Architecture
from napari_unit.pace import duration_in_words, size_in_words
from napari_unit.request import TranslationRequest

_AROUND_PX = 88
"""What the networks see around a square of the sample, about."""
_HALO = 1.15
"""Multiplications with the halos of tiles, over those without."""
_FROM_MAPS = 0.35
"""Multiplications of the layers that tiles go through when maps are kept, of all."""
_READ_PX_PER_S = 1e8
"""Pixels that are counted for their intensities."""
_OF_MATRIX_RATE = 0.7
"""Of what matrix products reach, where nothing has been measured yet."""
_START_S = 2.0
"""Importing torch and loading a model."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a translation will take.

    Parameters
    ----------
    seconds
        None where the speed of the device is not known yet.
    memory_bytes
        Of the networks' maps at most, as the setting bounds them.
    result_bytes
        Of the result, in memory or before compression on the disk.
    on_disk
        Whether it goes to a file.
    """

    seconds: float | None
    memory_bytes: int
    result_bytes: int
    on_disk: bool

    def in_words(self) -> str:
        """Say it in a sentence."""
        where = "on the disk" if self.on_disk else "of memory for the result"
        took = (
            "The time is not known before the first run on this device"
            if self.seconds is None
            else f"About {duration_in_words(self.seconds)}"
        )
        return (
            f"{took}; up to {size_in_words(self.memory_bytes)} of memory for the networks, "
            f"{size_in_words(self.result_bytes)} {where}."
        )


def work_per_px(architecture: Architecture, n_in: int, n_out: int) -> float:
    """Return the multiplications per pixel of an image, through encoder and decoder.

    Parameters
    ----------
    architecture
        Of the networks.
    n_in, n_out
        Channels of the image and of its translation.
    """
    width, latent = architecture.width, architecture.latent_channels
    encoder = 49 * n_in * width + 16 * width * 2 * width / 4 + 16 * 2 * width * latent / 16
    residual = 2 * architecture.n_residual * 2 * 9 * latent**2 / 16
    # 5x5 after nearest upsampling is 3x3 for each of four phases
    decoder = 9 * latent * 2 * width / 4 + 9 * 2 * width * width + 49 * width * n_out
    return encoder + residual + decoder


def work_of(
    image: SourceImage, result: ResultShape, statistics: str, per_px: float, *, calibrated: bool
) -> float:
    """Return the multiplications of a translation, its statistics included, about.

    Parameters
    ----------
    image
        All of it, which is measured.
    result
        What is made of it.
    statistics
        As of a request.
    per_px
        From `work_per_px`.
    calibrated
        Whether nothing needs to be measured.
    """
    measured_px = math.prod(image.shape) / image.axes.channels_in(image.shape)
    n_channels = result.axes.channels_in(result.shapes[0])
    translated_px = math.prod(result.shapes[0]) / n_channels
    if calibrated or statistics in ("model", "tile"):
        return per_px * translated_px * _HALO
    is_sampled = statistics == "image" and measured_px > MAX_SAMPLED * SAMPLE_CORE_PX**2
    if is_sampled:
        sampled = MAX_SAMPLED * (SAMPLE_CORE_PX + 2 * _AROUND_PX) ** 2
        return per_px * (sampled + translated_px * _HALO)
    return per_px * (measured_px + translated_px * _FROM_MAPS)


def estimate(
    image: SourceImage,
    result: ResultShape,
    request: TranslationRequest,
    per_px: float,
    rate: float | None,
) -> Estimate:
    """Return what a translation will take, about.

    Parameters
    ----------
    image, result
        What is measured, and what is made of it.
    request
        How.
    per_px
        From `work_per_px`.
    rate
        Multiplications per second; None where that is not known.
    """
    seconds = None
    if rate:
        known = request.calibration is not None
        work = work_of(image, result, request.statistics, per_px, calibrated=known)
        reading = 0.0 if known else math.prod(image.shape) / _READ_PX_PER_S
        seconds = _START_S + reading + work / rate
    return Estimate(seconds, request.memory_bytes, result.n_bytes, request.out is not None)


def rates_path() -> Path:
    """Return the file in which it is kept how fast the devices of this computer have been."""
    from platformdirs import user_cache_path

    return user_cache_path("napari-unit") / "rates.json"


class Rates:
    """How fast the devices of this computer have been, kept from run to run."""

    def __init__(self) -> None:
        self._path = rates_path()
        self._measured_here: float | None = None

    def of(self, device: str, width: int) -> float | None:
        """Return the multiplications per second of a device with networks of a width.

        On the CPU, where none has been noted, it is guessed from a product of matrices, which
        takes some hundredths of a second.
        """
        noted = self._read().get(_key(device, width))
        if noted is None and device == "cpu":
            if self._measured_here is None:
                self._measured_here = _OF_MATRIX_RATE * matrix_rate()
            return self._measured_here
        return noted

    def note(self, device: str, width: int, rate: float) -> None:
        """Keep how fast a run was; a cache that cannot be written to is left alone."""
        noted = {**self._read(), _key(device, width): rate}
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with written_whole(self._path) as partial:
                partial.write_text(json.dumps(noted), "utf-8")
        except OSError:
            return

    def _read(self) -> Mapping[str, float]:
        try:
            found = json.loads(self._path.read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        if not isinstance(found, dict):
            return {}
        return {
            str(key): float(value)
            for key, value in found.items()
            if isinstance(value, int | float) and 0 < value < math.inf
        }


def matrix_rate() -> float:
    """Return the float32 multiplications per second that products of matrices reach here."""
    side = 768
    a = np.random.default_rng(0).normal(size=(side, side)).astype(np.float32)
    best = math.inf
    for _ in range(4):
        began = time.perf_counter()
        a @ a
        best = min(best, time.perf_counter() - began)
    return side**3 / best


def _key(device: str, width: int) -> str:
    return f"{device.partition(':')[0]} {width}"
