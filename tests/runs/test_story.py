from dataclasses import replace
from pathlib import Path

from napari_unit.runs.events import (
    Finished,
    GaveUp,
    Paused,
    Progress,
    QualityMeasured,
    Started,
    Stopped,
    WentBack,
    WentOn,
)
from napari_unit.runs.story import Story

START = Started(0, 100, "cpu", "float32", ("left", "right"), (3, 2), ())
REPORT = Progress(50, 100, {"cycle_a": 0.5}, 1e-4, 5.0, 10.0)


def story(*events):
    return Story(tuple(events))


def test_an_ending_holds_until_the_next_start():
    assert story(START, REPORT).ending is None
    assert story(START, Stopped(50)).ending == Stopped(50)
    assert story(START, Stopped(50), replace(START, images_seen=50)).ending is None
    assert story(START, Finished(100, Path("m"))).ending == Finished(100, Path("m"))


def test_why_it_gave_up_is_forgotten_when_it_goes_on():
    assert story(START, GaveUp(60, "Gone wrong.")).gave_up == "Gone wrong."
    assert story(START, GaveUp(60, "Gone wrong."), START).gave_up == ""
    assert story(START, Stopped(4)).gave_up == ""


def test_a_pause_lasts_until_it_goes_on_or_is_started_again():
    assert not story(START).is_paused
    assert story(START, Paused(4), REPORT).is_paused
    assert not story(START, Paused(4), WentOn(4)).is_paused
    assert not story(START, Paused(4), START).is_paused


def test_the_best_is_the_last_that_was_best():
    first, worse = QualityMeasured(10, (), 0.5, True), QualityMeasured(30, (), 0.6, False)
    better = QualityMeasured(20, (), 0.4, True)
    assert story().best is None
    assert story(first, better, worse).best == better
    assert story(first, better, worse).measured == [first, better, worse]


def test_a_run_that_went_back_has_seen_less():
    assert story(START, REPORT, WentBack(60, 40, "black", 1, 3)).images_seen == 40
