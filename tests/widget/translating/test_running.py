"""Jobs that are watched, canceled and abandoned, in a real viewer."""

import subprocess
import sys
import threading
import time
from typing import Any

import numpy as np
import pytest

from napari_unit import translate

pytestmark = pytest.mark.qt


def test_the_viewer_stays_alive_and_progress_is_shown(samples: Any, desk: Any, gate: Any) -> None:
    from napari.utils.progress import cancelable_progress, progress
    from qtpy.QtCore import QTimer

    at = desk(samples.gray())
    ticks: list[float] = []
    timer = QTimer()
    timer.setInterval(10)
    timer.timeout.connect(lambda: ticks.append(time.monotonic()))
    timer.start()
    assert not at.widget.status.bar.isVisibleTo(at.widget)
    at.click(at.widget.run_button)
    assert at.widget.status.bar.isVisibleTo(at.widget)
    assert not at.form.layer_choice.isEnabled()
    assert at.widget.cancel_button.isEnabled()
    at.wait(gate.reached.is_set)
    at.wait(lambda: at.widget.status.phase.text() == "Translating")
    assert "Mpx" in at.widget.status.steps.text()
    bars = list(progress._all_instances)
    assert len(bars) == 1
    assert isinstance(bars[0], cancelable_progress)
    at.wait(lambda: "Translating" in bars[0].desc)
    assert bars[0].n == bars[0].total > 0
    n_ticks = len(ticks)
    at.wait(lambda: len(ticks) > n_ticks + 20)  # the job stands in the middle of a step
    gate.opened.set()
    at.wait_for_end()
    timer.stop()
    assert max(np.diff(ticks)) < 3.0  # 0.2 s where nothing else runs on the machine
    assert not at.widget.status.bar.isVisibleTo(at.widget)
    assert at.said()[0] == "done"


