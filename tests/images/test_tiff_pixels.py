import multiprocessing
import operator
import os
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_unit.images import decoding, pieces, tiff_pixels
from napari_unit.images.decoding import PixelsError, TooLargeError, UnreadableError
from napari_unit.images.tiff_pixels import TiffPixels

RNG = np.random.default_rng(0)
GRAY = RNG.integers(0, 60000, (90, 110)).astype("u2")
STACK = RNG.integers(0, 60000, (2, 3, 4, 90, 110)).astype("u2")
COLOR = RNG.integers(0, 255, (90, 110, 3)).astype("u1")
TILES: dict[str, Any] = {"tile": (32, 48), "compression": "zlib"}


@pytest.mark.parametrize(
    ("pixels", "how"),
    [
        (STACK, {"metadata": {"axes": "TZCYX"}, "photometric": "minisblack"}),
        (STACK, {"imagej": True, "metadata": {"axes": "TZCYX"}}),
        (STACK, {"ome": True, "metadata": {"axes": "TZCYX"}, **TILES}),
        (STACK, {"metadata": {"axes": "TZCYX"}, "photometric": "minisblack", **TILES}),
        (np.moveaxis(STACK, 2, -1)[..., :3].copy(), {"photometric": "rgb", **TILES}),
        (STACK[0, :, 0], {"photometric": "rgb", "planarconfig": "separate", **TILES}),
        (STACK[0], {"photometric": "rgb", "planarconfig": "separate", "compression": "lzw"}),
        (STACK[0, 0], {"volumetric": True, "tile": (2, 32, 32), "photometric": "minisblack"}),
        (STACK[:1, :1], {"metadata": {"axes": "TZCYX"}, "photometric": "minisblack", **TILES}),
        (GRAY[:1], TILES),
        (GRAY[:, :1], {"compression": "lzw", "rowsperstrip": 8}),
        (GRAY, {"tile": (32, 48), "byteorder": ">"}),
        (GRAY, {"byteorder": ">", "compression": "deflate", "predictor": 2}),
        (GRAY > 30000, {"compression": "packbits"}),
        (GRAY.astype("f4"), {"predictor": 3, **TILES}),
        (GRAY.astype("f2"), TILES),
        (GRAY.astype("i1"), TILES),
        (GRAY.astype("f8"), {"bigtiff": True, "rowsperstrip": 5}),
        (COLOR, {"photometric": "rgb", "tile": (32, 48)}),
    ],
)
def test_every_way_to_store_pixels(tmp_path: Path, pixels: np.ndarray, how: Any) -> None:
    tifffile.imwrite(tmp_path / "a.tif", pixels, **how)
    whole = tifffile.imread(tmp_path / "a.tif")
    lazy = TiffPixels(tmp_path / "a.tif")
    assert (lazy.shape, lazy.dtype.newbyteorder("=")) == (whole.shape, whole.dtype)
    assert np.array_equal(lazy[...], whole)
    index = tuple(slice(length // 5, length - length // 3) for length in whole.shape)
    assert np.array_equal(lazy[index], whole[index])
    inner = (*(0 for _ in whole.shape[2:]), slice(1, 9), slice(None, None, -7))
    assert np.array_equal(lazy[inner], whole[inner])


def test_pages_that_lie_apart_are_read_uncompressed_by_region(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.ome.tif", ome=True) as tif:
        tif.write((page for page in STACK[0, 0]), shape=(4, 90, 110), dtype="u2",
                  metadata={"axes": "ZYX"}, contiguous=False, photometric="minisblack",
                  extratags=[(65000, "s", 0, "x", False)])  # fmt: skip
    lazy = TiffPixels(tmp_path / "a.ome.tif")
    assert lazy.bytes_held == 0
    assert np.array_equal(lazy[1:3, 50:60, 3:], STACK[0, 0, 1:3, 50:60, 3:])


def test_tiles_that_are_left_out_are_empty(tmp_path: Path) -> None:
    tiles = [b"" if n in (1, 4) else np.full((32, 32), n, "u1").tobytes() for n in range(12)]
    how: dict[str, Any] = {"shape": (90, 110), "dtype": "u1", "tile": (32, 32)}
    tifffile.imwrite(tmp_path / "a.tif", iter(tiles), **how)
    whole = tifffile.imread(tmp_path / "a.tif")
    assert (whole[:32, 32:64] == 0).all()
    assert np.array_equal(TiffPixels(tmp_path / "a.tif")[5:80, 20:], whole[5:80, 20:])


def test_a_strip_is_decoded_once_for_neighbouring_regions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pieces, "HELD_BYTES", 1)  # one that is larger is held alone
    how: dict[str, Any] = {"compression": "zlib", "rowsperstrip": 90}
    tifffile.imwrite(
        tmp_path / "a.tif", np.stack([GRAY, GRAY + 1]), photometric="minisblack", **how
    )
    lazy = TiffPixels(tmp_path / "a.tif")
    decoded: list[int] = []
    decode = TiffPixels._decode
    monkeypatch.setattr(
        TiffPixels, "_decode", lambda self, *of: decoded.append(of[1]) or decode(self, *of)
    )
    for plane in range(2):
        for first in range(0, 90, 10):
            region = np.s_[plane, first : first + 10, 3:60]
            assert np.array_equal(lazy[region], GRAY[region[1:]] + plane)
    assert len(decoded) == 2
    assert lazy.piece_bytes == lazy.bytes_held == 90 * 110 * 2


def test_a_strip_that_no_memory_holds_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tifffile.imwrite(tmp_path / "a.tif", GRAY, compression="zlib", rowsperstrip=90)
    monkeypatch.setattr(decoding, "available_system_bytes", lambda: 30_000)
    with pytest.raises(TooLargeError, match=r"tiles or strips must be decoded at once, to 0.0 GB"):
        TiffPixels(tmp_path / "a.tif")
    tifffile.imwrite(tmp_path / "a.tif", GRAY, rowsperstrip=90)
    assert TiffPixels(tmp_path / "a.tif").piece_bytes == 0


def test_a_damaged_tile_is_named(tmp_path: Path) -> None:
    how: dict[str, Any] = {"metadata": {"axes": "ZYX"}, "photometric": "minisblack", **TILES}
    tifffile.imwrite(tmp_path / "a.tif", STACK[0, 0], **how)
    with tifffile.TiffFile(tmp_path / "a.tif") as tif:
        offsets = tif.pages[2].dataoffsets  # 3 x 3 tiles
    with (tmp_path / "a.tif").open("rb+") as file:
        file.seek(offsets[5])
        file.write(b"\0" * 40)
    lazy = TiffPixels(tmp_path / "a.tif")
    assert np.array_equal(lazy[:, :32], STACK[0, 0, :, :32])
    says = r"a.tif is damaged: tile 5 of page 2 \(Z 2, rows 32 to 63, columns 96 to 109\) cannot be"
    with pytest.raises(PixelsError, match=says) as caught:
        lazy[1:3, 40:80]
    assert caught.value.__cause__ is not None
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize("how", [TILES, {"tile": (32, 32)}, {"compression": "lzw"}])
def test_a_file_cut_short_while_it_is_open(tmp_path: Path, how: Any) -> None:
    tifffile.imwrite(tmp_path / "a.tif", GRAY, **how)
    lazy = TiffPixels(tmp_path / "a.tif")
    os.truncate(tmp_path / "a.tif", (tmp_path / "a.tif").stat().st_size // 2)
    with pytest.raises(PixelsError, match=r"a.tif is damaged: (tile|strip) \d+ of page 0 .*\.$"):
        lazy[:]


def test_a_copy_in_another_process_must_find_the_same_image(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", GRAY, **TILES)
    lazy = TiffPixels(tmp_path / "a.tif")
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        got = pool.apply(operator.getitem, (lazy, np.s_[3:70, 5:9]))
        pool.close()
        pool.join()
    assert np.array_equal(got, GRAY[3:70, 5:9])
    sent = pickle.dumps(lazy)
    tifffile.imwrite(tmp_path / "b.tif", GRAY[:50])
    os.replace(tmp_path / "b.tif", tmp_path / "a.tif")
    with pytest.raises(PixelsError, match="was replaced by another image since it was opened"):
        pickle.loads(sent)
    assert np.array_equal(lazy[60:70], GRAY[60:70])  # the old file, as long as it is open


def test_several_threads_read_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "HELD_BYTES", 10_000)
    how: dict[str, Any] = {"ome": True, "metadata": {"axes": "TZCYX"}, **TILES}
    tifffile.imwrite(tmp_path / "a.ome.tif", STACK, **how)
    lazy = TiffPixels(tmp_path / "a.ome.tif")

    def read(seed: int) -> bool:
        at = np.random.default_rng(seed)
        t, z, c, y, x = (int(at.integers(n)) for n in STACK.shape)
        index = (t, z, c, slice(y, y + 40), slice(x, x + 40))
        return np.array_equal(lazy[index], STACK[index])

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(read, range(200)))


def test_headers_that_claim_too_much_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, GRAY, **TILES)
    with tifffile.TiffFile(path, mode="r+b") as tif:
        tif.pages[0].tags["ImageLength"].overwrite(10**9)
    with pytest.raises(UnreadableError, match=r"of its \d+ pieces are missing"):
        TiffPixels(path)
    tifffile.imwrite(path, np.zeros((64, 64), "u1"), compression="zlib", rowsperstrip=64)
    with tifffile.TiffFile(path, mode="r+b") as tif:
        for name in ("ImageLength", "RowsPerStrip", "ImageWidth"):
            tif.pages[0].tags[name].overwrite(20_000)
    with pytest.raises(PixelsError, match=r"\d+ bytes cannot hold the 400000000 bytes that they"):
        TiffPixels(path)[:5, :5]
    assert tiff_pixels.in_words([("C", 1, 2), ("Q", 0, 3)]) == "C 1, Q 0 to 2"
