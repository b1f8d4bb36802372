"""Make the pictures of the dock widget for the documentation, from a real run in a real viewer.

Usage: python scripts/screenshots.py [--model PATH] [--out docs/screenshots]

Needs a display; without one: xvfb-run -s "-screen 0 1600x1000x24" python scripts/screenshots.py
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import napari
from qtpy.QtWidgets import QApplication, QToolButton

PLUGIN = "napari-unit"
SIZE_PX = (1400, 900)
PATIENCE_S = 600.0


def wait_until(is_done: Callable[[], bool]) -> None:
    """Let the viewer work until something has happened."""
    until_s = time.monotonic() + PATIENCE_S
    while not is_done():
        if time.monotonic() > until_s:
            raise TimeoutError(f"Nothing happened for {PATIENCE_S:g} s.")
        QApplication.processEvents()
        time.sleep(0.01)


def settle(seconds: float = 0.5) -> None:
    """Let the viewer draw what has changed."""
    until_s = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() > until_s)


def take(viewer: napari.Viewer, path: Path) -> None:
    """Save the whole window."""
    settle()
    viewer.screenshot(path=str(path), canvas_only=False, flash=False)
    print(path)


def open_activity_dock(viewer: napari.Viewer) -> None:
    """Press the button in the status bar that shows what is going on in napari."""
    viewer.window._qt_window.findChild(QToolButton, "QtActivityButton").click()


def compare(viewer: napari.Viewer) -> None:
    """Show the image above its translation, near enough to see nuclei."""
    viewer.layers.remove("simulated nuclei labels")
    viewer.canvas.grid.enabled = True
    viewer.canvas.grid.shape = (2, 1)
    viewer.reset_view()
    viewer.scene.camera.zoom *= 1.6


def main() -> None:
    """Open the sample, run the widget on it, and save a picture before, during and after."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, help="model file; without it, the bundled model")
    parser.add_argument("--out", type=Path, default=Path("docs/screenshots"))
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)

    viewer = napari.Viewer(show=False)
    viewer.window.show()
    viewer.window.resize(*SIZE_PX)
    viewer.open_sample(PLUGIN, "nuclei")
    # the labels lie on the image and would hide what the translation does to it
    viewer.layers[-1].visible = False
    _, widget = viewer.window.add_plugin_dock_widget(PLUGIN, "Translate")
    if arguments.model is not None:
        widget.form.model_choice.open_file(arguments.model)
    viewer.reset_view()
    take(viewer, arguments.out / "widget_ready.png")

    open_activity_dock(viewer)
    widget.run_button.click()
    wait_until(lambda: "left" in widget.status.time_left.text())
    take(viewer, arguments.out / "widget_running.png")
    open_activity_dock(viewer)

    wait_until(lambda: widget.run_button.isEnabled())
    if widget.status.kind != "done":
        raise RuntimeError(widget.status.message.text())
    compare(viewer)
    take(viewer, arguments.out / "widget_result.png")
    viewer.close()


if __name__ == "__main__":
    main()
