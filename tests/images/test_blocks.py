import math
import tracemalloc
from collections import Counter
from itertools import product
from typing import Any

import dask.array
import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_unit.geometry.regions import grid
from napari_unit.images import blocks
from napari_unit.images.axes import Axes
from napari_unit.images.blocks import BlockReader, longest_chunks
from napari_unit.images.decoding import PixelsError
from napari_unit.images.storage import PlaneLayout

UNIT_PX = 16
LENGTHS = {"T": 3, "Z": 5, "C": 2, "S": 3, "Q": 2, "Y": 37, "X": 41}


class Counting:
    """An array in chunks that counts how often each is decoded."""

    def __init__(self, pixels: np.ndarray, chunks: tuple[int, ...]) -> None:
        self.pixels, self.chunks = pixels, chunks
        self.shape, self.dtype = pixels.shape, pixels.dtype
        self.decoded: Counter[tuple[int, ...]] = Counter()

    def __getitem__(self, index: tuple[slice, ...]) -> np.ndarray:
        touched = (
            range(at.start // chunk, math.ceil(at.stop / chunk))
            for at, chunk in zip(index, self.chunks, strict=True)
        )
        self.decoded.update(product(*touched))
        return self.pixels[index]


def pixels_of(letters: str, dtype: str = "u2") -> np.ndarray:
    shape = [LENGTHS[letter] for letter in letters]
    return np.random.default_rng(0).integers(0, 250, shape).astype(dtype)


def copied(array: Any, axes: Axes, order: Axes) -> np.ndarray:
    """Read all of an array unit by unit, into the other order."""
    reader = BlockReader(array, axes, order, UNIT_PX)
    layout = PlaneLayout(order, reader.shape)
    made = np.zeros(reader.shape, reader.dtype)
    seen = np.zeros(reader.shape, int)
    for block in reader.blocks():
        for plane in block.planes:
            for unit in grid(block.region, UNIT_PX):
                index = layout.index(plane, unit, order.channels_in(reader.shape))
                made[index] = layout.as_stored(reader.read(block, plane, unit))
                seen[index] += 1
    assert (seen == 1).all()
    return made


@settings(max_examples=60, deadline=None)
@given(
    axes=st.sampled_from(
        ["YX", "XY", "ZYX", "TZYX", "ZTYX", "CYX", "YXC", "ZYXS", "CZTYX", "QZYX"]
    ),
    data=st.data(),
)
def test_every_pixel_comes_once_in_the_order_wanted(axes: str, data: st.DataObject) -> None:
    pixels = pixels_of(axes)
    order = "".join(data.draw(st.permutations(axes.replace("S", "C"))))
    chunks = tuple(data.draw(st.integers(1, length)) for length in pixels.shape)
    source = [axes.replace("S", "C").index(letter) for letter in order]
    made = copied(Counting(pixels, chunks), Axes(axes), Axes(order))
    np.testing.assert_array_equal(made, pixels.transpose(source))


@pytest.mark.parametrize("axes", ["ZYX", "TZYX", "CZYX", "YX"])
def test_a_chunk_is_decoded_once(axes: str) -> None:
    chunk = {"T": 1, "Z": 4, "C": 2, "Y": 32, "X": 16}
    array = Counting(pixels_of(axes), tuple(chunk[letter] for letter in axes))
    copied(array, Axes(axes), Axes(axes))
    assert set(array.decoded.values()) == {1}


def test_a_plane_that_is_one_chunk_is_decoded_once() -> None:
    array = Counting(pixels_of("ZYX"), (1, 37, 41))
    copied(array, Axes("ZYX"), Axes("ZYX"))
    assert array.decoded == dict.fromkeys(((z, 0, 0) for z in range(5)), 1)


def test_a_block_takes_no_more_than_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless one square takes more; then chunks are decoded again."""
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 2 * 40 * 41 * 2)
    array = Counting(pixels_of("ZYX"), (5, 37, 41))
    reader = BlockReader(array, Axes("ZYX"), Axes("ZYX"), UNIT_PX)
    found = list(reader.blocks())
    assert {len(block.planes) for block in found} == {2, 1}
    np.testing.assert_array_equal(copied(array, Axes("ZYX"), Axes("ZYX")), array.pixels)
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 1)
    sizes = {block.region.n_px for block in BlockReader(array, *[Axes("ZYX")] * 2, 16).blocks()}
    assert max(sizes) == UNIT_PX**2


def test_what_is_held_does_not_grow_with_the_array(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 2**18)
    array = dask.array.zeros((2048, 2048), dtype="u4", chunks=128)
    reader = BlockReader(array, Axes("YX"), Axes("YX"), 128)
    np.asarray(array[:128, :128])  # dask imports some of itself when it is first used
    tracemalloc.start()
    for block in reader.blocks():
        for unit in grid(block.region, 128):
            reader.read(block, 0, unit)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < array.nbytes / 4


@pytest.mark.parametrize(
    ("array", "chunks"),
    [
        (np.zeros((5, 7)), (1, 1)),
        (dask.array.zeros((5, 7), chunks=((3, 2), (7,))), (3, 7)),
        (zarr.zeros((5, 70), chunks=(9, 32)), (5, 32)),
    ],
)
def test_chunks_are_those_of_the_array(array: Any, chunks: tuple[int, ...]) -> None:
    assert longest_chunks(array) == chunks


def test_chunks_of_unknown_length_count_for_none() -> None:
    array = dask.array.zeros((5, 7), chunks=(5, 7))
    masked = array[array[:, 0] >= 0]

    class Known:
        shape, chunks = (5, 7), masked.chunks

    assert longest_chunks(Known()) == (1, 1)


def test_an_array_that_fails_is_told_in_a_sentence() -> None:
    class Broken:
        shape, dtype = (20, 20), np.dtype("u1")

        def __getitem__(self, index: Any) -> np.ndarray:
            raise RuntimeError("the server is gone")

    class Lying(Broken):
        def __getitem__(self, index: Any) -> np.ndarray:
            return np.zeros((3, 3), "u1")

    for array, says in ((Broken(), "the server is gone"), (Lying(), r"shape \(3, 3\) for a slice")):
        reader = BlockReader(array, Axes("YX"), Axes("YX"), 16)
        block = next(reader.blocks())
        unit = next(grid(block.region, 16))
        with pytest.raises(PixelsError, match=rf"^Rows 0 to 15 .* cannot be read: .*{says}"):
            reader.read(block, 0, unit)
