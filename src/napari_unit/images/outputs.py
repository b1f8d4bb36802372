"""Where a translation goes, and its shape; into memory, for one. Files: `file_outputs`."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from napari_unit.domains import Domain
from napari_unit.engine.planes import PlaneSink
from napari_unit.engine.system_memory import available_system_bytes
from napari_unit.images.axes import Axes, axes_of_result, shape_of_result
from napari_unit.images.levels import shrink
from napari_unit.images.source_image import SourceImage
from napari_unit.images.storage import ArraySink
from napari_unit.images.work_folder import WorkFolder

if TYPE_CHECKING:
    from numpy.typing import NDArray

FinishingPhase = Literal["levels", "writing"]


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
    """A place for a translation; a context manager that leaves nothing that looks whole and is not.

    Attributes
    ----------
    work
        Where what is finished outlives the process; None where nothing does.
    """

    @property
    def work(self) -> WorkFolder | None:
        """Where what is finished outlives the process."""

    def __enter__(self) -> PlaneSink:
        """Return where the tiles go."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None:
        """Let go of what is no longer needed."""

    def finish(self, provenance: Mapping[str, Any]) -> Iterator[tuple[FinishingPhase, int, int]]:
        """Make what is made of all tiles; yields steps done and in all.

        Parameters
        ----------
        provenance
            How it was made, in plain values, for what can hold that.
        """

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

    work = None

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
        # black where nothing is yet: a viewer may look at it meanwhile
        self._levels = [np.zeros(shape, self._result.dtype) for shape in self._result.shapes]
        return ArraySink(self._levels[0], self._result.axes)

    def __exit__(self, *error: object) -> None:
        pass

    def finish(self, _: Mapping[str, Any]) -> Iterator[tuple[FinishingPhase, int, int]]:
        """Fill the smaller levels."""
        for larger, smaller in zip(self._levels, self._levels[1:], strict=False):
            for done, total in shrink(larger, smaller, self._result.axes.y):
                yield "levels", done, total

    def levels(self) -> tuple[Any, ...]:
        """Return numpy arrays."""
        return tuple(self._levels)
