"""Starts the processes that train together, or joins those that torchrun has started."""

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from napari_unit_training.errors import TrainingError
from napari_unit_training.precision import choose_device
from napari_unit_training.team import ALONE, Kind, Order, Team

_TIMEOUT = timedelta(hours=2)
"""For what one process does alone: reading, pictures. One that has ended is noticed at once."""
_ENDING_S = 20.0
_STARTING_S = 300.0
_POLL_S = 0.1
_RUN_ID = "TORCHELASTIC_RUN_ID"
# how a process is started that a Ctrl-C in this one's terminal does not reach
_DEAF: dict[str, Any] = {"start_new_session": True}
if sys.platform == "win32":
    _DEAF = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}


def follows() -> bool:
    """Tell whether torchrun has started this process to follow another."""
    return _RUN_ID in os.environ and os.environ["RANK"] != "0"


@contextmanager
def gathered(n_devices: int, device_name: str) -> Iterator[tuple[Team, torch.device]]:
    """Gather the processes of a run, and let them go at the end.

    Parameters
    ----------
    n_devices
        How many devices train together. Above 1 processes are started, one for each: on GPUs, or
        on the CPU, whose cores they share. Where torchrun has started the processes, they are
        joined instead.
    device_name
        See `choose_device`.

    Yields
    ------
    The team as this process sees it, and its device.

    Raises
    ------
    TrainingError
        If there are not so many devices.
    """
    if _RUN_ID in os.environ:
        with _joined_torchrun(device_name) as team_and_device:
            yield team_and_device
    elif n_devices == 1:
        yield ALONE, choose_device(device_name)
    else:
        with _leading(n_devices, device_name) as team_and_device:
            yield team_and_device


def device_of(device_name: str, local_rank: int, n_local: int) -> torch.device:
    """Return the device of one of several processes on this machine.

    Raises
    ------
    TrainingError
        If there are not as many devices as processes.
    """
    device = choose_device(device_name)
    if n_local == 1 or device.type == "cpu":
        return device
    if device.type == "mps" or device.index is not None:
        raise TrainingError(
            f"{device} is one device, and there are to be {n_local}; take one, or device 'cuda' "
            "or 'cpu'."
        )
    there = torch.cuda.device_count()
    if n_local > there:
        raise TrainingError(f"There are to be {n_local} devices, and here are {there} GPUs.")
    return torch.device("cuda", local_rank)


@contextmanager
def joined(
    rank: int,
    n_processes: int,
    local: tuple[int, int],
    device_name: str,
    store: Any,
) -> Iterator[tuple[Team, torch.device]]:
    """Join torch's process group for the time inside.

    Parameters
    ----------
    rank, n_processes
        Of this process, and of all.
    local
        The same on this machine.
    device_name
        See `choose_device`.
    store
        torch's store in which they meet; None: where torchrun says.
    """
    device = device_of(device_name, *local)
    if device.type == "cuda":
        torch.cuda.set_device(device)
    backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
    # imported within a group (by Adam), it would keep the group as a default argument for good, and
    # the group's threads would outlive it: processes abort as they end, now and then
    import_module("torch.distributed.nn")
    try:
        dist.init_process_group(
            backend, store=store, rank=rank, world_size=n_processes, timeout=_TIMEOUT
        )
    except (RuntimeError, ValueError) as error:
        raise TrainingError(
            f"The {n_processes} processes cannot find each other: {str(error).splitlines()[0]}."
        ) from error
    try:
        yield Team(rank, n_processes, local[1] if device.type == "cpu" else 1), device
    finally:
        dist.destroy_process_group()


@contextmanager
def _joined_torchrun(device_name: str) -> Iterator[tuple[Team, torch.device]]:
    rank, n, local_rank, n_local = (
        int(os.environ[name]) for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
    )
    with joined(rank, n, (local_rank, n_local), device_name, None) as (team, device):
        yield team, device
        team.give(Order(Kind.END))


@contextmanager
def _leading(n_devices: int, device_name: str) -> Iterator[tuple[Team, torch.device]]:
    if not dist.is_available():
        raise TrainingError("torch was built without processes that work together; take 1 device.")
    device = device_of(device_name, 0, n_devices)  # refused before anything is started
    n_threads = torch.get_num_threads()
    followers: list[subprocess.Popen[bytes]] = []
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as meeting_place:
        # a file that is the user's own: a port would be open to all that reach this machine
        path = Path(meeting_place) / "store"
        try:
            if device.type == "cpu":
                torch.set_num_threads(max(1, n_threads // n_devices))
            store = meet(path, n_devices)
            followers += [
                _start_follower(rank, n_devices, path, device_name) for rank in range(1, n_devices)
            ]
            _wait_for(followers, store)
            with joined(0, n_devices, (0, n_devices), device_name, store) as team_and_device:
                yield team_and_device
                team_and_device[0].give(Order(Kind.END))
            for follower in followers:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    follower.wait(_ENDING_S)
        finally:
            torch.set_num_threads(n_threads)
            for follower in followers:  # those that have not ended of themselves
                with contextlib.suppress(OSError):
                    follower.kill()
                follower.wait()


def meet(path: Path, n_processes: int) -> Any:
    """Return torch's store in which processes of this machine find each other."""
    return dist.FileStore(str(path), n_processes)  # type: ignore[attr-defined]


def here(rank: int) -> str:
    """Return the key under which a process says that it is there."""
    return f"here-{rank}"


def _wait_for(followers: Sequence["subprocess.Popen[bytes]"], store: Any) -> None:
    """Wait until all have said that they are there; torch's own waiting knows no Ctrl-C."""
    until = time.monotonic() + _STARTING_S
    for rank, follower in enumerate(followers, 1):
        while not store.check([here(rank)]):
            returned = follower.poll()
            if returned is not None or time.monotonic() > until:
                how = "does not answer" if returned is None else f"ended with {returned}"
                raise TrainingError(
                    f"Process {rank + 1} of {len(followers) + 1} that were to train together has "
                    f"not started: {sys.executable} -m napari_unit_training.follower {how}."
                )
            time.sleep(_POLL_S)


def _start_follower(rank: int, n: int, path: Path, device_name: str) -> "subprocess.Popen[bytes]":
    """Start a process of its own, not a fork: those may hang with threads or a GPU.

    It is deaf to a Ctrl-C in the terminal, which is for the leader to obey after the step at work.
    """
    return subprocess.Popen(  # noqa: S603  our own module; nothing of it comes from files
        [
            sys.executable, "-m", "napari_unit_training.follower",
            str(rank), str(n), str(path), str(torch.get_num_threads()), device_name,
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        **_DEAF,
    )  # fmt: skip
