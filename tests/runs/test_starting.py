"""Real trainings of a few seconds, in processes of their own."""

import json
import os
import signal
import subprocess
import sys
import textwrap

import psutil
import pytest
from filelock import FileLock

from napari_unit.models.card import read_card
from napari_unit.runs import starting
from napari_unit.runs.control import Control
from napari_unit.runs.events import Finished
from napari_unit.runs.files import RunFiles
from napari_unit.runs.listing import WatchedRun
from napari_unit.runs.sources import RunSources
from napari_unit.runs.starting import (
    complaint,
    exit_code,
    inspection_command,
    is_own_child,
    make_run_folder,
    resume_training,
    runs_root,
    start_training,
)


def test_runs_are_kept_beside_the_models(monkeypatch):
    from napari_unit.models.zoo import user_folder

    assert runs_root().parent == user_folder().parent


@pytest.mark.parametrize(
    ("name", "folder"),
    [("a to b", "a to b"), ("H&E / IHC: day 1", "H-E - IHC- day 1"), ("..", "training"),
     ("蛍光", "蛍光"), ("x" * 200, "x" * 60), ("x" * 59 + " to b", "x" * 59), ("", "training")],
)  # fmt: skip
def test_a_folder_is_called_as_files_may_be_called(tmp_path, name, folder):
    first, second = (make_run_folder(tmp_path / "runs", name).path for _ in range(2))
    assert (first.name, second.name) == (folder, f"{folder} 2")
    assert first.is_dir()
    assert second.is_dir()


def test_a_training_starts_finishes_and_leaves_no_process(tmp_path, request_of, wait_for):
    files = make_run_folder(tmp_path / "runs", "left to right")
    start_training(request_of(), files)
    assert is_own_child(files)
    process = psutil.Process(starting._CHILDREN[files.path].pid)
    run = WatchedRun(files)
    assert run.look().state == "starting"
    view = wait_for(run, lambda v: v.state == "finished")
    assert isinstance(view.story.ending, Finished)
    assert view.has_model
    assert exit_code(files) == 0
    assert not process.is_running(), "a zombie is left"
    card = read_card(files.model_path)
    assert [domain.name for domain in card.domains] == ["left", "right"]
    assert card.training["settings"]["width"] == 2
    assert complaint(files) == ""


def test_it_has_a_session_and_a_working_directory_of_its_own(tmp_path, request_of):
    files = make_run_folder(tmp_path / "runs", "x")
    start_training(request_of(), files)
    process = psutil.Process(starting._CHILDREN[files.path].pid)
    assert os.getsid(process.pid) == process.pid != os.getsid(0)
    assert process.cwd() == str(files.path)
    assert not [c for c in process.open_files() if c.path.endswith("test_starting.py")]


def test_what_cannot_be_started_says_why_in_the_trainers_words(tmp_path, request_of, wait_for):
    files = make_run_folder(tmp_path / "runs", "x")
    start_training(request_of(crop_px=30), files)
    view = wait_for(WatchedRun(files), lambda v: v.state == "failed")
    assert view.sentence.startswith("crop_px is 30; it must be a multiple of 4")
    assert exit_code(files) == 1
    assert not view.can_resume
    assert not view.has_model


def test_a_crash_is_told_by_its_last_line(tmp_path):
    files = make_run_folder(tmp_path, "x")
    files.log_path.write_text(
        "Preview: x\nTraceback (most recent call last):\n  a\nKeyError: 'x'\n"
    )
    assert complaint(files) == "The training failed unexpectedly (KeyError: 'x')."
    files.log_path.write_text("1/2 images\nFinished.\n")
    assert complaint(files) == ""
    files.log_path.unlink()
    assert complaint(files) == ""


def test_stopped_it_goes_on_from_what_lies_in_its_folder(
    tmp_path, request_of, wait_for, monkeypatch
):
    files = make_run_folder(tmp_path / "runs", "x")
    start_training(request_of(images_total=4000), files)
    run = WatchedRun(files)
    wait_for(run, lambda v: v.story.reports)
    Control(files.control).ask("stop")
    assert run.look().state in ("stopping", "stopped")
    view = wait_for(run, lambda v: v.state == "stopped")
    seen = view.story.images_seen
    assert 0 < seen < 4000
    assert view.can_resume
    # as a later napari, from elsewhere
    starting._CHILDREN.clear()
    monkeypatch.chdir(tmp_path)
    resume_training(files)
    view = wait_for(run, lambda v: v.story.images_seen > seen)
    assert view.story.starts[-1].images_seen == seen
    Control(files.control).ask("stop")
    wait_for(run, lambda v: v.state == "stopped")


