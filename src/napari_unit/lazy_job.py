"""Make a translation of which only what is looked at is computed."""

import uuid
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_unit.images.axes import shape_of_result
from napari_unit.images.color import contrast_limits
from napari_unit.images.layers import TranslationResult
from napari_unit.images.overviews import PooledPlanes, Remembering, factors_of
from napari_unit.images.source_image import SourceImage
from napari_unit.images.storage import ArraySource
from napari_unit.lazy import LazyLevel, LazyTranslation, Making, TileCache
from napari_unit.models.architecture import MIN_SIZE_PX
from napari_unit.prepared import Prepared, prepare
from napari_unit.provenance import origin_of, provenance_of
from napari_unit.request import TranslationRequest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_unit.domains import Domain
    from napari_unit.engine.planes import PlaneSource
    from napari_unit.engine.run import Calibration
    from napari_unit.engine.translators import Translator

_OVERVIEW_PX = 2048
"""Larger side of the smallest level, at most."""
_LARGEST_POOLED = 8
"""Factor up to which means are read when they are looked at: 64 pixels for one."""


def translate_lazily(image: SourceImage, request: TranslationRequest) -> TranslationResult:
    """Return a translation at once; its levels are dask arrays that compute what is asked of them.

    Parameters
    ----------
    image
        What to translate.
    request
        How; neither with `out` nor with `cluster`.

    Raises
    ------
    ValueError, TypeError, OSError, MemoryError
        As `napari_unit.translate`.
    """
    for name in ("out", "cluster"):
        if getattr(request, name) is not None:
            raise ValueError(
                f"A lazy translation is not written or computed elsewhere; leave out {name} or "
                "lazy."
            )
    if request.statistics == "tile":
        raise ValueError(
            "Statistics 'tile' have no one result that could be looked at in parts; choose "
            "others for a lazy translation."
        )
    prepared = prepare(image, request, {})
    job = _LazyJob(prepared)
    translation = LazyTranslation(job.levels, job.translators, job.pixels, TileCache())
    return TranslationResult(
        levels=translation.arrays(f"napari-unit-{uuid.uuid4().hex}"),
        axes=prepared.result.axes,
        source=image,
        target=prepared.target,
        contrast_limits=contrast_limits(prepared.target, prepared.result.dtype),
        provenance=job.provenance,
    )


class _LazyJob:
    """The levels of a lazy translation, and what translates them once it is calibrated."""

    def __init__(self, prepared: Prepared) -> None:
        self._prepared = prepared
        planes = prepared.planes
        self._remembering: Remembering | None = None
        self._makings: list[tuple[Making, int]] = [("translated", 1)]
        self.levels = [self._level(planes.height, planes.width, "translated")]
        if prepared.image.smaller:
            for array in prepared.image.smaller:
                level = ArraySource(array, prepared.image.axes, prepared.image.n_channels)
                if min(level.height, level.width) < MIN_SIZE_PX:
                    break
                self._add(level.height, level.width, "translated from the source's level", 0)
        else:
            for factor in factors_of((planes.height, planes.width), _OVERVIEW_PX):
                height, width = -(-planes.height // factor), -(-planes.width // factor)
                if min(height, width) < MIN_SIZE_PX:
                    break
                of_means = factor <= _LARGEST_POOLED
                making: Making = (
                    "translated from means" if of_means else "translated from a picture of all"
                )
                self._add(height, width, making, factor)
        self.provenance: dict[str, Any] = {
            **origin_of(prepared.image, prepared.loaded, prepared.plan),
            "statistics": prepared.plan.settings.statistics,
            "lazy": True,
            "levels": [{"shape": list(level.shape), "made": level.making} for level in self.levels],
        }

    def translators(self) -> "Sequence[Translator]":
        """Measure the calibration, if it is not known, and return a translator per level."""
        from napari_unit.engine.translators import frozen_translator

        prepared = self._prepared
        calibration = self._calibration()
        return [
            frozen_translator(prepared.plan, prepared.model, source, calibration)
            for source in (prepared.planes, *self._smaller())
        ]

    def pixels(self, values: NDArray[np.float32]) -> NDArray[Any]:
        """Turn values in [-1, 1] into the result's pixels."""
        target: Domain = self._prepared.target
        return target.typical_window.from_unit(values, self._prepared.result.dtype)

    def _level(self, height: int, width: int, making: Making) -> LazyLevel:
        prepared = self._prepared
        source = dict(zip(prepared.image.axes.letters, prepared.image.shape, strict=True))
        source |= {"Y": height, "X": width}
        axes = prepared.result.axes
        shape = shape_of_result(
            prepared.image.axes, tuple(source.values()), axes, prepared.target.n_channels
        )
        return LazyLevel(axes, shape, prepared.result.dtype, prepared.plan.tile_px, making)

    def _add(self, height: int, width: int, making: Making, factor: int) -> None:
        self.levels.append(self._level(height, width, making))
        self._makings.append((making, factor))

    def _calibration(self) -> "Calibration":
        from napari_unit.engine.run import measure

        prepared = self._prepared
        known = prepared.known.calibration
        if known is not None:
            return known
        planes: PlaneSource = prepared.planes
        largest = max(factor for _, factor in self._makings)
        if largest > _LARGEST_POOLED:
            # every pixel is read for the intensities: a picture of all comes for nothing
            planes = self._remembering = Remembering(planes, largest)
        calibration = measure(prepared.plan, prepared.model, planes, prepared.known)
        self.provenance |= provenance_of(
            prepared.image, prepared.loaded, prepared.plan, calibration, 0
        )
        return calibration

    def _smaller(self) -> "Sequence[PlaneSource]":
        prepared = self._prepared
        if prepared.image.smaller:
            return [
                ArraySource(array, prepared.image.axes, prepared.image.n_channels)
                for array in prepared.image.smaller[: len(self.levels) - 1]
            ]
        found: list[PlaneSource] = []
        largest = max(factor for _, factor in self._makings)
        for making, factor in self._makings[1:]:
            if making == "translated from means":
                found.append(PooledPlanes(prepared.planes, factor))
                continue
            if self._remembering is None:
                self._remembering = Remembering(prepared.planes, largest)
            found.append(self._remembering.picture(largest // factor))
        return found
