"""Jobs that are watched, canceled, abandoned and refused, in a real viewer."""

import subprocess
import sys
import threading
import time
import warnings
from typing import Any

import numpy as np
import pytest

from napari_unit import translate

pytestmark = pytest.mark.qt


# -- while it runs ------------------------------------------------------------------------------


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
    assert "tile" in at.widget.status.steps.text()
    bars = list(progress._all_instances)
    assert len(bars) == 1
    assert isinstance(bars[0], cancelable_progress)
    at.wait(lambda: "Translating" in bars[0].desc)
    assert (bars[0].n, bars[0].total) == (1, 1)
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

    from napari_unit._widget import translation_worker

    real = translation_worker.translation_job

    def chatty(*args: Any) -> Any:
        steps = real(*args)
        step = next(steps)
        for _ in range(100):
            yield step
            time.sleep(0.005)
        return (yield from steps)

    monkeypatch.setattr(translation_worker, "translation_job", chatty)
    monkeypatch.setattr(translation_worker, "_REPORT_INTERVAL_S", 0.0)
    at = desk(samples.gray())
    show, depths = at.widget.status.tell, [0]
    bars = progress._all_instances

    def show_slowly(news: Any) -> None:
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


# -- what goes wrong ----------------------------------------------------------------------------


def refusal(*args: Any) -> str:
    with pytest.raises(ValueError, match=r"\.$") as caught:
        translate(*args, progress=False)
    return str(caught.value)


def test_damaged_weights_are_refused_when_they_are_read(
    samples: Any, desk: Any, models: Any
) -> None:
    path = models.add("spoilt", spoil=True)
    at = desk(samples.gray())
    at.pick(at.form.model_choice, "spoilt")
    assert at.run() is None
    assert at.said() == ("error", refusal(at.viewer.layers[0], path, "real"))
    at.pick(at.form.model_choice, "nuclei")
    assert at.said() == (None, "")
    assert at.run() is not None


def test_a_model_file_that_is_gone_is_said(samples: Any, desk: Any, models: Any) -> None:
    at = desk(samples.gray())
    (models.bundled / "nuclei.safetensors").unlink()
    assert at.run() is None
    kind, sentence = at.said()
    assert kind == "error"
    assert "nuclei.safetensors" in sentence


@pytest.mark.parametrize("what", ["NaN", "one pixel"])  # napari itself fails on an empty image
def test_an_image_that_cannot_be_translated_gets_its_sentence(
    what: str, samples: Any, desk: Any, models: Any
) -> None:
    data = samples.pixels(64, 64, dtype="float32")
    if what == "NaN":
        data[30, 20] = np.nan
    else:
        data = data[:1, :1]
    at = desk(samples.gray())
    bad = at.viewer.add_image(data, name="bad", contrast_limits=(0, 255))
    at.pick(at.form.layer_choice, "bad")
    if at.widget.run_button.isEnabled():
        assert at.run() is None
        expected = refusal(bad, models.bundled / "nuclei.safetensors", "real")
        assert at.said() == ("error", expected)
        assert "Traceback" not in at.said()[1]
    else:
        assert at.said()[0] == "hint"
    at.pick(at.form.layer_choice, "cells")
    assert at.run() is not None


def test_a_constant_image_does_what_translate_does(samples: Any, desk: Any, models: Any) -> None:
    at = desk(samples.image_layer(np.full((64, 64), 7, "uint8")))
    result = at.run()
    path = models.bundled / "nuclei.safetensors"
    if result is None:
        assert at.said() == ("error", refusal(at.viewer.layers[0], path, "real"))
    else:
        expected = translate(at.viewer.layers["cells"], path, "real", progress=False)
        np.testing.assert_array_equal(result.data, expected.data)
        low, high = result.contrast_limits
        assert low < high


def test_an_unexpected_error_is_shown_and_napari_keeps_the_traceback(
    samples: Any, desk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari.utils.notifications import notification_manager

    from napari_unit._widget import translation_worker

    def broken(*args: Any) -> Any:
        yield from ()
        raise RuntimeError("a tensor went missing")

    at = desk(samples.gray())
    with monkeypatch.context() as patch:
        patch.setattr(translation_worker, "translation_job", broken)
        assert at.run() is None
    kind, sentence = at.said()
    assert kind == "error"
    assert "RuntimeError: a tensor went missing" in sentence
    kept = [getattr(record, "exception", None) for record in notification_manager.records]
    assert [str(error) for error in kept if error] == ["a tensor went missing"]
    assert at.run() is not None


def test_torch_that_windows_cannot_load_after_qt_is_explained(
    samples: Any, desk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_unit._widget import translation_worker

    def unloadable(*args: Any) -> Any:
        yield from ()
        error = OSError(r"[WinError 1114] Error loading C:\torch\lib\c10.dll or a dependency.")
        error.winerror = 1114
        raise error

    at = desk(samples.gray())
    monkeypatch.setattr(translation_worker, "translation_job", unloadable)
    assert at.run() is None
    assert "import torch" in at.said()[1]


def test_a_warning_of_the_job_reaches_the_person_on_the_right_thread(
    samples: Any, desk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari.utils.notifications import notification_manager

    from napari_unit._widget import translation_worker

    real = translation_worker.translation_job
    arrived_in = []

    def warning(*args: Any) -> Any:
        warnings.warn("3 % of the pixels were clipped.", stacklevel=1)
        return (yield from real(*args))

    def note(notification: Any) -> None:
        arrived_in.append(threading.current_thread())

    at = desk(samples.gray())
    monkeypatch.setattr(translation_worker, "translation_job", warning)
    notification_manager.notification_ready.connect(note)
    try:
        assert at.run() is not None
    finally:
        notification_manager.notification_ready.disconnect(note)
    assert any("3 % of the pixels" in record.message for record in notification_manager.records)
    assert set(arrived_in) == {threading.main_thread()}