def test_a_slow_screen_neither_piles_up_reports_nor_holds_the_job(
    samples: Any, desk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari.utils.progress import progress

    from napari_unit._widget.translating import running

    real = running.translation_job

    def chatty(*args: Any) -> Any:
        steps = real(*args)
        step = next(steps)
        for _ in range(100):
            yield step
            time.sleep(0.005)
        return (yield from steps)

    monkeypatch.setattr(running, "translation_job", chatty)
    monkeypatch.setattr(running, "_REPORT_INTERVAL_S", 0.0)
    at = desk(samples.gray())
    show, depths = at.widget.status.tell, [0]
    bars = progress._all_instances

    def show_slowly(news: Any, of: str) -> None:
        depths.append(depths[-1] + 1)
        show(news)
        time.sleep(0.15)
        next(iter(bars)).update(0)  # lets Qt handle events, as napari's bar does at every change
        depths.append(depths[-1] - 1)

    monkeypatch.setattr(at.widget.status, "tell", show_slowly)
    assert at.run() is not None, at.said()
    assert max(depths) == 1


def test_cancel_stops_before_the_next_tile_and_adds_nothing(
    samples: Any, desk: Any, gate: Any
) -> None:
    at = desk(samples.gray())
    at.click(at.widget.run_button)
    at.wait(gate.reached.is_set)
    n_steps = gate.n_steps
    at.click(at.widget.cancel_button)
    assert not at.widget.cancel_button.isEnabled()
    gate.opened.set()
    at.wait_for_end()
    assert gate.n_steps <= n_steps + 1
    assert len(at.viewer.layers) == 1
    assert at.said() == ("done", "Canceled; no layer was added.")
    # in the worker's own thread, so that what it wrote is removed before anyone is told
    assert gate.closed_in
    assert threading.main_thread() not in gate.closed_in
    assert at.run() is not None


def test_cancel_from_the_activity_dock(samples: Any, desk: Any, gate: Any) -> None:
    from napari.utils.progress import progress

    at = desk(samples.gray())
    at.click(at.widget.run_button)
    at.wait(gate.reached.is_set)
    at.wait(lambda: bool(progress._all_instances))
    next(iter(progress._all_instances)).cancel()
    at.wait(lambda: not at.widget.cancel_button.isEnabled())
    gate.opened.set()
    at.wait_for_end()
    assert len(at.viewer.layers) == 1


def test_a_large_image_is_canceled_quickly(samples: Any, desk: Any) -> None:
    at = desk(samples.image_layer(np.tile(samples.pixels(256, 256), (12, 12))))
    at.click(at.widget.run_button)
    at.wait(lambda: at.widget.status.bar.maximum() > 4 and at.widget.status.bar.value() > 0)
    began_s = time.monotonic()
    at.click(at.widget.cancel_button)
    at.wait_for_end()
    assert time.monotonic() - began_s < 5.0
    assert len(at.viewer.layers) == 1


def test_the_layer_may_be_renamed_or_removed_meanwhile(samples: Any, desk: Any, gate: Any) -> None:
    at = desk(samples.gray())
    source = at.viewer.layers[0]
    at.click(at.widget.run_button)
    at.wait(gate.reached.is_set)
    source.name = "renamed"
    at.viewer.layers.remove(source)
    assert not at.widget.run_button.isEnabled()
    gate.opened.set()
    at.wait_for_end()
    assert len(at.viewer.layers) == 1
    assert at.said()[0] == "done"
    assert at.widget.run_button.isEnabled(), "the result is an image as well"


def test_closing_the_viewer_leaves_nothing_running(samples: Any, desk: Any, gate: Any) -> None:
    at = desk(samples.gray())
    at.click(at.widget.run_button)
    at.wait(gate.reached.is_set)
    at.viewer.close()
    gate.opened.set()
    at.wait(lambda: bool(gate.closed_in))


LEAVING = """
import sys
import napari
import numpy as np
from pathlib import Path
from qtpy.QtCore import QTimer

viewer = napari.Viewer(show=True)
viewer.add_image(np.random.default_rng(0).integers(0, 255, (1500, 1500)).astype("uint8"))
_, widget = viewer.window.add_plugin_dock_widget("napari-unit", "Translate")
widget.form.model_choice.open_file(Path(sys.argv[1]))

def close_once_it_runs():
    if eval(sys.argv[2]):
        timer.stop()
        viewer.close()

timer = QTimer()
timer.timeout.connect(close_once_it_runs)
timer.start(20)
QTimer.singleShot(0, widget.run_button.click)
napari.run()
print("left")
"""


@pytest.mark.parametrize(
    "when",
    ["widget.cancel_button.isEnabled()", "widget.status.steps.text()"],
    ids=["while the model is loaded", "later"],
)
def test_napari_closed_in_the_middle_of_a_job_ends_without_a_complaint(
    when: str, models: Any
) -> None:
    ran = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", LEAVING, str(models.add("nuclei")), when],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "left\n", "")


def test_closing_the_dock_leaves_nothing_running(samples: Any, desk: Any, gate: Any) -> None:
    from napari.utils.progress import progress

    at = desk(samples.gray())
    at.click(at.widget.run_button)
    at.wait(gate.reached.is_set)
    at.widget.parent().destroyOnClose()  # what the cross on the dock does
    assert not list(progress._all_instances)
    gate.opened.set()
    at.wait(lambda: bool(gate.closed_in))
    at.qtbot.wait(50)
    assert len(at.viewer.layers) == 1
    at.viewer.add_image(samples.pixels(64, 64), name="later")
    at.widget.deleteLater()


@pytest.mark.parametrize("one_is_closed", [False, True])
def test_two_viewers_translate_at_once_each_into_its_own(
    samples: Any, desk: Any, models: Any, gate: Any, one_is_closed: bool
) -> None:
    left = desk(samples.image_layer(samples.pixels(64, 48, seed=1), "left"))
    right = desk(samples.image_layer(samples.pixels(80, 56, seed=2), "right"))
    desks = [left, right]
    for at in desks:
        at.click(at.widget.run_button)
    for at in desks:
        at.wait(lambda at=at: at.widget.status.phase.text() == "Translating")
    if one_is_closed:
        left.viewer.close()
        desks.remove(left)
    gate.opened.set()
    left.wait(lambda: len(gate.closed_in) == 2)
    for at in desks:
        at.wait_for_end()
        source, result = at.viewer.layers
        assert result.name == f"{source.name} [synthetic → real]"
        expected = translate(source, models.bundled / "nuclei.safetensors", "real", progress=False)
        np.testing.assert_array_equal(result.data, expected.data)
    assert len(set(gate.closed_in)) == 2, "each on a thread of its own"
