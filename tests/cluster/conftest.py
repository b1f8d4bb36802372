from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import zarr
from distributed import Client, LocalCluster
from scipy.ndimage import gaussian_filter

import napari_unit
from napari_unit.engine import memory


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    """Give two worker processes of one thread each."""
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0") as cluster,
        Client(cluster) as made,
    ):
        yield made


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write two planes of soft blobs, 16 bits, in chunks."""
    noise = np.random.default_rng(0).random((2, 190, 230))
    pixels = (gaussian_filter(noise, (0, 3, 3)) * 60000).astype("u2")
    path = tmp_path_factory.mktemp("images") / "stack.zarr"
    array = zarr.create_array(
        path, shape=pixels.shape, chunks=(1, 64, 64), dtype="u2", dimension_names=("z", "y", "x")
    )
    array[:] = pixels
    tifffile.imwrite(path.parent / "stack.tif", pixels, metadata={"axes": "ZYX"}, tile=(64, 64))
    return path


@pytest.fixture
def small_fields(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut the image into several fields, as a large one would be."""
    monkeypatch.setattr(memory, "FIELD_SIZES_PX", (128,))


@pytest.fixture(scope="session")
def translated() -> Callable[..., np.ndarray]:
    """Return a function that translates to an OME-Zarr and gives its pixels."""

    def translate(image: Path, out: Path, **settings: Any) -> np.ndarray:
        given = {"to": "real", "tile": 64, "progress": False} | settings
        napari_unit.translate(image, "nuclei", out=out, **given)
        return np.asarray(zarr.open_array(out / "0", mode="r")[...])

    return translate
