"""How the engine's time and memory grow with the image: from small ones to larger than memory."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from engine_measures import growth
from engine_process import OURS, Order, measure
from results_file import markdown_table, spread


def measure_scaling(
    folder: Path, megapixels: Sequence[float], statistics: Sequence[str], rounds: int, threads: int
) -> dict[str, Any]:
    """Return per statistics and size of the image the time and memory of each round."""
    order = Order(str(folder), "", threads)
    sides = [4 * round((1e6 * mpx) ** 0.5 / 4) for mpx in megapixels]
    found: dict[str, Any] = {mode: {str(side): [] for side in sides} for mode in statistics}
    for number in range(rounds):
        for side in sides if number % 2 == 0 else sides[::-1]:
            for mode in statistics:
                made = measure(replace(order, method=OURS + mode, side=side))
                found[mode][str(side)].append(made)
                said = made.get("left_out") or f"{made['seconds']:.1f} s"
                print(f"{mode}, {side}² px, round {number}: {said}", flush=True)
    return {mode: {"sides": sides, **_grown(by_side)} for mode, by_side in found.items()}


def _grown(by_side: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """Return the rounds per side, and how time and memory grow by the medians."""
    measured = {side: rounds for side, rounds in by_side.items() if "seconds" in rounds[0]}
    numbers: dict[str, Any] = {"rounds": by_side}
    if len(measured) > 1:
        for quantity in ("seconds", "peak_bytes"):
            middle = [
                (float(side) ** 2, float(np.median([r[quantity] for r in rounds])))
                for side, rounds in measured.items()
            ]
            numbers[f"growth_of_{quantity}"] = growth(middle)
    return numbers


def scaling_table(scaling: dict[str, Any]) -> str:
    """Return times and memory as Markdown."""
    rows = [
        [f"`{mode}`", f"{int(side) ** 2 / 1e6:.1f}", *_cells(int(side) ** 2, rounds)]
        for mode, numbers in scaling.items()
        for side, rounds in numbers["rounds"].items()
    ]
    table = markdown_table(["statistics", "Mpx", "s", "µs per px", "memory, GB"], rows)
    lines = [
        f"`{mode}`: {what} grows with the {numbers[key]['exponent']:.2f}th power of the pixels; "
        f"per pixel it deviates by {numbers[key]['largest_deviation']:.0%} from its median."
        for mode, numbers in scaling.items()
        for what, key in (("time", "growth_of_seconds"), ("memory", "growth_of_peak_bytes"))
        if key in numbers
    ]
    return "\n".join([table, "", *lines])


def _cells(n_px: int, rounds: Sequence[dict[str, Any]]) -> list[str]:
    if "left_out" in rounds[0]:
        return [rounds[0]["left_out"], "", ""]
    seconds = [r["seconds"] for r in rounds]
    return [
        spread(seconds, 1),
        spread([1e6 * s / n_px for s in seconds], 3),
        f"{max(r['peak_bytes'] for r in rounds) / 1e9:.2f}",
    ]
