"""Connect to a cluster, or start one on this computer."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from distributed import Client

_CORES_PER_WORKER = 4
"""Tiles of this size use so many well; two processes beside each other use more."""
_PATIENCE_S = 10.0
"""How long a scheduler may take to answer."""


@contextmanager
def connected(cluster: Any) -> Iterator["Client"]:
    """Give a client for the time of a translation; what this starts, it stops.

    Parameters
    ----------
    cluster
        A client, the address of a scheduler such as ``"tcp://node1:8786"``, or ``"local"``.

    Raises
    ------
    ValueError
        If it is none of these, or dask.distributed is not installed.
    OSError
        If no scheduler answers, or it has no workers.
    """
    try:
        from distributed import Client, LocalCluster
    except ModuleNotFoundError as error:
        raise ValueError(
            "A cluster needs dask.distributed, which is not installed; install it with "
            "pip install napari-unit[cluster]."
        ) from error
    if isinstance(cluster, Client):
        yield _with_workers(cluster)
    elif cluster == "local":
        n_cores = os.cpu_count() or 1
        n_workers = max(2, n_cores // _CORES_PER_WORKER)
        with (
            LocalCluster(
                n_workers=n_workers,
                threads_per_worker=max(1, n_cores // n_workers),
                processes=True,
                dashboard_address="127.0.0.1:0",
                host="127.0.0.1",
            ) as local,
            Client(local) as client,
        ):
            yield client
    elif isinstance(cluster, str) and cluster:
        try:
            client = Client(cluster, timeout=_PATIENCE_S)
        except (OSError, ValueError) as error:
            raise OSError(
                f"No scheduler of dask.distributed answers at {cluster!r} ({error}); give the "
                "address that it prints when it starts, such as 'tcp://node1:8786'."
            ) from error
        with client:
            yield _with_workers(client)
    else:
        raise ValueError(
            f"The cluster is {cluster!r}; it must be a dask.distributed Client, the address of a "
            "scheduler, or 'local'."
        )


def _with_workers(client: "Client") -> "Client":
    if not client.nthreads():
        raise OSError(
            f"The cluster {client.scheduler.address if client.scheduler else client} has no "
            "workers yet; start some, and try again."
        )
    return client
