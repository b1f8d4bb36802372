"""Diagrams of what trainings have told."""

import pytest

from napari_unit._widget.training.curves import Curves
from napari_unit.runs.events import Progress
from napari_unit.runs.story import Story

pytestmark = pytest.mark.qt


def story(cycle: float) -> Story:
    reports = (
        Progress(n, 40, {"cycle_a": cycle, "cycle_b": cycle}, 1e-4, 2.0, 2.5) for n in (20, 40)
    )
    return Story(tuple(reports))


def drawn(curves: Curves) -> list[float]:
    return list(curves._lines["cycle"].getOriginalDataset()[1])


def test_another_training_that_was_as_long_gets_its_own_curves(qtbot):
    curves = Curves()
    qtbot.addWidget(curves)
    curves.show_story(story(0.5))
    assert drawn(curves) == [1.0, 1.0]
    curves.show_story(story(0.25))
    assert drawn(curves) == [0.5, 0.5]


def test_what_is_drawn_is_not_drawn_again(qtbot, monkeypatch):
    curves = Curves()
    qtbot.addWidget(curves)
    told = story(0.5)
    curves.show_story(told)
    monkeypatch.setattr(curves, "_draw_losses", lambda _: pytest.fail("drawn again"))
    curves.show_story(told)
