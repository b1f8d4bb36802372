"""What the engine's benchmark counts and compares, and what follows from it."""

import re
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from results_file import markdown_table, peak_resident
from seams import seam_excess

from napari_unit.engine.folding import make_layer
from napari_unit.models.networks import Step

GREY_LEVELS = 127.5
"""Of 255, per unit of [-1, 1]."""
BASELINE = "MONAI default"


def folded_gflop_per_px(steps: Sequence[Step]) -> float:
    """Return the least arithmetic of the networks with frozen normalisations, per pixel.

    A normalisation is part of the convolution before it, and 5x5 after nearest x2 is four 3x3
    on the small map. Only the pixels of the result count, no halo; a multiplication and its
    addition are two operations.
    """
    scale, operations = 1.0, 0.0
    for step in steps:
        geometry = step.block.geometry
        layer = make_layer(step, None, torch.device("cpu"))
        before, scale = scale, scale * geometry.upsample / geometry.stride
        if geometry.upsample > 1 and layer.blocked is not None:
            per_px = layer.blocked.weight.numel() * (before / layer.block) ** 2
        else:
            per_px = layer.direct.weight.numel() * scale**2
        operations += 2.0 * per_px
    return operations / 1e9


def whole_pass_bytes(steps: Sequence[Step], size: tuple[int, int]) -> int:
    """Estimate the memory of one pass of the networks over an image of this height and width."""
    (height, width), most = size, 0.0
    for step in steps:
        geometry, conv = step.block.geometry, step.block.conv
        before = conv.in_channels * height * width
        upsampled = before * geometry.upsample**2
        height, width = geometry.length_after(height), geometry.length_after(width)
        after = conv.out_channels * height * width
        # repeated pixels, padded, in another layout; input and output; three while normalised
        padding = before + upsampled * (3 if geometry.upsample > 1 else 2)
        most = max(most, padding, upsampled + after, 3 * after)
    return int(4 * most)


def resident() -> int:
    """Return the memory that this process has now, in bytes; its peak where that is not told."""
    status = Path("/proc/self/status")
    found = re.search(r"VmRSS:\s*(\d+) kB", status.read_text()) if status.is_file() else None
    return 1024 * int(found[1]) if found else peak_resident()


def forget_peak() -> None:
    """Let the peak of memory count from now on, where the system can do that."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return


def compare(
    found: NDArray[np.float32],
    expected: NDArray[np.float32] | None,
    borders: tuple[Sequence[int], Sequence[int]],
) -> dict[str, Any]:
    """Return how far a translation (C, Y, X) in [-1, 1] is from the expected one, and its seams."""
    seam = GREY_LEVELS * seam_excess(found, *borders)
    numbers: dict[str, Any] = {
        "n_not_finite": int(np.count_nonzero(~np.isfinite(found))),
        "seam_excess": None if np.isnan(seam) else seam,
    }
    if expected is not None:
        off = np.abs(found - expected)
        numbers["max_error"], numbers["mean_error"] = float(off.max()), float(off.mean())
        if numbers["seam_excess"] is not None:
            numbers["seam_of_reference"] = GREY_LEVELS * seam_excess(expected, *borders)
    return numbers


def derived(case: dict[str, Any]) -> None:
    """Add to each method of a case what follows from its times.

    Parameters
    ----------
    case
        With ``n_px``, ``gflop_per_px`` and ``methods``, each with its ``rounds``.
    """
    baseline = {
        r["round"]: r["seconds"] for r in case["methods"].get(BASELINE, {}).get("rounds", [])
    }
    for method in case["methods"].values():
        if not method["rounds"]:
            continue
        rounds = method["rounds"]
        method["mpx_per_second"] = [case["n_px"] / 1e6 / r["seconds"] for r in rounds]
        method["times_baseline"] = [
            baseline[r["round"]] / r["seconds"] for r in rounds if r["round"] in baseline
        ]
        method["share_of_matrix_rate"] = [
            case["gflop_per_px"] * case["n_px"] / r["seconds"] / np.mean(r["matrix_rates"]).item()
            for r in rounds
        ]


def speed_table(case: dict[str, Any]) -> str:
    """Return a case as Markdown: medians over the rounds, and ranges in brackets."""
    header = [
        "method",
        "s",
        "Mpx/s",
        f"times {BASELINE}",
        "of the matrix rate",
        "memory, GB",
        "max. error",
        "seams, grey levels",
    ]
    rows = [
        [name, *_cells(method)] if method["rounds"] else [name, method["left_out"], *[""] * 6]
        for name, method in case["methods"].items()
    ]
    return markdown_table(header, rows)


def _cells(method: dict[str, Any]) -> list[str]:
    rounds = method["rounds"]
    error, seam = method.get("max_error"), method["seam_excess"]
    return [
        _spread([r["seconds"] for r in rounds], ".1f"),
        _spread(method["mpx_per_second"], ".3g"),
        _spread(method["times_baseline"], ".2f"),
        _spread(method["share_of_matrix_rate"], ".0%"),
        f"{max(r['peak_bytes'] for r in rounds) / 1e9:.2f}",
        "–" if error is None else f"{error:.2g}",
        "–" if seam is None else f"{seam:+.2f}",
    ]


def _spread(values: Sequence[float], form: str) -> str:
    if not values:
        return "–"
    middle = format(median(values), form)
    if len(values) == 1:
        return middle
    return f"{middle} ({min(values):{form}}–{max(values):{form}})"


def growth(points: Sequence[tuple[float, float]]) -> dict[str, float]:
    """Return how a quantity grows with the image.

    Parameters
    ----------
    points
        Pixels and quantity, of several images.

    Returns
    -------
    ``per_px``: the slope of the straight line that fits best; ``exponent``: that of the power that
    fits best, 1 where it is proportional to the pixels and 0 where they do not matter;
    ``largest_deviation``: of the quantity per pixel from its median, relative.
    """
    n_px, values = np.array(points, float).T
    per_px = values / n_px
    return {
        "per_px": float(np.polyfit(n_px, values, 1)[0]),
        "exponent": float(np.polyfit(np.log(n_px), np.log(values), 1)[0]),
        "largest_deviation": float(np.abs(per_px / np.median(per_px) - 1.0).max()),
    }


def window_borders(starts: Sequence[int], length: int, size: int) -> list[int]:
    """Return where windows of an axis begin or end, inside it."""
    ends = {line for start in starts for line in (start, start + length)}
    return sorted(line for line in ends if 0 < line < size)
