import os
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import tifffile
from distributed import Client
from distributed.scheduler import KilledWorker
from scipy.ndimage import gaussian_filter

import napari_unit
from napari_unit.cluster.run import _losses_told
from napari_unit.images import unit_store
from napari_unit.images.unit_store import UnitStore


def make_units_small() -> None:
    unit_store.UNIT_PX, unit_store.CHUNK_PX, UnitStore.unit_px = 64, 32, 64


@pytest.fixture
def small_units(monkeypatch: pytest.MonkeyPatch, client: Client) -> None:
    """Write several units per plane; the workers must know, too."""
    for name, size_px in (("UNIT_PX", 64), ("CHUNK_PX", 32)):
        monkeypatch.setattr(unit_store, name, size_px)
    monkeypatch.setattr(UnitStore, "unit_px", 64)
    # on those that come later, too
    client.register_worker_callbacks(make_units_small)


@pytest.mark.usefixtures("small_fields", "small_units")
@pytest.mark.parametrize("statistics", ["image", "whole", "local", "model", "tile"])
def test_workers_make_the_pixels_of_one_process(
    stack: Path, client: Client, tmp_path: Path, translated: Any, statistics: str
) -> None:
    one = translated(stack, tmp_path / "one.zarr", statistics=statistics)
    told: list[Any] = []
    many = translated(
        stack, tmp_path / "many.zarr", statistics=statistics, cluster=client, progress=told.append
    )
    if statistics == "tile":  # live normalisations, whose last bits nobody promises
        np.testing.assert_allclose(one, many, rtol=0, atol=255 * 1e-4)
    else:
        assert np.array_equal(one, many)
    for phase in {news.phase for news in told}:
        done = [news.done for news in told if news.phase == phase]
        assert done == sorted(done)
        assert done[-1] == next(news.total for news in told if news.phase == phase)
    assert "tiles" in {news.phase for news in told}
    assert not list(tmp_path.glob("*.partial"))


@pytest.mark.usefixtures("small_units")
def test_a_sample_is_measured_by_the_workers_as_by_one_process(
    stack: Path, client: Client, tmp_path: Path, translated: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_unit.engine import sampling

    monkeypatch.setattr(sampling, "SAMPLE_CORE_PX", 32)
    monkeypatch.setattr(sampling, "MAX_SAMPLED", 6)
    one = translated(stack, tmp_path / "one.zarr", seed=3)
    many = translated(stack, tmp_path / "many.zarr", seed=3, cluster=client)
    assert np.array_equal(one, many)


def test_a_job_that_loses_every_worker_is_told_in_a_sentence() -> None:
    with (
        pytest.raises(ConnectionError, match=r"lost again and again .* finished work stays"),
        _losses_told(),
    ):
        raise KilledWorker("job", None, [])


@pytest.mark.usefixtures("small_fields", "small_units")
def test_a_worker_that_is_killed_is_made_up_for(
    stack: Path, client: Client, tmp_path: Path, translated: Any
) -> None:
    one = translated(stack, tmp_path / "one.zarr", statistics="whole")
    killed: list[str] = []

    def kill(news: Any) -> None:
        enough = news.phase in ("statistics", "tiles") and 4 * news.done > news.total
        if enough and news.phase not in killed:
            pid = next(iter(client.run(os.getpid).values()))
            psutil.Process(pid).kill()
            killed.append(news.phase)

    many = translated(
        stack, tmp_path / "many.zarr", statistics="whole", cluster=client, progress=kill
    )
    assert killed == ["statistics", "tiles"]
    assert np.array_equal(one, many)


@pytest.mark.usefixtures("small_units")
def test_workers_put_planes_where_ome_zarr_wants_them(
    client: Client, tmp_path: Path, translated: Any
) -> None:
    noise = np.random.default_rng(1).random((2, 3, 70, 90))
    pixels = (gaussian_filter(noise, (0, 0, 3, 3)) * 60000).astype("u2")
    tifffile.imwrite(
        tmp_path / "in.tif", pixels, photometric="minisblack", metadata={"axes": "ZTYX"}
    )
    one = napari_unit.translate(tmp_path / "in.tif", "nuclei", "real", progress=False)
    many = translated(tmp_path / "in.tif", tmp_path / "many.zarr", tile="auto", cluster=client)
    np.testing.assert_allclose(many, one.transpose(1, 0, 2, 3), rtol=0, atol=255 * 1e-4)


@pytest.mark.usefixtures("small_units")
def test_what_was_stopped_goes_on_here_or_there(
    stack: Path, client: Client, tmp_path: Path, translated: Any
) -> None:
    one = translated(stack, tmp_path / "one.zarr")

    def stop(news: Any) -> None:
        if news.phase == "tiles" and 3 * news.done > news.total:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        translated(stack, tmp_path / "many.zarr", cluster=client, progress=stop)
    assert (tmp_path / "many.zarr.partial").is_dir()
    assert np.array_equal(one, translated(stack, tmp_path / "many.zarr"))


def test_a_tiff_is_read_and_written_on_a_cluster_by_its_address(
    stack: Path, client: Client, tmp_path: Path
) -> None:
    given = {"model": "nuclei", "to": "real", "tile": 64, "progress": False}
    napari_unit.translate(
        stack.with_suffix(".tif"), out=tmp_path / "many.ome.tif",
        cluster=client.scheduler.address, **given,
    )  # fmt: skip
    one = napari_unit.translate(stack.with_suffix(".tif"), **given)
    assert np.array_equal(tifffile.imread(tmp_path / "many.ome.tif"), one)


def test_what_no_worker_could_read_or_write_is_refused(
    stack: Path, client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_unit.cluster import run

    with pytest.raises(ValueError, match=r"A cluster writes its result to a file; say which one"):
        napari_unit.translate(stack, "nuclei", "real", cluster=client)
    monkeypatch.setattr(run, "_LARGEST_JOB_BYTES", 10**4)
    pixels = np.random.default_rng(0).integers(0, 9000, (90, 90)).astype("u2")
    with pytest.raises(ValueError, match=r"The image is in the memory of this process .* zarr"):
        napari_unit.translate(
            pixels, "nuclei", "real", out=tmp_path / "a.zarr", cluster=client, progress=False
        )
    assert list(tmp_path.iterdir()) == []


def test_a_chunk_that_cannot_be_read_is_named(
    stack: Path, client: Client, tmp_path: Path, translated: Any
) -> None:
    import shutil

    copy = tmp_path / "in.zarr"
    shutil.copytree(stack, copy)
    (copy / "c" / "1" / "1" / "2").write_bytes(b"broken")
    with pytest.raises(OSError, match=r"c/1/1/2"):
        translated(copy, tmp_path / "a.zarr", cluster=client)