def test_a_killed_one_is_interrupted_and_can_be_resumed(tmp_path, request_of, wait_for):
    files = make_run_folder(tmp_path / "runs", "x")
    cadence = {"log": 1, "preview": 1000, "quality": 1000, "checkpoint": 2}
    start_training(request_of(images_total=4000, cadence=cadence), files)
    run = WatchedRun(files)
    wait_for(run, lambda v: v.story.images_seen >= 4)
    starting._CHILDREN[files.path].kill()
    view = wait_for(run, lambda v: not v.is_at_work)
    assert view.state == "interrupted"
    assert view.can_resume
    resume_training(files)
    view = wait_for(run, lambda v: len(v.story.starts) == 2)
    assert view.story.starts[-1].images_seen >= 2
    assert view.state == "running"


def test_one_that_runs_is_not_started_again(tmp_path, request_of):
    files = make_run_folder(tmp_path / "runs", "x")
    start_training(request_of(), files)
    child, log = starting._CHILDREN[files.path], files.log_path.read_text()
    with pytest.raises(ValueError, match="The training 'x' runs already; stop it first"):
        resume_training(files)
    assert starting._CHILDREN[files.path] is child
    assert files.log_path.read_text().startswith(log), "what it said is lost"
    starting._CHILDREN.clear()  # it is another program's now
    child.kill()
    child.wait()
    with (
        FileLock(files.lock_path),
        pytest.raises(ValueError, match="The training 'x' runs already"),
    ):
        resume_training(files)


def test_a_folder_that_does_not_say_where_its_images_are_is_not_resumed(tmp_path):
    with pytest.raises(ValueError, match="does not say where its images are"):
        resume_training(RunFiles(tmp_path))


def test_one_that_is_told_to_stop_while_it_starts_stops(tmp_path, request_of, wait_for):
    files = make_run_folder(tmp_path / "runs", "x")
    start_training(request_of(images_total=4000), files)
    run = WatchedRun(files)
    wait_for(run, lambda v: "Reading" in files.log_path.read_text())
    Control(files.control).ask("stop")
    view = wait_for(run, lambda v: not v.is_at_work)
    assert view.state == "stopped"
    assert view.story.images_seen < 100


PARENT = textwrap.dedent("""
    import json, sys
    from pathlib import Path
    from napari_unit.runs.files import RunFiles
    from napari_unit.runs.sources import RunSources
    from napari_unit.runs.starting import TrainingRequest, start_training, _CHILDREN
    folder, a, b, settings = sys.argv[1:]
    Path(folder).mkdir()
    request = TrainingRequest(RunSources((a,), (b,)), "quick", json.loads(settings))
    start_training(request, RunFiles(Path(folder)))
    print(_CHILDREN[Path(folder)].pid, flush=True)
    sys.stdin.read()
""")


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_it_outlives_whoever_started_it_and_is_found_by_others(
    tmp_path, request_of, sources, wait_for
):
    settings = json.dumps(request_of(images_total=4000).settings)
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path / "run"), *sources.a, *sources.b, settings],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    assert parent.stdout is not None
    assert parent.stdin is not None
    pid = int(parent.stdout.readline())
    try:
        run = WatchedRun(RunFiles(tmp_path / "run"))
        # as a terminal that is closed does, and then with no mercy
        os.killpg(parent.pid, signal.SIGHUP)
        parent.kill()
        parent.wait()
        view = wait_for(run, lambda v: v.story.reports)
        assert view.state == "running"
        assert not is_own_child(view.files)
        Control(view.files.control).ask("stop")
        assert wait_for(run, lambda v: not v.is_at_work).state == "stopped"
    finally:
        parent.stdin.close()
        parent.stdout.close()
        if psutil.pid_exists(pid):
            os.kill(pid, signal.SIGKILL)


def test_a_request_longer_than_a_command_line_is_inspected(tmp_path, sources, request_of):
    folder = tmp_path / "inspected"
    folder.mkdir()
    many = RunSources(sources.a * 5000, sources.b)
    request = request_of()
    command = inspection_command(type(request)(many, "quick", request.settings), folder)
    assert sum(map(len, command)) < 2000
    ran = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=True)
    assert len(ran.stdout.splitlines()) == 2
