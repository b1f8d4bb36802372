"""Which pieces of a stored array an index touches, and those decoded last."""

import itertools
import math
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_unit.images.decoding import (
    DECODING_ERRORS,
    PixelsError,
    UnreadableError,
    first_line,
)

HELD_BYTES = 2**27
"""Decoded pieces that are held, of all images of the process together.

A piece that is larger is held alone, until another one is decoded.
"""


@dataclass(frozen=True, slots=True)
class Box:
    """What an index takes out of an array.

    Parameters
    ----------
    spans
        The elements of each axis that are read, without gaps: a slice with start and stop.
    rest
        The index that is left for the block that was read.
    """

    spans: tuple[slice, ...]
    rest: tuple[int | slice, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the block."""
        return tuple(span.stop - span.start for span in self.spans)


def box_of(index: Any, shape: Sequence[int]) -> Box:
    """Read an index of whole numbers, slices and an ellipsis as numpy does.

    Raises
    ------
    IndexError
        If it is of another kind, or lies outside the array.
    """
    given = index if isinstance(index, tuple) else (index,)
    if any(part is Ellipsis for part in given):
        at = next(i for i, part in enumerate(given) if part is Ellipsis)
        fill = (slice(None),) * (len(shape) - len(given) + 1)
        given = (*given[:at], *fill, *given[at + 1 :])
    if len(given) > len(shape):
        raise IndexError(f"There are {len(given)} indices for an array of {len(shape)} axes.")
    given = (*given, *(slice(None),) * (len(shape) - len(given)))
    parts = [_part_of(part, length) for part, length in zip(given, shape, strict=True)]
    return Box(tuple(span for span, _ in parts), tuple(rest for _, rest in parts))


def _part_of(part: Any, length: int) -> tuple[slice, int | slice]:
    if isinstance(part, slice):
        taken = range(*part.indices(length))
        if not taken:
            return slice(0, 0), slice(None)
        first, last = min(taken[0], taken[-1]), max(taken[0], taken[-1])
        return slice(first, last + 1), slice(None, None, taken.step)
    if not isinstance(part, int | np.integer) or isinstance(part, bool):
        raise IndexError(f"An index must be whole numbers and slices, not {part!r}.")
    if not -length <= part < length:
        raise IndexError(f"The index {part} is outside an axis of {length}.")
    at = int(part) % length
    return slice(at, at + 1), 0


@dataclass(frozen=True, slots=True)
class Piece:
    """The part of a box that lies in one piece of the array.

    Parameters
    ----------
    number
        Of the piece along each axis, from 0.
    inside
        Its elements, counted from the piece's first one.
    outside
        Where they are in the block.
    """

    number: tuple[int, ...]
    inside: tuple[slice, ...]
    outside: tuple[slice, ...]


def pieces_of(spans: Sequence[slice], sizes: Sequence[int]) -> Iterator[Piece]:
    """Cut a block along the pieces that an array is stored in.

    Parameters
    ----------
    spans
        Of the block.
    sizes
        Of a piece along each axis.
    """
    along = [list(_along(span, size)) for span, size in zip(spans, sizes, strict=True)]
    for parts in itertools.product(*along):
        yield Piece(
            tuple(number for number, _, _ in parts),
            tuple(inside for _, inside, _ in parts),
            tuple(outside for _, _, outside in parts),
        )


def _along(span: slice, size: int) -> Iterator[tuple[int, slice, slice]]:
    if span.stop <= span.start:
        return
    for number in range(span.start // size, (span.stop - 1) // size + 1):
        first, last = max(span.start, number * size), min(span.stop, (number + 1) * size)
        inside = slice(first - number * size, last - number * size)
        yield number, inside, slice(first - span.start, last - span.start)


class HeldPieces:
    """The pieces that were decoded last, as neighbouring regions need them again.

    May be used from several threads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: OrderedDict[tuple[Hashable, ...], NDArray[Any]] = OrderedDict()
        self._n_bytes = 0

    def get(self, key: tuple[Hashable, ...]) -> NDArray[Any] | None:
        """Return a piece, if it is held."""
        with self._lock:
            found = self._held.get(key)
            if found is not None:
                self._held.move_to_end(key)
            return found

    def put(self, key: tuple[Hashable, ...], piece: NDArray[Any]) -> None:
        """Hold a piece, and let those go that were not asked for the longest."""
        with self._lock:
            old = self._held.pop(key, None)
            self._n_bytes += piece.nbytes - (0 if old is None else old.nbytes)
            self._held[key] = piece
            while self._n_bytes > HELD_BYTES and len(self._held) > 1:
                self._n_bytes -= self._held.popitem(last=False)[1].nbytes

    def drop(self, owner: Hashable) -> None:
        """Let all pieces go whose key begins with `owner`."""
        with self._lock:
            for key in [key for key in self._held if key[0] == owner]:
                self._n_bytes -= self._held.pop(key).nbytes


HELD = HeldPieces()
_owners = itertools.count()


def new_owner() -> int:
    """Return a number that no other array of this process holds its pieces under."""
    return next(_owners)


def bytes_held(piece_bytes: int, array_bytes: int) -> int:
    """Return how much memory an array's held pieces take at most."""
    return min(max(HELD_BYTES, piece_bytes), array_bytes)


def bytes_of(shape: Sequence[int], dtype: np.dtype[Any]) -> int:
    """Return how many bytes an array of this shape takes."""
    return math.prod(shape) * dtype.itemsize


def reopened(
    kind: Callable[[Path, Any], Any],
    path: Path,
    part: Any,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
) -> Any:
    """Open an array in another process.

    Parameters
    ----------
    kind
        Opens it, given `path` and `part`.
    path, part
        Of the file, and what of it is opened.
    shape, dtype
        That it had.

    Raises
    ------
    PixelsError
        If it cannot be opened or is another one.
    """
    try:
        array = kind(path, part)
    except (*DECODING_ERRORS, UnreadableError) as error:
        raise PixelsError(f"{path} cannot be opened any more: {first_line(error)}.") from error
    if (array.shape, array.dtype) != (shape, dtype):
        raise PixelsError(f"{path} was replaced by another image since it was opened.")
    return array
