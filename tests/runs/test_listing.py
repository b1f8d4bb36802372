"""Trainings as they lie in a folder, without any process."""

import os
import time
from pathlib import Path

import pytest
from filelock import FileLock
from run_folders import REPORT, START, write_run

from napari_unit.runs.control import Control
from napari_unit.runs.event_lines import to_json_line
from napari_unit.runs.events import (
    Finished,
    GaveUp,
    Paused,
    Stopped,
    WentOn,
)
from napari_unit.runs.files import RunFiles
from napari_unit.runs.listing import RunList, WatchedRun, is_run


@pytest.fixture
def make(tmp_path):
    """Return a function that makes the folder of a training that has told some events."""
    return lambda *events, name="run", begun=True: write_run(
        tmp_path / "runs" / name, *events, begun=begun
    )


@pytest.mark.parametrize(
    ("events", "state", "can_resume"),
    [
        ([START, REPORT], "interrupted", True),
        ([START, REPORT, Stopped(50)], "stopped", True),
        ([START, REPORT, Finished(100, "m")], "finished", False),
        ([START, REPORT, GaveUp(50, "Gone wrong.")], "failed", False),
        ([START, REPORT, Stopped(50), START], "interrupted", True),
        ([START, Paused(50)], "interrupted", True),
    ],
)
def test_the_state_without_a_process_follows_from_what_was_told(make, events, state, can_resume):
    view = WatchedRun(make(*events)).look()
    assert (view.state, view.can_resume) == (state, can_resume)
    assert not view.is_at_work
    assert view.domains == ("left", "right")


@pytest.mark.parametrize(
    ("events", "asked", "state"),
    [
        ([], "", "starting"),
        ([START, REPORT], "", "running"),
        ([START, REPORT, Paused(50)], "pause", "paused"),
        ([START, REPORT, Paused(50), WentOn(50)], "", "running"),
        ([START, REPORT], "stop", "stopping"),
        ([START, REPORT, Stopped(50), START], "", "running"),
    ],
)
def test_the_state_with_a_process(make, events, asked, state):
    files = make(*events)
    if asked:
        Control(files.control).ask(asked)
    with FileLock(files.lock_path):
        view = WatchedRun(files).look()
    assert (view.state, view.is_at_work, view.can_resume) == (state, True, False)


@pytest.mark.parametrize(
    ("begun", "state"),
    [("2026-01-01T09:00:00+00:00", "stopping"), ("2026-01-01T11:00:00+00:00", "starting")],
)
def test_one_that_said_that_it_ends_is_ending_unless_it_was_begun_since(make, begun, state):
    files = make(START)
    with files.events_path.open("a") as file:
        file.write(to_json_line(Stopped(50), "2026-01-01T10:00:00+00:00") + "\n")
    files.log_path.write_text(f"{begun}\n")
    with FileLock(files.lock_path):
        assert WatchedRun(files).look().state == state


def test_one_that_told_nothing_failed_to_start_or_is_about_to(make):
    files = make(begun=False)
    assert WatchedRun(files).look().state == "starting"
    files.log_path.write_text("napari-unit train: There is no /a; give a folder.\n")
    view = WatchedRun(files).look()
    assert (view.state, view.sentence) == ("failed", "There is no /a; give a folder.")
    assert view.domains == ("dapi", "B")
    files.log_path.write_text("Reading the images.\n")
    long_ago = time.time() - 1000
    os.utime(files.log_path, (long_ago, long_ago))
    view = WatchedRun(files).look()
    assert (view.state, view.sentence, view.can_resume) == ("failed", "", False)


def test_why_it_gave_up_is_its_sentence(make):
    view = WatchedRun(make(START, GaveUp(50, "Gone wrong."))).look()
    assert view.sentence == "Gone wrong."


def test_what_is_new_joins_what_was_known_and_a_return_replaces_it(make):
    files = make(START, REPORT)
    run = WatchedRun(files)
    before = run.look().story
    assert run.look().story is before, "nothing new, nothing made anew"
    with files.events_path.open("a") as file:
        file.write(to_json_line(REPORT) + "\n")
    assert len(run.look().story.reports) == 2
    files.events_path.write_text(to_json_line(START) + "\n")
    assert run.look().story.reports == []


def test_those_at_work_come_first_then_the_latest(make, tmp_path):
    root = tmp_path / "runs"
    runs = RunList(root)
    assert list(runs.look()) == []
    now = time.time()
    for age, name in enumerate(("new", "old", "works")):
        files = make(START, REPORT, name=name)
        os.utime(files.events_path, (now - 100 * age, now - 100 * age))
    with FileLock(RunFiles(root / "works").lock_path):
        assert [view.name for view in runs.look()] == ["works", "new", "old"]
    assert [view.name for view in runs.look()] == ["new", "old", "works"]


def test_other_folders_are_no_trainings(make, tmp_path):
    make(START, name="run")
    (tmp_path / "runs" / "holiday").mkdir()
    (tmp_path / "runs" / ".prepared-x").mkdir()
    (tmp_path / "runs" / "file.txt").write_text("x")
    assert [view.name for view in RunList(tmp_path / "runs").look()] == ["run"]
    assert not is_run(tmp_path / "nowhere")


def test_a_training_elsewhere_is_opened_and_a_folder_without_one_is_refused(make, tmp_path):
    files = make(START, name="elsewhere")
    runs = RunList(tmp_path / "mine")
    with pytest.raises(ValueError, match="There is no training in"):
        runs.open(tmp_path)
    runs.open(files.path)
    runs.open(files.path)
    assert [view.name for view in runs.look()] == ["elsewhere"]


def test_a_folder_that_is_removed_leaves_the_list(make, tmp_path):
    files = make(START, name="gone")
    runs = RunList(tmp_path / "runs")
    assert len(runs.look()) == 1
    for path in files.path.iterdir():
        path.unlink()
    files.path.rmdir()
    assert list(runs.look()) == []


def test_one_that_was_opened_leaves_the_list_with_its_folder_and_comes_back(make, tmp_path):
    files = make(START, name="elsewhere")
    runs = RunList(tmp_path / "mine")
    runs.open(files.path)
    away = files.path.rename(tmp_path / "away")
    assert list(runs.look()) == []
    away.rename(files.path)
    assert [view.name for view in runs.look()] == ["elsewhere"]


def test_a_folder_that_may_not_be_looked_into_hides_no_other(make, tmp_path, monkeypatch):
    """As root, which many containers run as, no permission refuses."""
    make(START, name="mine")
    make(START, name="another's")
    is_file = Path.is_file

    def refuse(path):
        if path.parent.name == "another's":
            raise PermissionError(13, "Permission denied", str(path))
        return is_file(path)

    monkeypatch.setattr(Path, "is_file", refuse)
    assert [view.name for view in RunList(tmp_path / "runs").look()] == ["mine"]
