"""Jobs that are refused, fail or warn, in a real viewer."""

import threading
import warnings
from typing import Any

import numpy as np
import pytest

from napari_unit import translate

pytestmark = pytest.mark.qt


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
    assert "Traceback" in at.widget.status.details.toPlainText()
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


def test_a_device_that_is_not_there_is_said_and_another_works(samples: Any, desk: Any) -> None:
    at = desk(samples.gray())
    with pytest.MonkeyPatch.context() as patch:  # on a machine with a GPU, too
        patch.setattr("torch.cuda.device_count", lambda: 0)
        patch.setattr("torch.backends.mps.is_available", lambda: False)
        at.pick(at.form.device_choice, at.offered(at.form.device_choice)[-1])
        assert at.run() is None
        kind, sentence = at.said()
    assert kind == "error"
    assert "here there are 'auto', 'cpu'" in sentence
    at.pick(at.form.device_choice, "CPU")
    assert at.run() is not None


# napari itself fails on an empty image
def test_an_image_with_nan_gets_the_sentence_of_translate(
    samples: Any, desk: Any, models: Any
) -> None:
    data = samples.pixels(64, 64, dtype="float32")
    data[30, 20] = np.nan
    at = desk(samples.gray())
    bad = at.viewer.add_image(data, name="bad", contrast_limits=(0, 255))
    at.pick(at.form.layer_choice, "bad")
    assert at.run() is None
    assert at.said() == ("error", refusal(bad, models.bundled / "nuclei.safetensors", "real"))
    at.pick(at.form.layer_choice, "cells")
    assert at.run() is not None


def test_an_image_of_one_pixel_is_said_before_run(samples: Any, desk: Any) -> None:
    at = desk(samples.gray())
    at.viewer.add_image(samples.pixels(1, 1), name="bad", contrast_limits=(0, 255))
    at.pick(at.form.layer_choice, "bad")
    assert not at.widget.run_button.isEnabled()
    assert at.said() == (
        "hint", "The layer 'bad' is 1 x 1 px; both sides must have at least 8."
    )  # fmt: skip
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

    from napari_unit._widget.translating import running

    def broken(*args: Any) -> Any:
        yield from ()
        raise RuntimeError("a tensor went missing")

    at = desk(samples.gray())
    with monkeypatch.context() as patch:
        patch.setattr(running, "translation_job", broken)
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
    from napari_unit._widget.translating import running

    def unloadable(*args: Any) -> Any:
        yield from ()
        error = OSError(r"[WinError 1114] Error loading C:\torch\lib\c10.dll or a dependency.")
        error.winerror = 1114
        raise error

    at = desk(samples.gray())
    monkeypatch.setattr(running, "translation_job", unloadable)
    assert at.run() is None
    assert "import torch" in at.said()[1]


def test_a_warning_of_the_job_reaches_the_person_on_the_right_thread(
    samples: Any, desk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari.utils.notifications import notification_manager

    from napari_unit._widget.translating import running

    real = running.translation_job
    arrived_in = []

    def warning(*args: Any) -> Any:
        warnings.warn("3 % of the pixels were clipped.", stacklevel=1)
        return (yield from real(*args))

    def note(notification: Any) -> None:
        arrived_in.append(threading.current_thread())

    at = desk(samples.gray())
    monkeypatch.setattr(running, "translation_job", warning)
    notification_manager.notification_ready.connect(note)
    try:
        assert at.run() is not None
    finally:
        notification_manager.notification_ready.disconnect(note)
    assert any("3 % of the pixels" in record.message for record in notification_manager.records)
    assert set(arrived_in) == {threading.main_thread()}
