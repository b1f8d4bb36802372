"""Make a translation of which only what is looked at is computed."""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_unit.images.axes import shape_of_result
from napari_unit.images.color import contrast_limits
from napari_unit.images.layers import TranslationResult
from napari_unit.images.overviews import Enlarged, PooledPlanes, Remembering, factors_of
from napari_unit.images.source_image import SourceImage
from napari_unit.images.storage import ArraySource
from napari_unit.lazy import LazyLevel, LazyTranslation, Making, TileCache
from napari_unit.models.architecture import MIN_SIZE_PX
from napari_unit.prepared import Prepared, prepare
from napari_unit.provenance import origin_of, provenance_of
from napari_unit.request import TranslationRequest

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from napari_unit.engine.planes import PlaneSource
    from napari_unit.engine.run import Calibration, Progress
    from napari_unit.engine.translators import Translator

_OVERVIEW_PX = 2048
"""Larger side of the smallest level, at most."""
_TILE_PX = 512
"""Side of the tiles, at most: larger ones take less per pixel, but one waits longer for a view."""
_LARGEST_POOLED = 8
"""Factor up to which means are read when they are looked at: 64 pixels for one."""


@dataclass(frozen=True, slots=True, eq=False)
class LazyJob:
    """A translation of which nothing is computed yet.

    Parameters
    ----------
    result
        Its levels are dask arrays that compute what is asked of them.
    translation
        What computes their tiles, for those who want single ones.
    measured
        Returns the calibration, once it is there.
    """

    result: TranslationResult
    translation: LazyTranslation
    measured: "Callable[[], Calibration | None]"


def translate_lazily(image: SourceImage, request: TranslationRequest) -> LazyJob:
    """Return a translation at once.

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
    if request.part is not None:
        raise ValueError(
            "A lazy translation computes what is looked at of the whole image; leave out part or "
            "lazy."
        )
    if request.statistics == "tile":
        raise ValueError(
            "Statistics 'tile' have no one result that could be looked at in parts; choose "
            "others for a lazy translation."
        )
    prepared = prepare(image, request, {})
    job = _Levels(prepared)
    translation = LazyTranslation(job.levels, job.translators, job.pixels, TileCache())

    def opening() -> Iterator[None]:
        yield from translation.measuring()
        yield from job.reading()
        yield from translation.making_smallest()

    result = TranslationResult(
        levels=translation.arrays(f"napari-unit-{uuid.uuid4().hex}"),
        axes=prepared.result.axes,
        source=prepared.shown,
        target=prepared.target,
        contrast_limits=contrast_limits(prepared.target, prepared.result.dtype),
        provenance=job.provenance,
        opening=opening,
    )
    return LazyJob(result, translation, lambda: job.calibration)


class _Levels:
    """The levels of a lazy translation, and what translates them once it is calibrated."""

    def __init__(self, prepared: Prepared) -> None:
        self._prepared = prepared
        self.calibration = prepared.known.calibration
        planes = prepared.planes
        factors = factors_of((planes.height, planes.width), _OVERVIEW_PX)
        # every pixel is read for the intensities: a picture of all comes for nothing
        self._remembering: Remembering | None = None
        if not prepared.image.smaller and factors and factors[-1] > _LARGEST_POOLED:
            self._remembering = Remembering(planes, factors[-1])
        smaller = [
            (source, making)
            for source, making in self._smaller(factors)
            if min(source.height, source.width) >= MIN_SIZE_PX
        ]
        self._sources: list[PlaneSource] = [planes, *(source for source, _ in smaller)]
        self.levels = [
            self._level(planes.height, planes.width, "translated"),
            *(self._level(source.height, source.width, making) for source, making in smaller),
        ]
        self.provenance: dict[str, Any] = {
            **origin_of(prepared.image, prepared.loaded, prepared.plan),
            "statistics": prepared.plan.settings.statistics,
            "lazy": True,
            "levels": [{"shape": list(level.shape), "made": level.making} for level in self.levels],
        }

    def translators(self) -> "Generator[Progress, None, Sequence[Translator]]":
        """Measure the calibration, if it is not known, and return a translator per level."""
        from napari_unit.engine.run import measure
        from napari_unit.engine.translators import frozen_translator

        plan, model, known = self._prepared.plan, self._prepared.model, self._prepared.known
        calibration = self.calibration
        if calibration is None:
            planes = self._prepared.planes if self._remembering is None else self._remembering
            calibration = yield from measure(plan, model, planes, known)
            self.calibration = calibration
        self.provenance |= provenance_of(
            self._prepared.image, self._prepared.loaded, plan, calibration, None
        )
        return [frozen_translator(plan, model, source, calibration) for source in self._sources]

    def reading(self) -> "Iterator[None]":
        """Read step by step what the smallest level needs of the image."""
        if self._remembering is not None:
            yield from self._remembering.reading()

    def pixels(self, values: NDArray[np.float32]) -> NDArray[Any]:
        """Turn values in [-1, 1] into the result's pixels."""
        window = self._prepared.target.typical_window
        return window.from_unit(values, self._prepared.result.dtype)

    def _smaller(self, factors: "Sequence[int]") -> "Iterator[tuple[PlaneSource, Making]]":
        """Yield what the smaller levels are translated from."""
        image, planes = self._prepared.image, self._prepared.planes
        for array in image.smaller:
            source = ArraySource(array, image.axes, image.channels_read)
            yield source, "translated from the source's level"
        for factor in () if image.smaller else factors:
            if factor <= _LARGEST_POOLED:
                yield PooledPlanes(planes, factor), "translated from means"
            else:
                assert self._remembering is not None
                repeat = self._remembering.factor // factor
                yield Enlarged(self._remembering, repeat), "translated from a picture of all"

    def _level(self, height: int, width: int, making: Making) -> LazyLevel:
        prepared = self._prepared
        source = dict(zip(prepared.image.axes.letters, prepared.image.shape, strict=True))
        source |= {"Y": height, "X": width}
        axes = prepared.result.axes
        shape = shape_of_result(
            prepared.image.axes, tuple(source.values()), axes, prepared.target.n_channels
        )
        tile_px = prepared.plan.tile_px
        if prepared.plan.settings.tile_px == "auto":
            tile_px = min(tile_px, _TILE_PX)
        return LazyLevel(axes, shape, prepared.result.dtype, tile_px, making)
