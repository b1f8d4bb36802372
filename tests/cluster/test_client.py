import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from distributed import Client, LocalCluster

from napari_unit.cluster.client import connected


def test_a_client_is_taken_as_it_is(client: Client) -> None:
    with connected(client) as found:
        assert found is client
    assert client.status == "running"


def test_local_starts_processes_and_stops_them(
    stack: Path, tmp_path: Path, translated: Any
) -> None:
    one = translated(stack, tmp_path / "one.zarr", statistics="model")
    many = translated(stack, tmp_path / "many.zarr", statistics="model", cluster="local")
    np.testing.assert_allclose(one, many, rtol=0, atol=255 * 1e-4)


def test_a_cluster_without_workers_is_refused() -> None:
    with (
        LocalCluster(n_workers=0, dashboard_address="127.0.0.1:0") as cluster,
        Client(cluster) as client,
        pytest.raises(OSError, match="has no workers yet; start some"),
        connected(client),
    ):
        pass


def test_an_address_where_no_one_answers_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("napari_unit.cluster.client._PATIENCE_S", 1.0)
    with (
        pytest.raises(OSError, match=r"No scheduler of dask.distributed answers at 'tcp://127"),
        connected("tcp://127.0.0.1:9"),
    ):
        pass


@pytest.mark.parametrize("given", [3, "", None, object()])
def test_what_is_no_cluster_is_refused(given: Any) -> None:
    with pytest.raises(ValueError, match=r"it must be a dask\.distributed Client, the"):
        connected(given).__enter__()


def test_without_distributed_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ValueError, match=r"not installed; .* pip install napari-unit\[cluster\]"):
        connected("local").__enter__()
