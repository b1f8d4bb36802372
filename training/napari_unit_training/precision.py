"""Where a run computes and in which precision."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from napari_unit_training.config import Precision
from napari_unit_training.errors import TrainingError


def choose_device(name: str) -> torch.device:
    """Return the device of a name; ``"auto"`` prefers CUDA, then Apple's GPU, then the CPU.

    Raises
    ------
    TrainingError
        If the name is unknown or the device is not there.
    """
    cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    if name == "auto":
        return torch.device("cuda" if cuda else "mps" if mps else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        device = torch.device("meta")
    there = {
        "cpu": True,
        "cuda": cuda and (device.index or 0) < torch.cuda.device_count(),
        "mps": mps,
    }
    if not there.get(device.type, False):
        found = ["cpu", *(f"cuda:{i}" for i in range(torch.cuda.device_count())), *["mps"][:mps]]
        raise TrainingError(f"The device is {name!r}; here are: auto, {', '.join(found)}.")
    return device


def bfloat16_pays(device: torch.device) -> bool:
    """Whether bfloat16 convolutions are fast on the device.

    A CPU without instructions for it emulates them, two to three times slower than float32.
    """
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type == "cpu":
        return bool(torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported())
    return False


def autocast(device: torch.device, precision: Precision) -> torch.autocast:
    """Return the autocast context of a run: bfloat16 where it pays, else switched off."""
    enabled = precision == "auto" and bfloat16_pays(device)
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=enabled)


@contextmanager
def flushed_denormals() -> Iterator[None]:
    """Treat denormal floats as zero inside: they make a CPU many times slower.

    The setting belongs to the thread, so it is put back as it was.
    """
    smallest = torch.full((), 1e-40)
    was_on = (smallest * 1.0).item() == 0.0
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(was_on)
