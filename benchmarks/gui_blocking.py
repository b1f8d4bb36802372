"""How long the window of napari stands still while the plugin works, beside what napari does alone.

Needs a display (or xvfb-run); ``python benchmarks/gui_blocking.py --help``, protocol in README.md.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtWidgets import QApplication
from results_file import markdown_table, provenance, write_result

PACKAGES = ("napari-unit", "napari", "torch", "numpy")
SIDE_PX = 2048
PATIENCE_S = 300.0
NO_BYTECODE = "PYTHONDONTWRITEBYTECODE"
TRAINED_S = 30.0
CASES = ("napari alone", "Translate opens", "Train opens", "translation", "preview", "training")


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


def napari_alone(viewer: Any, ticks: Ticks) -> None:
    """Do with napari alone what a translation asks of it."""
    from napari.utils.progress import cancelable_progress

    ticks.begin("a progress bar")
    bar = cancelable_progress(total=0, desc="nothing")
    wait_for(lambda: True, 1.0)
    bar.close()
    wait_for(lambda: True, 1.0)
    ticks.begin("a layer is added")
    viewer.add_image(np.zeros((SIDE_PX, SIDE_PX), np.float32), contrast_limits=(0, 1))
    wait_for(lambda: True, 2.0)


def opened(viewer: Any, name: str) -> Any:
    """Return a dock widget that has been drawn."""
    _, widget = viewer.window.add_plugin_dock_widget("napari-unit", name)
    wait_for(lambda: True, 2.0)
    return widget


def translation(widget: Any, ticks: Ticks) -> None:
    """Translate the image, and count each phase that the widget tells by itself."""
    tell = widget.status.tell

    def follow(news: Any, of: str = "") -> None:
        ticks.phase = news.phase
        tell(news, of)

    widget.status.tell = follow
    ticks.begin("start, import of torch")
    widget.run_button.click()
    wait_for(lambda: not widget.queue.is_running)
    wait_for(lambda: True, 1.0)


def preview(widget: Any, ticks: Ticks) -> None:
    """Look at the view translated."""
    ticks.begin("import of torch, view translated")
    widget.preview_box.click()
    shown = widget.preview
    wait_for(lambda: shown.layer is not None and bool(np.isfinite(shown.layer.data).all()))
    wait_for(lambda: True, 1.0)
    widget.preview_box.click()


def training(viewer: Any, ticks: Ticks, work: Path) -> None:
    """Train on the sample pair, and look at its curves and previews for a while."""
    from napari_unit._widget.training import train_widget

    train_widget.runs_root = lambda: work  # not among the trainings of who measures
    viewer.open_sample("napari-unit", "two-domains")
    widget = opened(viewer, "Train")
    form, panel = widget.setup.form, widget.runs.panel
    for domain, name in zip(form.panels, ("fluorescence", "absorption"), strict=True):
        domain.add_layer(viewer.layers[name])
    ticks.begin("images are checked")
    widget.setup.check_button.click()
    wait_for(widget.setup.start_button.isEnabled)
    ticks.begin("start, until the first preview")
    widget.setup.start_button.click()
    wait_for(panel.preview_button.isEnabled)
    ticks.begin("previews become layers")
    panel.preview_button.click()
    wait_for(lambda: True, 2.0)
    ticks.begin("curves and previews follow")
    wait_for(lambda: True, TRAINED_S)
    ticks.stop()
    panel.stop_button.click()
    wait_for(lambda: panel.current is not None and panel.current.state == "stopped")


def measured(case: str) -> tuple[dict[str, list[float]], float | None]:
    """Do what a case is about in this process.

    Returns
    -------
    The gaps of its phases, and how long a dock took to open where it is about that; in seconds.
    """
    import napari

    viewer = napari.Viewer()
    viewer.window.resize(1200, 800)
    viewer.add_image(image(), name="image")
    wait_for(lambda: True, 2.0)
    ticks = Ticks()
    opening_s = None
    if case == "napari alone":
        napari_alone(viewer, ticks)
    elif case.endswith("opens"):
        ticks.begin("the dock is opened and drawn")
        began = time.perf_counter()
        viewer.window.add_plugin_dock_widget("napari-unit", case.split()[0])
        QApplication.processEvents()
        opening_s = time.perf_counter() - began
        wait_for(lambda: True, 2.0)
        if "torch" in sys.modules:
            raise RuntimeError("torch was imported.")
    elif case == "training":
        with TemporaryDirectory() as work:
            training(viewer, ticks, Path(work))
    else:
        {"translation": translation, "preview": preview}[case](opened(viewer, "Translate"), ticks)
    ticks.stop()
    return ticks.gaps, opening_s


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure each case in processes of its own, print the table and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--case", choices=CASES, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help="result file (JSON)")
    args = parser.parse_args(arguments)
    if args.case is not None:
        print(json.dumps(measured(args.case)), flush=True)
        os._exit(0)  # what is measured is over; closing a viewer is not a part of it
    found: dict[str, list[list[float]]] = {}
    openings: dict[str, list[float]] = {}
    for case in CASES:  # Python compiles what it has not compiled yet; pip does when it installs
        in_process(case)
    for _ in range(args.rounds):
        for case in CASES:
            phases, opening_s = in_process(case)
            if opening_s is not None:
                openings.setdefault(case, []).append(opening_s)
            for phase, gaps in phases.items():
                found.setdefault(f"{case}: {phase}", []).append(sorted(gaps, reverse=True)[:3])
    rows = [
        [phase, *(f"{1000 * np.median([r[i] for r in rounds if len(r) > i]):.0f}"
                  for i in range(min(3, max(map(len, rounds)))))]
        for phase, rounds in found.items()
    ]  # fmt: skip
    rows = [[*row, *[""] * (4 - len(row))] for row in rows]
    print(markdown_table(["phase", "longest, ms", "second", "third"], rows))
    print(*(f"{case}: {np.median(took_s):.2f} s" for case, took_s in openings.items()), sep="\n")
    if args.out is not None:
        measures = {"longest_seconds": found, "opening_seconds": openings}
        write_result(args.out, {**provenance(PACKAGES, 2), **measures})


def in_process(case: str) -> tuple[dict[str, list[float]], float | None]:
    """Measure a case in a process of its own."""
    command = [sys.executable, __file__, "--case", case]
    environment = {name: value for name, value in os.environ.items() if name != NO_BYTECODE}
    ran = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    gaps, opening_s = json.loads(ran.stdout.strip().splitlines()[-1])
    return gaps, opening_s


if __name__ == "__main__":
    main()
