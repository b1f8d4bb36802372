"""The pixels of a TIFF as an array, read tile by tile or strip by strip."""

import math
import threading
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_unit.images.decoding import (
    DECODING_ERRORS,
    PixelsError,
    UnreadableError,
    check_piece,
    first_line,
)
from napari_unit.images.pieces import (
    HELD,
    Piece,
    box_of,
    bytes_held,
    bytes_of,
    new_owner,
    pieces_of,
    reopened,
)
from napari_unit.images.plain_pixels import PlainPixels, read_block

if TYPE_CHECKING:
    import tifffile

_MOST_EXPANSION = 2**16
"""A decoder makes no more of a byte than that; lossless ones reach half of it."""
_SMALL_BYTES = 2**26
"""Below this size a piece may be anything: it does no harm."""


class TiffPixels:
    """One level of a TIFF series as an array that reads what is sliced.

    May be read from several threads, and sent to other processes, which open the file again.

    Parameters
    ----------
    path
        Of the file; it stays open until the array is let go.
    level
        0 is the full resolution.

    Attributes
    ----------
    piece_bytes
        Memory that one tile or strip takes when it is decoded; 0 where pixels lie in the file as
        they are.
    bytes_held
        Memory that is held between reads at most: pieces that were decoded last.

    Raises
    ------
    UnreadableError
        If the file does not hold what it says; `TooLargeError` if there is not the memory to
        decode a piece of it.
    """

    def __init__(self, path: Path, level: int = 0) -> None:
        import tifffile

        self._path, self._level = path, level
        self._owner = new_owner()
        self._lock = threading.RLock()
        self._tif = tifffile.TiffFile(path)
        self._files = tifffile.FileCache(8, lock=self._lock)
        self._plain: PlainPixels | None = None
        closing = weakref.finalize(self, _close, self._tif, self._files, self._owner)
        try:
            self._open()
        except BaseException:
            closing()
            raise
        if self._plain is not None:
            closing()

    def _open(self) -> None:
        series = self._series = self._tif.series[0].levels[self._level]
        self.axes = series.axes
        self.shape = tuple(int(length) for length in series.shape)
        self.ndim = len(self.shape)
        self.dtype = np.dtype(series.dtype)
        self.piece_bytes = self.bytes_held = 0
        # one uncompressed block may be a single strip, or a stack of one page: no pieces at all
        offset = None if self._tif.is_mmstack or series.transform else series.dataoffset
        if offset is not None:
            self.dtype = self.dtype.newbyteorder(self._tif.byteorder)
            if offset + bytes_of(self.shape, self.dtype) > self._tif.filehandle.size:
                raise UnreadableError("the file is shorter than its pixels; copy it again")
            self._plain = PlainPixels(self._path, int(offset), self.shape, self.dtype)
        else:
            self._lay_out(series.keyframe)

    def __getitem__(self, index: Any) -> NDArray[Any]:
        if self._plain is not None:
            return self._plain[index]
        box = box_of(index, self.shape)
        block = np.empty(box.shape, self.dtype)
        for piece in pieces_of(box.spans, self._sizes):
            try:
                block[piece.outside] = self._read(piece)
            except (*DECODING_ERRORS, UnreadableError) as error:
                where = self._where(piece)
                raise PixelsError(
                    f"{self._path} is damaged: {where} cannot be read: {first_line(error)}."
                ) from error
        return block[box.rest]

    def __reduce__(self) -> tuple[Any, ...]:
        return reopened, (TiffPixels, self._path, self._level, self.shape, self.dtype)

    def _lay_out(self, keyframe: "tifffile.TiffPage") -> None:
        """Find out which axis of a page is which axis of the series, and how large pieces are."""
        n_frames = 0
        while math.prod(self.shape[n_frames:]) > keyframe.size and n_frames < self.ndim:
            n_frames += 1
        if 0 in self.shape or math.prod(self.shape[n_frames:]) != keyframe.size:
            raise UnreadableError("its pages are not as large as it says")
        # of a page: planes stored apart, depth, rows, columns, samples stored together
        page_shape = keyframe.shaped
        tile = (
            (keyframe.tiledepth, keyframe.tilelength, keyframe.tilewidth)
            if keyframe.is_tiled
            else (1, keyframe.rowsperstrip, keyframe.imagewidth)
        )
        if min(tile) < 1:
            raise UnreadableError("its tiles or strips have no pixels")
        sizes = (1, *tile, page_shape[4])
        of_page = iter([axis for axis, length in enumerate(page_shape) if length > 1])
        self._n_frames = n_frames
        self._page_axis = [next(of_page, -1) if n > 1 else None for n in self.shape[n_frames:]]
        mapped = [axis for axis in self._page_axis if axis is not None]
        if (
            -1 in mapped
            or next(of_page, -1) >= 0
            or any(
                page_shape[axis] != n
                for axis, n in zip(self._page_axis, self.shape[n_frames:], strict=True)
                if axis is not None
            )
        ):
            raise UnreadableError("its pages have another shape than it says")
        self._sizes = (1,) * n_frames + tuple(
            1 if axis is None else sizes[axis] for axis in self._page_axis
        )
        self._grid = tuple(-(-n // size) for n, size in zip(page_shape, sizes, strict=True))
        # strips of 2**32 - 1 rows are a way to say that there is one
        self._piece_shape = tuple(
            min(size, n) if not keyframe.is_tiled else size
            for n, size in zip(page_shape[1:], sizes[1:], strict=True)
        )
        n_missing = math.prod(self._grid) - len(keyframe.dataoffsets)
        if n_missing > self._grid[3]:  # some slide scanners leave out the last row of tiles
            raise UnreadableError(f"{n_missing} of its {math.prod(self._grid)} pieces are missing")
        self._is_raw = (
            keyframe.compression == 1
            and keyframe.predictor == 1
            and keyframe.fillorder == 1
            and keyframe.bitspersample == 8 * np.dtype(keyframe.dtype).itemsize
            and keyframe.sampleformat in (1, 2, 3)
            and self._series.transform is None
        )
        if not self._is_raw:
            self.piece_bytes = bytes_of(self._piece_shape, self.dtype)
            self.bytes_held = bytes_held(self.piece_bytes, bytes_of(self.shape, self.dtype))
            check_piece(self.piece_bytes, "tiles or strips")

    def _number(self, piece: Piece) -> tuple[int, int]:
        """Return which page a piece belongs to, and which of the page's pieces it is."""
        frames = piece.number[: self._n_frames]
        page = int(np.ravel_multi_index(frames, self.shape[: self._n_frames])) if frames else 0
        at = [0] * 5
        for axis, number in zip(self._page_axis, piece.number[self._n_frames :], strict=True):
            if axis is not None:
                at[axis] = number
        return page, int(np.ravel_multi_index(at, self._grid))

    def _read(self, piece: Piece) -> NDArray[Any]:
        page_number, number = self._number(piece)
        spans = [slice(0, 1)] * 5
        for axis, span in zip(self._page_axis, piece.inside[self._n_frames :], strict=True):
            if axis is not None:
                spans[axis] = span
        spans = spans[1:]  # planes stored apart are pieces of their own
        key = (self._owner, page_number, number)
        held = HELD.get(key)
        if held is None:
            # a page that was not read yet is read from the file
            with self._lock:
                page = self._series[page_number]
            offset, n_bytes = _place_of(page, number)
            if page is None or not offset or not n_bytes:
                return np.full([s.stop - s.start for s in piece.inside], self._nodata, self.dtype)
            if self._is_raw:
                found = self._read_raw(page, offset, n_bytes, spans)
                return found.reshape([s.stop - s.start for s in piece.inside])
            held = self._decode(page, number, offset, n_bytes)
            HELD.put(key, held)
        return held[tuple(spans)].reshape([s.stop - s.start for s in piece.inside])

    @property
    def _nodata(self) -> Any:
        # the value of a tag: it may be one that the pixels cannot hold
        with np.errstate(all="ignore"):
            return np.asarray(self._series.keyframe.nodata).astype(self.dtype)

    def _read_raw(self, page: Any, offset: int, n_bytes: int, spans: list[slice]) -> NDArray[Any]:
        dtype = np.dtype(page.keyframe.dtype).newbyteorder(self._tif.byteorder)
        depth, rows = spans[:2]
        n_rows = (depth.stop - 1) * self._piece_shape[1] + rows.stop
        # not all rows: the last strip may be shorter than the others
        if n_rows * bytes_of(self._piece_shape[2:], dtype) > n_bytes:
            raise EOFError("the file gives it fewer bytes than its pixels take")

        def read_at(at: int, n: int) -> bytes:
            return self._files.read(page.parent.filehandle, at, n)

        return read_block(read_at, offset, self._piece_shape, dtype, spans)

    def _decode(self, page: Any, number: int, offset: int, n_bytes: int) -> NDArray[Any]:
        """Decode a piece (depth, rows, columns, samples)."""
        if self.piece_bytes > max(_SMALL_BYTES, n_bytes * _MOST_EXPANSION):
            raise UnreadableError(
                f"{n_bytes} bytes cannot hold the {self.piece_bytes} bytes that they should"
            )
        if n_bytes > page.parent.filehandle.size:
            raise EOFError("the file is shorter than it says")
        data = self._files.read(page.parent.filehandle, offset, n_bytes)
        if len(data) < n_bytes:
            raise EOFError("the file ends within it")
        keyframe = page.keyframe
        with self._lock:  # these are read or made when they are first asked for
            decode = keyframe.decode
            tables = {"jpegtables": page.jpegtables, "jpegheader": keyframe.jpegheader}
        decoded: NDArray[Any] = decode(data, number, **tables)[0]
        if self._series.transform is not None:
            decoded = self._series.transform(decoded)
        if not np.can_cast(decoded.dtype, self.dtype):
            raise UnreadableError(f"its pixels are {decoded.dtype} instead of {self.dtype}")
        return decoded

    def _where(self, piece: Piece) -> str:
        """Return which piece of the file this is, and what of the image is in it."""
        page, number = self._number(piece)
        spans = [
            (letter, at * size, min((at + 1) * size, n))
            for letter, at, size, n in zip(
                self.axes, piece.number, self._sizes, self.shape, strict=True
            )
        ]
        kind = "tile" if self._series.keyframe.is_tiled else "strip"
        level = f", level {self._level}" if self._level else ""
        return f"{kind} {number} of page {page}{level} ({in_words(spans)})"


def in_words(spans: list[tuple[str, int, int]]) -> str:
    """Return parts of axes in words: letter, first element and the one behind the last of each."""
    names = {"Y": "rows", "X": "columns"}
    return ", ".join(
        f"{names[letter]} {start} to {stop - 1}" if letter in names
        else f"{letter} {start}" if stop - start == 1
        else f"{letter} {start} to {stop - 1}"
        for letter, start, stop in spans
    )  # fmt: skip


def _place_of(page: Any, number: int) -> tuple[int, int]:
    """Return offset and length of a piece of a page; zeros where it is left out."""
    if page is None or number >= len(page.dataoffsets):
        return 0, 0
    return int(page.dataoffsets[number]), int(page.databytecounts[number])


def _close(tif: "tifffile.TiffFile", files: "tifffile.FileCache", owner: int) -> None:
    files.clear()
    tif.close()
    HELD.drop(owner)
