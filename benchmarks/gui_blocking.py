"""How long the window of napari stands still while the plugin works, beside what napari does alone.

Needs a display (or xvfb-run); ``python benchmarks/gui_blocking.py --help``, protocol in README.md.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from results_file import markdown_table, provenance, write_result

PACKAGES = ("napari-unit", "napari", "torch", "numpy")
SIDE_PX = 2048
PATIENCE_S = 300.0
CASES = ("napari alone", "open", "run", "preview")


class Ticks:
    """Notes how long the thread that draws takes from one tick of a timer to the next."""

    def __init__(self) -> None:
        from qtpy.QtCore import QTimer

        self.gaps: dict[str, list[float]] = {}
        self.phase = ""
        self._last_s = time.perf_counter()
        self._timer = QTimer()
        self._timer.setInterval(2)
        self._timer.timeout.connect(self._tick)

    def begin(self, phase: str) -> None:
        """Count from now on as another phase."""
        self.phase = phase
        self._last_s = time.perf_counter()
        self._timer.start()

    def stop(self) -> None:
        """Count no more."""
        self._timer.stop()

    def _tick(self) -> None:
        now_s = time.perf_counter()
        self.gaps.setdefault(self.phase, []).append(now_s - self._last_s)
        self._last_s = now_s


def wait_for(is_so: Callable[[], bool], least_s: float = 0.0) -> None:
    """Let the window work until something is so."""
    from qtpy.QtWidgets import QApplication

    began = time.perf_counter()
    while not is_so() or time.perf_counter() - began < least_s:
        if time.perf_counter() - began > PATIENCE_S:
            raise TimeoutError(f"Nothing happened for {PATIENCE_S:g} s.")
        QApplication.processEvents()
        time.sleep(0.0005)


def image() -> NDArray[np.uint16]:
    """Return something to translate."""
    y, x = np.mgrid[:SIDE_PX, :SIDE_PX]
    noise = np.random.default_rng(0).uniform(0, 9000, (SIDE_PX, SIDE_PX))
    made: NDArray[np.uint16] = (20000 + 15000 * np.sin(y / 9) * np.sin(x / 11) + noise).astype("u2")
    return made


def measured(case: str) -> dict[str, list[float]]:
    """Do what a case is about in this process; return the gaps of its phases, in seconds."""
    import napari

    viewer = napari.Viewer()
    viewer.window.resize(1200, 800)
    viewer.add_image(image(), name="image")
    wait_for(lambda: True, 2.0)
    ticks = Ticks()
    if case == "napari alone":
        from napari.utils.progress import cancelable_progress

        ticks.begin("a progress bar")
        bar = cancelable_progress(total=0, desc="nothing")
        wait_for(lambda: True, 1.0)
        bar.close()
        wait_for(lambda: True, 1.0)
        ticks.begin("a layer is added")
        viewer.add_image(np.zeros((SIDE_PX, SIDE_PX), np.float32), contrast_limits=(0, 1))
        wait_for(lambda: True, 2.0)
        return ticks.gaps
    if case == "open":
        ticks.begin("the dock is opened")
    _, widget = viewer.window.add_plugin_dock_widget("napari-unit", "Translate")
    wait_for(lambda: True, 2.0)
    if case == "run":
        tell = widget.status.tell

        def follow(news: Any, of: str = "") -> None:
            ticks.phase = news.phase
            tell(news, of)

        widget.status.tell = follow
        ticks.begin("start and import of torch")
        widget.run_button.click()
        wait_for(lambda: not widget.queue.is_running)
    if case == "preview":
        ticks.begin("import of torch and preview")
        widget.preview_box.click()
        preview = widget.preview
        wait_for(lambda: preview.layer is not None and bool(np.isfinite(preview.layer.data).all()))
        widget.preview_box.click()
    ticks.stop()
    return ticks.gaps


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure each case in processes of its own, print the table and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--case", choices=CASES, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help="result file (JSON)")
    args = parser.parse_args(arguments)
    if args.case is not None:
        import json
        import os

        print(json.dumps(measured(args.case)), flush=True)
        os._exit(0)  # what is measured is over; closing a viewer is not a part of it
    found: dict[str, list[list[float]]] = {}
    for _ in range(args.rounds):
        for case in CASES:
            for phase, gaps in in_process(case).items():
                found.setdefault(f"{case}: {phase}", []).append(sorted(gaps, reverse=True)[:3])
    rows = [
        [phase, *(f"{1000 * np.median([r[i] for r in rounds if len(r) > i]):.0f}"
                  for i in range(min(3, max(map(len, rounds)))))]
        for phase, rounds in found.items()
    ]  # fmt: skip
    rows = [[*row, *[""] * (4 - len(row))] for row in rows]
    print(markdown_table(["phase", "longest, ms", "second", "third"], rows))
    if args.out is not None:
        write_result(args.out, {**provenance(PACKAGES, 2), "longest_seconds": found})


def in_process(case: str) -> dict[str, list[float]]:
    """Measure a case in a process of its own."""
    import json

    command = [sys.executable, __file__, "--case", case]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    made: dict[str, list[float]] = json.loads(ran.stdout.strip().splitlines()[-1])
    return made


if __name__ == "__main__":
    main()
