"""Devices to compute on: which there are, how much memory they have, and in what state they run."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from napari_unit.engine.system_memory import available_system_bytes, process_bytes


def available_devices() -> tuple[str, ...]:
    """Return the devices that ``"auto"`` chooses from, the fastest first; the last is the CPU."""
    cuda = tuple(f"cuda:{index}" for index in range(torch.cuda.device_count()))
    mps = ("mps",) if torch.backends.mps.is_available() else ()
    return (*cuda, *mps, "cpu")


@dataclass(frozen=True, slots=True)
class DeviceDescription:
    """A device that translations can run on.

    Parameters
    ----------
    name
        As settings take it: ``"cuda:0"``, ``"mps"``, ``"cpu"``.
    description
        What it is.
    free_bytes
        What can be taken of its memory now; None if that cannot be told.
    """

    name: str
    description: str
    free_bytes: int | None


def describe_devices() -> tuple[DeviceDescription, ...]:
    """Return what is known of each of `available_devices`."""
    return tuple(
        DeviceDescription(name, _in_words(name), available_bytes(torch.device(name)))
        for name in available_devices()
    )


def _in_words(name: str) -> str:
    if name.startswith("cuda"):
        return str(torch.cuda.get_device_name(name))
    return "GPU of the Mac" if name == "mps" else f"{torch.get_num_threads()} cores"


def resolve_device(name: str) -> torch.device:
    """Return the device of this name.

    Parameters
    ----------
    name
        ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"``.

    Raises
    ------
    ValueError
        If there is no such device here.
    """
    available = available_devices()
    wanted = {"auto": available[0], "cuda": "cuda:0"}.get(name, name)
    if wanted not in available:
        raise ValueError(
            f"The device is {name!r}; here there are {', '.join(map(repr, ('auto', *available)))}."
        )
    return torch.device(wanted)


def available_bytes(device: torch.device) -> int | None:
    """Return how much memory can still be taken on a device; None if that cannot be told."""
    if device.type == "cuda":
        # what torch keeps for later counts as taken there, but is free to us
        kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(torch.cuda.mem_get_info(device)[0]) + kept
    return available_system_bytes()


def taken_bytes(device: torch.device) -> int | None:
    """Return how much of a device's memory this process holds; None if that cannot be told.

    What torch keeps for later counts: others cannot have it.
    """
    if device.type == "cuda":
        return int(torch.cuda.memory_reserved(device))
    if device.type == "mps":
        return int(torch.mps.driver_allocated_memory())
    return process_bytes()


def release_memory(device: str) -> None:
    """Give back to a device what torch keeps of its memory for later."""
    kind = torch.device(device).type
    if kind == "cuda":
        torch.cuda.empty_cache()
    elif kind == "mps":
        torch.mps.empty_cache()


@contextmanager
def calm() -> Iterator[None]:
    """Compute without gradients, without denormal numbers and in full float32 precision.

    Every setting is back as it was on leaving, so never yield to others inside.
    """
    was_flushing = _flushes_denormals()
    torch.set_flush_denormal(True)
    cudnn = torch.backends.cudnn
    try:
        # TF32 keeps 10 bits of the mantissa: tiles would differ by more than they may
        with (
            torch.inference_mode(),
            cudnn.flags(enabled=cudnn.enabled, benchmark=False, allow_tf32=False),
        ):
            yield
    finally:
        torch.set_flush_denormal(was_flushing)


def _flushes_denormals() -> bool:
    return float(torch.tensor(1e-30) * torch.tensor(1e-12)) == 0.0
