import json
import multiprocessing
import os
import time
from pathlib import Path

import pytest

pytest.importorskip("training_trials", reason="benchmarks/ is in the repository only")

from noise_training import TINY, write_noise
from training_trials import Record, Task, train_trial
from trials import Trial

KILLED = 7


def brightness(loaded: object) -> dict[str, float]:
    """Score a model by nothing that matters."""
    return {"weights": float(sum(p.numel() for p in loaded.model.parameters()))}


@pytest.fixture
def task(tmp_path: Path) -> Task:
    write_noise(tmp_path, 40, 40, 3)
    return Task(tmp_path / "a", tmp_path / "b", ("photo", "map"), 2, brightness)


def killed(loaded: object) -> dict[str, float]:
    """End the process, as nothing can clean up after."""
    os._exit(KILLED)


def test_a_trial_is_trained_and_measured_on_the_way(task: Task, tmp_path: Path) -> None:
    trial = Trial("tiny/one", 3, 5, TINY)
    numbers = train_trial(trial, task, tmp_path / "runs", 1)
    assert trial.is_in(numbers)
    assert [p["images"] for p in numbers["curve"]] == [3, 5]
    assert all(p["weights"] > 0 and p["processor_seconds"] >= 0 for p in numbers["curve"])
    assert numbers["curve"][0]["seconds"] <= numbers["curve"][1]["seconds"]
    settings = json.loads((tmp_path / "runs" / "tiny-one_3" / "settings.json").read_text())
    assert (settings["seed"], settings["width"], settings["images_total"]) == (3, 2, 5)
    assert settings["validation"]["held_out"] == 0


def test_a_trial_that_was_stopped_goes_on(task: Task, tmp_path: Path) -> None:
    trial = Trial("tiny", 0, 6, TINY)
    scored = []

    def stopped(loaded: object) -> dict[str, float]:
        scored.append(1)
        if len(scored) == 2:
            raise KeyboardInterrupt
        return brightness(loaded)

    broken = Task(task.a, task.b, task.domains, task.n_points, stopped)
    with pytest.raises(KeyboardInterrupt):
        train_trial(trial, broken, tmp_path / "runs", 1)
    numbers = train_trial(trial, task, tmp_path / "runs", 1)
    assert [p["images"] for p in numbers["curve"]] == [3, 6]


def test_a_point_whose_scoring_was_cut_off_is_scored_before_it_goes_on(
    task: Task, tmp_path: Path
) -> None:
    trial = Trial("tiny", 0, 6, TINY)
    broken = Task(task.a, task.b, task.domains, task.n_points, killed)
    worker = multiprocessing.get_context("spawn").Process(
        target=train_trial, args=(trial, broken, tmp_path / "runs", 1)
    )
    worker.start()
    worker.join(120)
    assert worker.exitcode == KILLED
    scored = []

    def noted(loaded: object) -> dict[str, float]:
        scored.append(loaded.card.training["images_seen"])
        return brightness(loaded)

    again = Task(task.a, task.b, task.domains, 2, noted)
    numbers = train_trial(trial, again, tmp_path / "runs", 1)
    assert scored == [3, 6]
    assert [p["images"] for p in numbers["curve"]] == [3, 6]


def test_time_counts_over_stops_and_not_between(tmp_path: Path, monkeypatch) -> None:
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(time, "process_time", lambda: 2 * clock[0])

    def passes(seconds: float) -> None:
        clock[0] += seconds

    path = tmp_path / "curve.json"
    record = Record(path)
    record.start()
    passes(5)
    record.begin_point(10)
    passes(50)  # scoring
    record.end_point({"score": 0.123456})
    record.start()
    passes(2)
    record.stop()  # interrupted
    passes(1000)
    record = Record(path)
    passes(30)  # reading images
    record.start()
    passes(1)
    record.begin_point(20)
    assert record.is_cut_off
    record.end_point({"score": 1.0})
    assert Record(path).points == [
        {"images": 10, "seconds": 5.0, "processor_seconds": 10.0, "score": 0.12346},
        {"images": 20, "seconds": 8.0, "processor_seconds": 16.0, "score": 1.0},
    ]
    assert not record.is_cut_off


def test_returns_are_counted_over_stops(task: Task, tmp_path: Path) -> None:
    trial = Trial("tiny", 0, 6, TINY)
    train_trial(trial, task, tmp_path / "runs", 1)
    events = tmp_path / "runs" / "tiny_0" / "events.jsonl"
    with events.open("a") as file:
        file.write(json.dumps({"event": "WentBack"}) + "\n")
    assert train_trial(trial, task, tmp_path / "runs", 1)["returns"] == 1


def test_torch_may_choose_its_threads(task: Task, tmp_path: Path) -> None:
    numbers = train_trial(Trial("tiny", 0, 2, TINY), task, tmp_path / "runs", 0)
    assert numbers["machine"]["threads"] == 0
