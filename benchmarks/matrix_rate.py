"""The rate of matrix products, the yardstick for the arithmetic of networks."""

import time

import torch

MATRIX_PX = {"cpu": 1024, "cuda": 8192}


def synchronise(device: torch.device) -> None:
    """Wait until the device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def matrix_rate(device: torch.device, dtype: torch.dtype, seconds: float = 0.5) -> float:
    """Return the best rate of a matrix product now, in GFLOP per second."""
    side = MATRIX_PX.get(device.type, MATRIX_PX["cpu"])
    a, b = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    best, until = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < until:
        synchronise(device)
        started = time.perf_counter()
        a @ b
        synchronise(device)
        best = min(best, time.perf_counter() - started)
    return 2 * side**3 / best / 1e9
