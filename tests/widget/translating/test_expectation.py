"""What is chosen is estimated before it is run."""

import re
from typing import Any

import pytest

from napari_unit._widget.translating import expectation
from napari_unit.estimate import Rates

pytestmark = pytest.mark.qt


def test_time_and_memory_are_told_and_follow_the_choices(samples: Any, desk: Any) -> None:
    at = desk(samples.image_layer(samples.pixels(800, 600)))
    label = at.widget.estimate_label
    at.wait(lambda: "About" in label.text())
    assert "2.0 GB of memory for the networks, 2 MB of memory for the result" in label.text()
    at.click(at.form.fold_button)
    at.pick(at.form.dtype_choice, "8-bit whole numbers")
    at.pick(at.form.memory_choice, "4 GB")
    at.wait(lambda: "4.0 GB of memory for the networks, 1 MB" in label.text())
    at.pick(at.form.output.choice, "OME-Zarr file")
    at.wait(lambda: "1 MB on the disk" in label.text())
    at.pick(at.form.output.choice, "New layer, computed where one looks")
    at.wait(lambda: label.text().startswith("Only what the viewer shows"))
    at.viewer.layers.clear()
    at.wait(lambda: label.text() == "")


def test_a_run_is_noted_for_the_next_estimate(samples: Any, desk: Any) -> None:
    at = desk(samples.image_layer(samples.pixels(300, 200)))
    before = Rates().of("auto", 2)
    assert before is None
    assert at.run() is not None
    rate = Rates().of("auto", 2)
    assert rate is not None
    at.form.changed.emit()
    at.wait(lambda: re.search(r"About \d+ s", at.widget.estimate_label.text()) is not None)


def test_of_a_part_all_of_the_image_was_measured(
    samples: Any, desk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = []
    real = expectation.work_of

    def listen(image: Any, result: Any, *how: Any, **more: Any) -> float:
        counted.append((image.shape, result.shapes[0]))
        return real(image, result, *how, **more)

    monkeypatch.setattr(expectation, "work_of", listen)
    at = desk(samples.stack())
    at.pick(at.form.planes_choice, "Current plane")
    assert at.run() is not None, at.said()
    assert counted == [((3, 64, 48), (1, 64, 48))]
