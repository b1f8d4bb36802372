import json
import multiprocessing
import operator
import os
import pickle
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from napari_unit.images import decoding, zarr_pixels
from napari_unit.images.decoding import PixelsError, TooLargeError, UnreadableError
from napari_unit.images.zarr_pixels import ZarrPixels, refuse_pickles

STACK = np.random.default_rng(0).integers(0, 60000, (3, 80, 90)).astype("u2")
KINDS: dict[str, dict[str, Any]] = {
    "v2": {"zarr_format": 2},
    "v3": {"zarr_format": 3},
    "raw": {"zarr_format": 3, "compressors": None},
    "raw v2": {"zarr_format": 2, "compressors": None},
    "shards": {"zarr_format": 3, "shards": (1, 64, 64)},
}


def write(path: Path, kind: str = "v3", array: np.ndarray = STACK) -> Path:
    how: dict[str, Any] = {"chunks": (1, 32, 32), **KINDS[kind]}
    made = zarr.create_array(path, shape=array.shape, dtype=array.dtype, **how)
    made[...] = array
    return path


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("held_from", [1, 10**9])
def test_regions_held_or_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, held_from: int
) -> None:
    monkeypatch.setattr(zarr_pixels, "_HELD_FROM_BYTES", held_from)
    lazy = ZarrPixels(write(tmp_path / "a.zarr", kind))
    assert lazy.bytes_held == (STACK.nbytes if held_from == 1 else 0)
    assert lazy.piece_bytes == 32 * 32 * 2
    for index in (np.s_[1, 30:70, 5:], np.s_[...], np.s_[:, ::-3, 2], np.s_[0:0]):
        assert np.array_equal(lazy[index], STACK[index])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("held_from", [1, 10**9])
def test_a_chunk_that_is_cut_short_is_named_and_a_missing_one_is_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, held_from: int
) -> None:
    monkeypatch.setattr(zarr_pixels, "_HELD_FROM_BYTES", held_from)
    path = write(tmp_path / "a.zarr", kind)
    sharded = kind == "shards"
    name = "c/1/0/0" if sharded else "1.1.1" if "v2" in kind else "c/1/1/1"
    (path / name).write_bytes((path / name).read_bytes()[:-9])
    where = "1 to 1, 0 to 31, 32 to 63" if sharded else "1 to 1, 32 to 63, 32 to 63"
    says = rf"a.zarr is damaged: the chunk {name} \(elements {where} along its axes\) cannot be"
    with pytest.raises(PixelsError, match=says) as caught:
        ZarrPixels(path)[0:2, :, 40:60]
    assert str(caught.value).endswith(".")
    (path / name).unlink()
    assert (ZarrPixels(path)[1, 40:60, 40:60] == 0).all()


@pytest.mark.parametrize("held_from", [1, 10**9])
def test_a_store_that_disappears_is_told_from_one_with_missing_chunks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held_from: int
) -> None:
    monkeypatch.setattr(zarr_pixels, "_HELD_FROM_BYTES", held_from)
    lazy = ZarrPixels(write(tmp_path / "a.zarr"))
    assert np.array_equal(lazy[0, :9, :9], STACK[0, :9, :9])
    sent = pickle.dumps(lazy)
    shutil.rmtree(tmp_path / "a.zarr")
    with pytest.raises(PixelsError, match=r"a.zarr is gone: it was there when it was opened"):
        lazy[:]
    with pytest.raises(PixelsError, match="cannot be opened any more"):
        pickle.loads(sent)
    write(tmp_path / "a.zarr", array=STACK[:1])
    with pytest.raises(PixelsError, match="was replaced by another image since it was opened"):
        pickle.loads(sent)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read all")
def test_a_chunk_without_permission_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "a.zarr")
    (path / "c/1/1/1").chmod(0)
    with pytest.raises(PixelsError, match=r"the chunk c/1/1/1 .* Permission denied"):
        ZarrPixels(path)[:]


def test_a_chunk_that_fails_for_any_reason_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from zarr.storage import LocalStore

    lazy = ZarrPixels(write(tmp_path / "a.zarr"))
    get = LocalStore.get

    async def refused(self: Any, key: str, *args: Any, **more: Any) -> Any:
        if key == "c/2/0/1":
            raise PermissionError(13, "Permission denied", key)
        return await get(self, key, *args, **more)

    monkeypatch.setattr(LocalStore, "get", refused)
    with pytest.raises(PixelsError, match=r"the chunk c/2/0/1 .*Permission denied"):
        lazy[:]


def test_several_threads_and_another_process(tmp_path: Path) -> None:
    lazy = ZarrPixels(write(tmp_path / "a.zarr", "shards"))

    def read(seed: int) -> bool:
        z, y, x = (int(np.random.default_rng(seed).integers(n)) for n in STACK.shape)
        index = np.s_[z, y : y + 40, x : x + 40]
        return np.array_equal(lazy[index], STACK[index])

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(read, range(80)))
    with multiprocessing.get_context("spawn").Pool(1) as processes:
        got = processes.apply(operator.getitem, (lazy, np.s_[1, 5:60]))
        processes.close()
        processes.join()
    assert np.array_equal(got, STACK[1, 5:60])


def test_arrays_of_absurd_chunks_or_of_objects_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    huge: dict[str, Any] = {"shape": (10**9, 10**9), "dtype": "u1"}
    zarr.create_array(tmp_path / "huge.zarr", chunks=(10**9, 10**9), **huge)
    with pytest.raises(TooLargeError, match="chunks must be decoded at once, to a million GB and"):
        ZarrPixels(tmp_path / "huge.zarr")
    zarr.create_array(tmp_path / "fine.zarr", chunks=(512, 512), **huge)
    assert ZarrPixels(tmp_path / "fine.zarr")[-5:, -5:].shape == (5, 5)
    monkeypatch.setattr(decoding, "available_system_bytes", lambda: 3000)
    with pytest.raises(TooLargeError, match=r"to 0.0 GB, and 0.0 GB of memory are free; store it"):
        ZarrPixels(write(tmp_path / "a.zarr"))


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    path = write(tmp_path / "a.zarr", "raw v2")
    metadata = json.loads((path / ".zarray").read_text())
    for how in ({"compressor": {"id": "pickle"}}, {"filters": [{"id": "pickle"}]}):
        (path / ".zarray").write_text(json.dumps(metadata | how))
        with pytest.raises((UnreadableError, ValueError), match="pickle"):
            ZarrPixels(path)
    inside = {"compressor": {"id": "wrapper", "compressor": {"id": "pickle"}}}
    with pytest.raises(UnreadableError, match="stored by 'pickle', which may execute"):
        refuse_pickles(inside)
    refuse_pickles({"attributes": {"name": "pickle"}, "codecs": [{"name": "bytes"}]})
