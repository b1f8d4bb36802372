import json
import multiprocessing
import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import psutil
import pytest

pytest.importorskip("trials", reason="benchmarks/ is in the repository only")

import trials
from trials import Trial


def stand_in(trial: Trial, log: Path) -> trials.Numbers:
    """Do nothing, and say so."""
    with log.open("a") as file:
        file.write(f"{trial.name} {trial.seed}\n")
    return trial.as_dict() | {"curve": [{"images": trial.images, "score": trial.seed + 0.5}]}


def failing(trial: Trial, log: Path) -> trials.Numbers:
    """Fail in the first seed."""
    if trial.seed == 0:
        raise ValueError("gone wrong")
    return stand_in(trial, log)


def test_only_what_is_missing_is_done(tmp_path: Path) -> None:
    log, out = tmp_path / "log", tmp_path / "results" / "r.json"
    do = partial(stand_in, log=log)
    wanted = [Trial("one", seed, 10, {"width": 2}) for seed in (0, 1)]
    trials.run_trials(wanted[:1], do, out, jobs=1, header={"benchmark": "test"})
    changed = Trial("two", 0, 10, {"width": 2})
    found = trials.run_trials([*wanted, changed], do, out, jobs=1, header={"benchmark": "test"})
    assert log.read_text().splitlines() == ["one 0", "one 1", "two 0"]
    assert [(f["name"], f["seed"]) for f in found] == [("one", 0), ("one", 1), ("two", 0)]
    assert trials.last(found, "one", "score") == [0.5, 1.5]
    kept = json.loads(out.read_text())
    assert {"benchmark", "command", "commit", "versions", "machine"} <= set(kept)
    assert len(kept["trials"]) == 3


def waiting(trial: Trial, folder: Path) -> trials.Numbers:
    """Say who is at it, and go on for longer than any test."""
    (folder / "made").write_text(str(os.getpid()))
    (folder / "made").rename(folder / "worker")
    time.sleep(600)
    return trial.as_dict()


def _command(folder: Path) -> None:
    do = partial(waiting, folder=folder)
    trials.run_trials([Trial("one", 0, 10, {})], do, folder / "r.json", jobs=1, header={})


def test_a_killed_command_leaves_no_trial_behind(tmp_path: Path) -> None:
    command = multiprocessing.get_context("spawn").Process(target=_command, args=(tmp_path,))
    command.start()
    _wait_for(lambda: (tmp_path / "worker").is_file())
    worker = psutil.Process(int((tmp_path / "worker").read_text()))
    assert worker.is_running()
    command.kill()
    command.join()
    gone, _ = psutil.wait_procs([worker], timeout=60)
    assert gone == [worker]


def _wait_for(happened: Callable[[], bool], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < until
        time.sleep(0.05)


def test_a_file_of_another_comparison_is_left_alone(tmp_path: Path) -> None:
    out = tmp_path / "r.json"
    do = partial(stand_in, log=tmp_path / "log")
    trial = Trial("one", 0, 10, {})
    trials.run_trials([trial], do, out, jobs=1, header={"split": "tuning"})
    before = out.read_bytes()
    with pytest.raises(SystemExit, match="trials of another split; give another --out"):
        trials.run_trials([trial], do, out, jobs=1, header={"split": "validation"})
    assert out.read_bytes() == before


def test_one_that_fails_takes_no_other_with_it(tmp_path: Path) -> None:
    out = tmp_path / "r.json"
    do = partial(failing, log=tmp_path / "log")
    wanted = [Trial("one", seed, 10, {}) for seed in (0, 1, 2)]
    with pytest.raises(SystemExit, match=r"1 of 3 trials failed:\none, seed 0: gone wrong"):
        trials.run_trials(wanted, do, out, jobs=1, header={})
    assert [trial["seed"] for trial in json.loads(out.read_text())["trials"]] == [1, 2]


@pytest.mark.parametrize("other", [{"images": 11}, {"settings": {"width": 3}}, {"preset": "hour"}])
def test_a_trial_with_other_settings_is_done_again(tmp_path: Path, other: dict) -> None:
    log, out = tmp_path / "log", tmp_path / "r.json"
    do = partial(stand_in, log=log)
    given = {"name": "one", "seed": 0, "images": 10, "settings": {"width": 2}}
    for arguments in (given, given | other):
        trials.run_trials([Trial(**arguments)], do, out, jobs=1, header={})
    assert len(log.read_text().splitlines()) == 2
    (kept,) = json.loads(out.read_text())["trials"]
    assert Trial(**(given | other)).is_in(kept)
