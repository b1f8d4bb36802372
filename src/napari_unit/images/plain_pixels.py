"""Arrays that lie in a file as they are, uncompressed: read where they are sliced.

Not mapped into memory: a mapped file that someone cuts short ends the process that reads it.
"""

import itertools
import math
import os
import sys
import threading
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_unit.images.decoding import PixelsError, first_line
from napari_unit.images.pieces import box_of

_READ_BYTES = 4096
"""Up to this size, what lies between wanted pixels is read along with them."""


def read_block(
    read_at: Callable[[int, int], bytes],
    offset: int,
    shape: Sequence[int],
    dtype: np.dtype[Any],
    spans: Sequence[slice],
) -> NDArray[Any]:
    """Read a block of an array in C order, run of pixels by run of pixels.

    Parameters
    ----------
    read_at
        Returns that many bytes from a place in the file; fewer where it ends.
    offset
        Of the array in the file.
    shape, dtype
        Of the array.
    spans
        The elements of each axis to read.

    Raises
    ------
    EOFError
        If the file ends before the block does.
    """
    lengths = [span.stop - span.start for span in spans]
    if 0 in lengths:
        return np.empty(lengths, dtype)
    strides = [math.prod(shape[axis + 1 :]) * dtype.itemsize for axis in range(len(shape))]
    fetched = list(spans)
    axis = len(shape) - 1
    while axis >= 0 and (
        (is_whole := lengths[axis] == shape[axis]) or shape[axis] * strides[axis] <= _READ_BYTES
    ):
        if not is_whole:
            fetched[axis] = slice(0, shape[axis])
        axis -= 1
    # up to `axis` runs are counted, from it on each is in one piece
    axis = max(axis, 0)
    outer, inner = fetched[:axis], fetched[axis:]
    run_shape = [span.stop - span.start for span in inner]
    run_bytes = math.prod(run_shape) * dtype.itemsize
    crop = tuple(
        slice(span.start - got.start, span.stop - got.start)
        for span, got in zip(spans[axis:], inner, strict=True)
    )
    block = np.empty(lengths, dtype)
    first = offset + sum(span.start * stride for span, stride in zip(fetched, strides, strict=True))
    for number in itertools.product(*(range(span.stop - span.start) for span in outer)):
        at = first + sum(n * stride for n, stride in zip(number, strides, strict=False))
        data = read_at(at, run_bytes)
        if len(data) < run_bytes:
            raise EOFError(f"it ends before byte {at + run_bytes}")
        block[number] = np.frombuffer(data, dtype).reshape(run_shape)[crop]
    return block


class PlainPixels:
    """An array that lies in a file as it is.

    May be read from several threads, and sent to other processes, which open the file again.

    Parameters
    ----------
    path
        Of the file; it stays open until the array is let go.
    offset
        Of the first pixel.
    shape, dtype
        Of the array.
    is_fortran
        The first axis is the fastest.

    Attributes
    ----------
    bytes_held
        Memory that is held between reads: none.
    """

    bytes_held = 0

    def __init__(
        self,
        path: Path,
        offset: int,
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        is_fortran: bool = False,
    ) -> None:
        self._made_of = (path, offset, shape, dtype, is_fortran)
        self._path, self._offset, self._is_fortran = path, offset, is_fortran
        self.shape, self.dtype, self.ndim = shape, dtype, len(shape)
        self._lock = threading.Lock()
        self._file = path.open("rb", buffering=0)
        weakref.finalize(self, self._file.close)

    def __getitem__(self, index: Any) -> NDArray[Any]:
        box = box_of(index, self.shape)
        try:
            if self._is_fortran:
                stored = self.shape[::-1], self.dtype, box.spans[::-1]
                block = read_block(self._read_at, self._offset, *stored).T
            else:
                stored = self.shape, self.dtype, box.spans
                block = read_block(self._read_at, self._offset, *stored)
        except (OSError, EOFError) as error:
            raise PixelsError(
                f"{self._path} cannot be read: {first_line(error)}; "
                "it was changed or cut short since it was opened, or its disk fails."
            ) from error
        return block[box.rest]

    def _read_at(self, offset: int, n_bytes: int) -> bytes:
        data = self._read_some(offset, n_bytes)
        while 0 < len(data) < n_bytes and (
            more := self._read_some(offset + len(data), n_bytes - len(data))
        ):
            data += more
        return data

    def _read_some(self, offset: int, n_bytes: int) -> bytes:
        if sys.platform != "win32":
            return os.pread(self._file.fileno(), n_bytes, offset)
        with self._lock:
            self._file.seek(offset)
            return self._file.read(n_bytes) or b""

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopened, self._made_of


def _reopened(path: Path, *made_of: Any) -> PlainPixels:
    try:
        return PlainPixels(path, *made_of)
    except OSError as error:
        raise PixelsError(f"{path} cannot be opened any more: {first_line(error)}.") from error
