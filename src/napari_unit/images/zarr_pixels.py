"""The pixels of a zarr array in a folder, read where they are sliced."""

import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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
    Box,
    box_of,
    bytes_held,
    bytes_of,
    new_owner,
    pieces_of,
    reopened,
)

_HELD_FROM_BYTES = 2**23
"""Chunks of this size are held, as several regions need each; smaller ones are read again."""
MARKS = (".zarray", ".zgroup", ".zattrs", "zarr.json")
"""Files that a zarr has in its folder."""


class ZarrPixels:
    """One zarr array, which reads what is sliced.

    May be read from several threads, and sent to other processes, which open the folder again.

    Parameters
    ----------
    path
        Of the folder.
    inner
        Path of the array in it; empty for the folder itself.

    Attributes
    ----------
    piece_bytes
        Memory that one chunk takes when it is decoded.
    bytes_held
        Memory that is held between reads at most: chunks that were decoded last, if they are large.

    Raises
    ------
    UnreadableError
        If it holds no pixels, or is decoded by executing what is in it; `TooLargeError` if there
        is not the memory to decode a chunk of it.
    """

    def __init__(self, path: Path, inner: str = "") -> None:
        import zarr

        self._path, self._inner = path, inner
        self._owner = new_owner()
        weakref.finalize(self, HELD.drop, self._owner)
        self._pixels = zarr.open_array(path, mode="r", path=inner)
        refuse_pickles(self._pixels.metadata.to_dict())
        self.shape = tuple(int(length) for length in self._pixels.shape)
        self.dtype = np.dtype(self._pixels.dtype)
        self.ndim = len(self.shape)
        if self.dtype.hasobject or self.dtype.itemsize == 0:
            raise UnreadableError(f"it holds {self.dtype} and no pixels")
        self._chunks = tuple(int(length) for length in self._pixels.chunks)
        if min((*self._chunks, *(self._pixels.shards or ())), default=1) < 1:
            raise UnreadableError("its chunks have no pixels")
        self.piece_bytes = bytes_of(self._chunks, self.dtype)
        self._is_held = self.piece_bytes >= _HELD_FROM_BYTES
        total = bytes_of(self.shape, self.dtype)
        self.bytes_held = bytes_held(self.piece_bytes, total) if self._is_held else 0
        check_piece(self.piece_bytes, "chunks")
        folder = path / inner
        self._marks = [folder / mark for mark in MARKS if (folder / mark).is_file()]

    def __getitem__(self, index: Any) -> NDArray[Any]:
        box = box_of(index, self.shape)
        try:
            block = self._read_held(box) if self._is_held else self._read(box.spans)
        except DECODING_ERRORS as error:
            self._check_there()
            self._name_chunk(box)
            raise PixelsError(f"{self._path} is damaged: {first_line(error)}.") from error
        # a chunk that is not there is legal, and so would be all of them
        self._check_there()
        return block[box.rest]

    def __reduce__(self) -> tuple[Any, ...]:
        return reopened, (ZarrPixels, self._path, self._inner, self.shape, self.dtype)

    def _read(self, spans: tuple[slice, ...]) -> NDArray[Any]:
        return np.asarray(self._pixels[spans])

    def _read_held(self, box: Box) -> NDArray[Any]:
        block = np.empty(box.shape, self.dtype)
        for piece in pieces_of(box.spans, self._chunks):
            key = (self._owner, piece.number)
            held = HELD.get(key)
            if held is None:
                held = self._read(self._spans_of(piece.number))
                HELD.put(key, held)
            block[piece.outside] = held[piece.inside]
        return block

    def _spans_of(self, number: tuple[int, ...]) -> tuple[slice, ...]:
        return tuple(
            slice(n * size, min((n + 1) * size, length))
            for n, size, length in zip(number, self._chunks, self.shape, strict=True)
        )

    def _check_there(self) -> None:
        if not any(mark.is_file() for mark in self._marks):
            raise PixelsError(
                f"{self._path} is gone: it was there when it was opened, and was moved or "
                "removed, or its disk was unmounted."
            )

    def _name_chunk(self, box: Box) -> None:
        """Raise what is wrong with the first chunk of a box that cannot be read."""
        for piece in pieces_of(box.spans, self._chunks):
            spans = self._spans_of(piece.number)
            try:
                self._read(spans)
            except DECODING_ERRORS as error:
                file = self._file_of(piece.number)
                parts = ", ".join(f"{span.start} to {span.stop - 1}" for span in spans)
                raise PixelsError(
                    f"{self._path} is damaged: the chunk {file} (elements {parts} along its "
                    f"axes) cannot be read: {first_line(error)}."
                ) from error

    def _file_of(self, number: tuple[int, ...]) -> str:
        """Return which file of the folder a chunk is in."""
        files = self._pixels.shards or self._pixels.chunks
        at = tuple(n * size // f for n, size, f in zip(number, self._chunks, files, strict=True))
        key = self._pixels.metadata.encode_chunk_key(at)
        return "/".join(part for part in (self._inner.strip("/"), key) if part)


def refuse_pickles(metadata: Any) -> None:
    """Refuse codecs that execute what is in the file, wherever the metadata name them.

    Raises
    ------
    UnreadableError
        If there is one.
    """
    for codec in _names_of_codecs(metadata):
        if "pickle" in codec.lower():
            raise UnreadableError(
                f"its pixels are stored by {codec!r}, which may execute what is in the file"
            )


def _names_of_codecs(metadata: Any) -> Iterator[str]:
    if isinstance(metadata, dict):
        for key, value in metadata.items():
            if key in ("id", "name") and isinstance(value, str):
                yield value
            elif key != "attributes":
                yield from _names_of_codecs(value)
    elif isinstance(metadata, list | tuple):
        for value in metadata:
            yield from _names_of_codecs(value)
    elif hasattr(metadata, "get_config"):  # a codec that zarr has made of its name
        yield from _names_of_codecs(metadata.get_config())
    elif hasattr(metadata, "to_dict"):
        yield from _names_of_codecs(metadata.to_dict())
