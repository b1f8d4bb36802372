import itertools
import time
from dataclasses import replace

import pytest
import torch

from napari_unit.models.file import load_model
from napari_unit.runs.control import Control
from napari_unit.runs.events import (
    CheckpointSaved,
    Finished,
    Paused,
    Progress,
    Reading,
    Stopped,
    WentBack,
    WentOn,
)
from napari_unit_training import budget
from napari_unit_training import run as run_module
from napari_unit_training.config_tables import Cadence
from napari_unit_training.data import loading
from napari_unit_training.loop import train
from napari_unit_training.session import Session

CPU = torch.device("cpu")


@pytest.fixture
def asked(settings, folders, tmp_path):
    """Return a function that starts a run, asks for something after 2 images, and goes on."""

    def start(request, settings=settings):
        out = tmp_path / "run"
        run = train(settings, *folders, out)
        events = list(itertools.takewhile(lambda e: not isinstance(e, Progress), run))
        Control(out / "control").ask(request)
        return out, events, run

    return start


def test_another_program_can_stop_a_run_that_then_goes_on(
    assert_equal, asked, quiet, folders, uninterrupted
):
    noisy = replace(quiet, cadence=Cadence(log=1, preview=1000, checkpoint=1000))
    out, _, run = asked("stop", noisy)
    events = list(run)
    assert [type(event) for event in events] == [CheckpointSaved, Stopped]
    assert events[-1].images_seen == 2
    assert not list((out / "control").iterdir())
    load_model(out / "last.safetensors")  # as it is now, for who wants to use it
    list(train(quiet, *folders, out))
    one, other = (load_model(p / "last.safetensors") for p in (uninterrupted, out))
    assert_equal(one.model.state_dict(), other.model.state_dict())


def test_another_program_can_have_a_checkpoint_now(asked):
    out, _, run = asked("checkpoint")
    saved = next(event for event in run if isinstance(event, CheckpointSaved))
    assert saved.images_seen == 2
    load_model(out / "last.safetensors")
    next(run)
    assert not (out / "control" / "checkpoint").exists()
    run.close()


def test_a_run_waits_while_it_is_asked_to(asked, monkeypatch):
    out, _, run = asked("pause")
    waited = []

    def sleep(seconds):
        waited.append(seconds)
        if len(waited) == 3:
            assert Control(out / "control").asked() == {"pause"}
            Control(out / "control").obeyed("pause")

    monkeypatch.setattr(run_module.time, "sleep", sleep)
    events = list(run)
    assert [type(event) for event in events[:2]] == [Paused, WentOn]
    assert len(waited) == 3
    assert isinstance(events[-1], Finished)


def test_a_paused_run_can_be_stopped(asked):
    out, _, run = asked("pause")
    assert isinstance(next(run), Paused)
    Control(out / "control").ask("stop")
    assert [type(event) for event in run] == [WentOn, CheckpointSaved, Stopped]


def test_what_was_asked_of_an_earlier_start_is_forgotten(settings, folders, tmp_path):
    out = tmp_path / "run"
    run = train(settings, *folders, out)
    next(event for event in run if isinstance(event, Progress))
    run.close()
    Control(out / "control").ask("stop")
    assert isinstance(list(train(settings, *folders, out))[-1], Finished)


@pytest.mark.parametrize("request_", ["checkpoint", "stop"])
def test_a_request_at_a_bad_moment_takes_the_run_back(asked, monkeypatch, request_):
    _, _, run = asked(request_)
    finite = iter([False])
    monkeypatch.setattr(Session, "is_finite", lambda _: next(finite, True))
    events = list(run)
    assert isinstance(events[0], WentBack)
    assert isinstance(events[-1], Stopped if request_ == "stop" else Finished)


def test_with_a_time_the_run_sees_as_many_images_as_fit_into_it(
    settings, folders, tmp_path, monkeypatch
):
    monkeypatch.setattr(budget, "_MEASURED_S", (0.05, 0.1))
    timed = replace(
        settings, minutes=1.5 / 60, cadence=Cadence(log=10, preview=1000, checkpoint=20)
    )
    began = time.monotonic()
    events = list(train(timed, *folders, tmp_path / "run"))
    assert 0.3 < time.monotonic() - began < 6  # the machine may have other work
    reports = [event for event in events if isinstance(event, Progress)]
    assert events[-1].images_seen == reports[-1].images_total == reports[-1].images_seen
    assert reports[-1].learning_rate < 0.2 * settings.generator_learning_rate


def test_a_run_that_is_told_to_stop_while_it_reads_its_images_stops_there(
    quiet, folders, tmp_path, read_events, monkeypatch
):
    out = tmp_path / "run"
    read = []
    real = loading.measure_images

    def ask_and_measure(usable, *rest):
        if not read:
            Control(out / "control").ask("stop")
        read.append(usable)
        return real(usable, *rest)

    monkeypatch.setattr(loading, "measure_images", ask_and_measure)
    events = list(train(quiet, *folders, out))
    assert [type(event) for event in events] == [Reading, Stopped]
    assert not Control(out / "control").asked()
    assert not (out / "settings.json").exists()
    monkeypatch.setattr(loading, "measure_images", real)
    assert isinstance(list(train(quiet, *folders, out))[-1], Finished)
    # a run that has got somewhere says where it is
    again = replace(quiet, images_total=9)
    read.clear()
    monkeypatch.setattr(loading, "measure_images", ask_and_measure)
    assert list(train(again, *folders, out))[-1] == Stopped(9)
    assert read_events(out)[-1]["event"] == "Stopped"
