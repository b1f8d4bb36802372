"""One method of the engine's benchmark in a process of its own, so that its memory is its own.

The process prints what it measured as the last line, in JSON.
"""

import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from engine_case import LeftOut, Prepared, read_case
from engine_measures import forget_peak, resident
from engine_ours import MODES, prepare_lazily, prepare_ours
from engine_peers import PREPARE, search_monai
from engine_reference import prepare_reference
from results_file import peak_resident

OURS = "ours, "
"""What our names begin with; the statistics follow."""
REFERENCE, SEARCH = "reference", "MONAI search"
WARM_PX = 64


@dataclass(frozen=True, slots=True)
class Order:
    """What a process is to measure.

    Parameters
    ----------
    folder
        Of the case.
    method
        Its name in the table; or `REFERENCE`; or `SEARCH`, which looks for MONAI's settings.
    threads
        To compute with.
    keep
        Where to write the translation in [-1, 1] and the borders; None for nowhere.
    side
        Of the lazily made image to translate; 0 for the case's own.
    repeats
        Of each setting in a search.
    """

    folder: str
    method: str
    threads: int
    keep: str | None = None
    side: int = 0
    repeats: int = 2


def measure(order: Order) -> dict[str, Any]:
    """Measure a method in a process of its own; what it cannot do stands in ``left_out``."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(order.threads)}
    done = subprocess.run(
        [sys.executable, __file__, json.dumps(asdict(order))],
        capture_output=True, text=True, check=False, env=environment,
    )  # fmt: skip
    if done.returncode == -9:
        return {"left_out": "The system has ended it, commonly for want of memory."}
    if done.returncode:
        raise SystemExit(f"{order.method} has failed:\n{done.stderr[-4000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def carry_out(order: Order) -> dict[str, Any]:
    """Measure here."""
    folder = Path(order.folder)
    torch.set_num_threads(order.threads)
    torch.set_flush_denormal(True)  # as our engine does
    try:
        if order.method == SEARCH:
            return {"settings": search_monai(folder, order.repeats)}
        prepared = prepare(order)
        return timed(folder, prepared, order.keep)
    except LeftOut as reason:
        return {"left_out": str(reason)}


def prepare(order: Order) -> Prepared:
    """Prepare the method."""
    folder = Path(order.folder)
    if order.method == REFERENCE:
        return prepare_reference(folder)
    if order.method in PREPARE:
        return PREPARE[order.method](folder)
    statistics = order.method.removeprefix(OURS)
    if statistics not in MODES:
        raise SystemExit(f"There is no method {order.method!r}.")
    if order.side:
        return prepare_lazily(folder, statistics, order.side)
    return prepare_ours(folder, statistics)


def timed(folder: Path, prepared: Prepared, keep: str | None) -> dict[str, Any]:
    """Run a prepared method once."""
    case = read_case(folder)
    with torch.inference_mode():
        case.plain()(torch.zeros(1, case.shape[0], WARM_PX, WARM_PX))
        forget_peak()
        before = resident()
        wall, cpu = time.perf_counter(), time.process_time()
        pixels = prepared.run()
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = peak_resident() - before
    if keep is not None:
        np.save(keep, prepared.unit(pixels))
    return {
        "seconds": wall,
        "cpu_seconds": cpu,
        "peak_bytes": peak,
        "borders": prepared.borders,
        "facts": prepared.facts,
    }


if __name__ == "__main__":
    print(json.dumps(carry_out(Order(**json.loads(sys.argv[1])))))
