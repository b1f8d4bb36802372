"""PNG and JPEG, decoded at once, as these formats need it."""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from napari_unit.images.axes import Axes
from napari_unit.images.decoding import DECODING_ERRORS, UnreadableError, check_piece, first_line
from napari_unit.images.source_image import SourceImage


def open_png(path: Path, axes: str | None) -> SourceImage:
    """Decode a PNG.

    Raises
    ------
    UnreadableError
        If it is damaged.
    """
    return _open(path, axes, "png")


def open_jpeg(path: Path, axes: str | None) -> SourceImage:
    """Decode a JPEG.

    Raises
    ------
    UnreadableError
        If it is damaged.
    """
    return _open(path, axes, "jpeg")


def _open(path: Path, axes: str | None, codec: Literal["png", "jpeg"]) -> SourceImage:
    import imagecodecs

    content = path.read_bytes()
    check_piece(_decoded_bytes(content, codec), "pixels")
    try:
        array = imagecodecs.imread(content, codec=codec)
    except DECODING_ERRORS as error:
        raise UnreadableError(first_line(error)) from error
    stored = Axes("YX" if array.ndim == 2 else "YXS")
    found = stored if axes is None else Axes.parse(axes, array.ndim)
    return SourceImage(
        array=array,
        axes=found,
        name=path.stem,
        # four samples of a JPEG are printing inks
        has_alpha=codec == "png" and found.letters == "YXS" and array.shape[2] in (2, 4),
        level_shapes=(array.shape,),
        path=path.absolute(),
    )


def _decoded_bytes(content: bytes, codec: Literal["png", "jpeg"]) -> int:
    """Return how many bytes the header asks for; refuse one that the file cannot fill.

    Decoders take the memory first, and some call a file whole that ends in the middle.
    """
    if codec == "png":
        if len(content) < 26 or content[12:16] != b"IHDR":
            raise UnreadableError("its header is not whole")
        width, height, bits, color = struct.unpack(">IIBB", content[16:26])
        stored = height * (width * _PNG_SAMPLES.get(color, 4) * bits // 8)
        if stored > _MOST_DEFLATED * len(content):
            raise _empty_claim(width, height, len(content))
        return int(width * height * 4 * max(1, bits // 8))
    segments = dict(_jpeg_segments(content))
    frame = next((at for marker, at in segments.items() if marker in _JPEG_FRAMES), None)
    scan = segments.get(0xDA)
    if frame is None or scan is None or frame + 10 > len(content):
        raise UnreadableError("its header is not whole")
    if content.find(b"\xff\xd9", scan) < 0:
        raise UnreadableError("the file ends before its pixels do; copy it again")
    bits, height, width, n_samples = struct.unpack(">BHHB", content[frame + 4 : frame + 10])
    is_huffman = content[frame + 1] < 0xC8
    if width * height > _MOST_PX_PER_JPEG_BYTE[is_huffman] * len(content):
        raise _empty_claim(width, height, len(content))
    return int(width * height * n_samples * (1 if bits <= 8 else 2))


def _empty_claim(width: int, height: int, n_bytes: int) -> UnreadableError:
    return UnreadableError(f"its {n_bytes} bytes cannot hold the {width} x {height} px it claims")


def _jpeg_segments(content: bytes) -> Iterator[tuple[int, int]]:
    """Find marker and place of each segment up to the first scan."""
    at = 2
    while at + 4 <= len(content):
        if content[at] != 0xFF:
            return
        marker = content[at + 1]
        if marker == 0xFF or marker == 0x01 or 0xD0 <= marker <= 0xD8:  # without a length
            at += 1 if marker == 0xFF else 2
            continue
        yield marker, at
        if marker == 0xDA:
            return
        at += 2 + int.from_bytes(content[at + 2 : at + 4], "big")


_PNG_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_MOST_DEFLATED = 1100
"""Bytes that deflate makes of one at most: 1032, and the rows' own."""
_JPEG_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_MOST_PX_PER_JPEG_BYTE = {True: 2**9, False: 2**17}
"""Of Huffman codes a bit stands for a block of 64 pixels at most; of arithmetic codes, many."""
