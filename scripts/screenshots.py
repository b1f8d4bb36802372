"""Make the pictures of the dock widgets for the documentation, from real runs in a real viewer.

Usage: python scripts/screenshots.py [--model PATH] [--seconds 300] [--out docs/screenshots]

Needs a display; without one: xvfb-run -s "-screen 0 1600x1000x24" python scripts/screenshots.py
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import napari
import numpy as np
from PIL import Image
from qtpy.QtCore import QPoint
from qtpy.QtWidgets import QApplication, QToolButton

from napari_unit._widget.training import train_widget
from napari_unit._widget.translating import remembered
from napari_unit.simulate import SceneSettings, simulate_nuclei

PLUGIN = "napari-unit"
SIZE_PX = (1366, 768)
LARGE_PX = 4096
FRAME_WIDTH_PX = 820
MOST_FRAMES = 24
N_PREVIEWS = 6
VIVID = 60
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


def translating(viewer: napari.Viewer, model: Path | None, out: Path) -> None:
    """Open the sample, run the dock on it, and save a picture before, during and after."""
    viewer.open_sample(PLUGIN, "nuclei")
    # the labels lie on the image and would hide what the translation does to it
    viewer.layers.remove("simulated nuclei labels")
    dock, widget = viewer.window.add_plugin_dock_widget(PLUGIN, "Translate")
    if model is not None:
        widget.form.model_row.open(model)
    viewer.reset_view()
    wait_until(lambda: "About" in widget.estimate_label.text())
    take(viewer, out / "widget_ready.png")

    widget.preview_box.click()
    wait_until(lambda: widget.preview.layer is not None and not widget.preview_label.text())
    take(viewer, out / "widget_preview.png")
    widget.preview_box.click()

    widget.run_button.click()
    wait_until(lambda: not widget.queue.is_running)
    if widget.status.kind != "done":
        raise RuntimeError(widget.status.message.text())
    widget.compare_button.click()
    viewer.reset_view()
    take(viewer, out / "widget_result.png")
    widget.compare_button.click()

    large_field(viewer)
    open_activity_dock(viewer)
    widget.run_button.click()
    wait_until(lambda: "Translating" in widget.status.phase.text() and len(viewer.layers) == 2)
    wait_until(lambda: widget.status.bar.value() > widget.status.bar.maximum() / 2)
    take(viewer, out / "widget_running.png")
    widget.cancel_button.click()
    wait_until(lambda: not widget.queue.is_running)
    open_activity_dock(viewer)
    viewer.window.remove_dock_widget(dock)
    viewer.layers.clear()


def large_field(viewer: napari.Viewer) -> None:
    """Put an image of many tiles in the place of what is there."""
    viewer.layers.clear()
    scene = simulate_nuclei(
        SceneSettings(shape=(LARGE_PX, LARGE_PX), nucleus_radius_px=(11.0, 14.0)), seed=0
    )
    viewer.add_image(scene.image, name="large field")
    viewer.reset_view()


def training(viewer: napari.Viewer, seconds: float, work: Path, out: Path) -> None:
    """Train on the sample pair for a while, and make pictures and an animation of it."""
    train_widget.runs_root = lambda: work  # not among the trainings of who makes the pictures
    viewer.open_sample(PLUGIN, "two-domains")
    _, widget = viewer.window.add_plugin_dock_widget(PLUGIN, "Train")
    form = widget.setup.form
    for panel, name in zip(form.panels, ("fluorescence", "absorption"), strict=True):
        panel.add_layer(viewer.layers[name])
    # stopped before
    form.minutes_box.setValue(max(form.minutes_box.value(), seconds / 30))
    viewer.reset_view()
    widget.setup.check_button.click()
    wait_until(widget.setup.start_button.isEnabled)
    take(viewer, out / "train_setup.png")
    widget.setup.start_button.click()
    panel = widget.runs.panel
    wait_until(panel.preview_button.isEnabled)
    viewer.layers.clear()  # the training has copies of them, and previews shall fill the canvas
    panel.preview_button.click()
    wait_until(lambda: len(viewer.layers) == N_PREVIEWS)
    frames: list[Image.Image] = []
    until_s = time.monotonic() + seconds
    shown_ns = 0
    while time.monotonic() < until_s:
        newest_ns = panel.current.files.latest_preview_path.stat().st_mtime_ns
        if newest_ns != shown_ns:
            shown_ns = newest_ns
            settle(2.0)  # until it is read, and the curves follow
            frames.append(canvas_and_dock(viewer))
        settle(0.2)
    take(viewer, out / "train_running.png")
    panel.stop_button.click()
    wait_until(lambda: panel.current is not None and panel.current.state == "stopped")
    animate(frames, out / "training.gif")


def canvas_and_dock(viewer: napari.Viewer) -> Image.Image:
    """Return the window without its left columns, smaller."""
    window = viewer.window._qt_window
    left = window._qt_viewer.canvas.native.mapTo(window, QPoint(0, 0)).x()
    shot = Image.fromarray(viewer.screenshot(canvas_only=False, flash=False)[..., :3])
    shot = shot.crop((left, 0, shot.width, shot.height))
    height_px = round(shot.height * FRAME_WIDTH_PX / shot.width)
    return shot.resize((FRAME_WIDTH_PX, height_px), Image.Resampling.LANCZOS)


def animate(frames: list[Image.Image], path: Path) -> None:
    """Write an animation that rests on its last frame."""
    steps = max(1, -(-len(frames) // MOST_FRAMES))
    chosen = [*frames[:-1:steps], frames[-1]]
    palette = palette_of(chosen)
    first, *rest = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in chosen]
    times_ms = [350] * (len(chosen) - 1) + [2500]
    first.save(path, save_all=True, append_images=rest, duration=times_ms, loop=0, optimize=True)
    print(path, len(frames), "previews")


def palette_of(frames: list[Image.Image]) -> Image.Image:
    """Return 256 colours, many of them for lines: there is little of them, and much of gray."""
    pixels = np.concatenate([np.asarray(frame).reshape(-1, 3) for frame in frames])
    is_vivid = np.ptp(pixels.astype(int), axis=1) > VIVID
    colors: list[int] = []
    for found, n_colors in ((pixels[is_vivid], 96), (pixels[~is_vivid], 160)):
        strip = Image.fromarray(found[:: max(1, len(found) // 10**6)][None])
        colors += (strip.quantize(n_colors).getpalette() or [])[: 3 * n_colors]
    palette = Image.new("P", (1, 1))
    palette.putpalette(colors)
    return palette


def main() -> None:
    """Make all pictures, from real runs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, help="model file; without it, the bundled nuclei")
    parser.add_argument("--seconds", type=float, default=300.0, help="of training (300)")
    parser.add_argument("--out", type=Path, default=Path("docs/screenshots"))
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)

    with TemporaryDirectory() as work:
        # what the person who makes the pictures has chosen before is not for the manual
        remembered.settings_path = lambda: Path(work) / "translate.json"
        viewer = napari.Viewer(show=False)
        viewer.window.show()
        viewer.window.resize(*SIZE_PX)
        translating(viewer, arguments.model, arguments.out)
        training(viewer, arguments.seconds, Path(work), arguments.out)
    viewer.close()


if __name__ == "__main__":
    main()
