"""Where a translation goes: into memory, or to an OME-TIFF that is then read from."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from napari_unit.domains import Domain
from napari_unit.engine.planes import PlaneSink
from napari_unit.engine.system_memory import available_system_bytes
from napari_unit.images.axes import Axes, axes_of_result, shape_of_result
from napari_unit.images.levels import shrink
from napari_unit.images.ome_tiff import OmeTiffPlan, OmeTiffSink, stored_axes
from napari_unit.images.source_image import SourceImage
from napari_unit.images.storage import ArraySink
from napari_unit.images.tiff_files import TiffPixels

if TYPE_CHECKING:
    from numpy.typing import NDArray

FinishingPhase = Literal["levels", "writing"]
_CHUNK_PX = 2048


@dataclass(frozen=True, slots=True)
class ResultShape:
    """Axes and shapes of a translation.

    Parameters
    ----------
    axes
        Of all levels.
    shapes
        Of the levels, full resolution first.
    dtype
        Of the pixels.
    """

    axes: Axes
    shapes: tuple[tuple[int, ...], ...]
    dtype: np.dtype[Any]

    @property
    def n_bytes(self) -> int:
        """Size of all levels."""
        return sum(math.prod(shape) for shape in self.shapes) * self.dtype.itemsize


class Output(Protocol):
    """A place for a translation; a context manager that leaves nothing half done."""

    def __enter__(self) -> PlaneSink:
        """Return where the tiles go."""

    def __exit__(self, *error: object) -> None:
        """Let go of what is no longer needed."""

    def finish(self) -> Iterator[tuple[FinishingPhase, int, int]]:
        """Make what is made of all tiles; yields steps done and in all."""

    def levels(self) -> tuple[Any, ...]:
        """Return the finished arrays."""


def shape_result(image: SourceImage, target: Domain, dtype: np.dtype[Any]) -> ResultShape:
    """Return the shape of an image's translation."""
    axes = axes_of_result(image.axes, image.shape, target)
    shapes = image.level_shapes if image.is_multiscale else (image.shape,)
    return ResultShape(
        axes,
        tuple(shape_of_result(image.axes, shape, axes, target.n_channels) for shape in shapes),
        dtype,
    )


class MemoryOutput:
    """Keeps a translation as numpy arrays.

    Parameters
    ----------
    result
        Its shape.
    also_taken
        Bytes that computing it takes beside it.

    Raises
    ------
    MemoryError
        If there is too little; the system would grant it now and kill the process later.
    """

    def __init__(self, result: ResultShape, also_taken: int) -> None:
        needed = result.n_bytes + also_taken
        available = available_system_bytes()
        if available is not None and needed > available:
            raise MemoryError(
                f"The translation takes about {needed / 1e9:.1f} GB of memory, and "
                f"{available / 1e9:.1f} GB are available; write it to a file (out), translate a "
                "part of the image, or take a smaller dtype."
            )
        self._result = result
        self._levels: list[NDArray[Any]] = []

    def __enter__(self) -> PlaneSink:
        self._levels = [np.empty(shape, self._result.dtype) for shape in self._result.shapes]
        return ArraySink(self._levels[0], self._result.axes)

    def __exit__(self, *error: object) -> None:
        pass

    def finish(self) -> Iterator[tuple[FinishingPhase, int, int]]:
        """Fill the smaller levels."""
        for larger, smaller in zip(self._levels, self._levels[1:], strict=False):
            for done, total in shrink(larger, smaller, self._result.axes.y):
                yield "levels", done, total

    def levels(self) -> tuple[Any, ...]:
        """Return numpy arrays."""
        return tuple(self._levels)


class FileOutput:
    """Writes a translation to an OME-TIFF.

    Parameters
    ----------
    result
        Its shape; levels in the file are smaller in Y and X only.
    image
        What was translated: names the pixel size.
    target
        Names the channels.
    path
        Of the file.

    Raises
    ------
    OSError
        If nothing can be written there.
    ValueError
        If OME-TIFF has no such axes or pixels.
    """

    def __init__(self, result: ResultShape, image: SourceImage, target: Domain, path: Path) -> None:
        self._result = result
        stored = stored_axes(result.axes)
        length = dict(zip(result.axes.letters, result.shapes[0], strict=True))
        shapes = tuple(
            tuple(
                shape[result.axes.letters.index(letter)] if letter in "YX" else length[letter]
                for letter in stored.letters
            )
            for shape in result.shapes
        )
        self._plan = OmeTiffPlan(
            path, stored, shapes, result.dtype, target.channels, image.pixel_size, image.name
        )
        self._sink = OmeTiffSink(self._plan)

    def __enter__(self) -> PlaneSink:
        return self._sink.__enter__()

    def __exit__(self, *error: object) -> None:
        self._sink.__exit__(*error)

    def finish(self) -> Iterator[tuple[FinishingPhase, int, int]]:
        """Write smaller levels and the file."""
        yield from self._sink.finish()

    def levels(self) -> tuple[Any, ...]:
        """Return dask arrays that read the file."""
        return tuple(
            _lazily(self._plan, level, self._result.axes) for level in range(len(self._plan.shapes))
        )


def _lazily(plan: OmeTiffPlan, level: int, axes: Axes) -> Any:
    from dask.array import from_array

    pixels = TiffPixels(plan.path, level)
    chunks = tuple(
        1 if letter not in "YXS" else min(_CHUNK_PX, length)
        for letter, length in zip(pixels.axes, pixels.shape, strict=True)
    )
    # the name stands for the content in dask's caches
    name = f"napari-unit-{plan.path.absolute()}-{plan.path.stat().st_mtime_ns}-{level}"
    lazy: Any = from_array(pixels, chunks=chunks, name=name, asarray=True)  # type: ignore[no-untyped-call]
    # a TIFF does not keep axes of length 1
    whole = lazy.reshape(plan.shapes[level])
    return whole.transpose([plan.axes.letters.index(letter) for letter in axes.letters])
