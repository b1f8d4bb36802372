import errno
import os
import shutil
import sys
from contextlib import closing
from dataclasses import replace

import pytest
import torch

from napari_unit.models.file import load_model
from napari_unit.runs.events import (
    CheckpointSaved,
    Finished,
    Progress,
    WentBack,
)
from napari_unit_training import run as run_module
from napari_unit_training.config_tables import Cadence, Validation, Watchdog
from napari_unit_training.errors import TrainingError
from napari_unit_training.loop import train
from napari_unit_training.report.record import read_record
from napari_unit_training.run_folder import RunFolder
from napari_unit_training.session import Session
from napari_unit_training.state import load_latest

CPU = torch.device("cpu")


def _spoiled(monkeypatch, when, name="cycle_a"):
    """Make the losses of some steps not finite; return the learning rates of all steps."""
    step, rates = Session.step, []

    def spoil(self, data):
        rates.append(self.settings.generator_learning_rate * self.learning_rate_factor)
        losses = step(self, data)
        if when(self):
            losses[name] = losses[name] * float("nan")
        return losses

    monkeypatch.setattr(Session, "step", spoil)
    return rates


def test_losses_that_are_not_finite_take_the_run_back_with_a_lower_rate(
    settings, folders, tmp_path, monkeypatch, read_events
):
    out = tmp_path / "run"
    steady = replace(settings, decay_fraction=0.0)
    rates = _spoiled(monkeypatch, lambda s: s.images_seen == 6 and s.returns == 0)
    events = list(train(steady, *folders, out))
    (back,) = [event for event in events if isinstance(event, WentBack)]
    assert back == WentBack(6, 4, "not finite: cycle_a", 1, 3)
    assert events[-1] == Finished(9, out / "last.safetensors")
    rate = settings.generator_learning_rate
    assert rates == pytest.approx([rate] * 3 + [rate / 2] * 3)
    assert "WentBack" in [event["event"] for event in read_events(out)]


def test_without_a_checkpoint_it_begins_anew(quiet, folders, tmp_path, monkeypatch):
    watchful = replace(quiet, watchdog=Watchdog(every_images=2))
    _spoiled(monkeypatch, lambda s: s.images_seen == 6 and s.returns == 0)
    events = list(train(watchful, *folders, tmp_path / "run"))
    assert [e.to_images_seen for e in events if isinstance(e, WentBack)] == [0]
    assert isinstance(events[-1], Finished)


def test_it_gives_up_after_some_returns_and_keeps_the_checkpoint(
    settings, folders, tmp_path, monkeypatch, read_events
):
    out = tmp_path / "run"
    _spoiled(monkeypatch, lambda s: s.images_seen == 6)
    events = []
    sentence = (
        r"wrong after 6 images \(not finite: cycle_a\) and has gone back 2 times; the checkpoint "
        "at 4 images is kept"
    )
    with pytest.raises(TrainingError, match=sentence):
        events.extend(train(replace(settings, watchdog=Watchdog(max_returns=2)), *folders, out))
    told = read_events(out)[-1]
    assert (told["event"], told["images_seen"]) == ("GaveUp", 6)
    assert (out / "report.html").is_file()
    assert load_latest(out / "checkpoints", CPU)["images_seen"] == 4
    kept = load_model(out / "last.safetensors")
    assert kept.card.training["images_seen"] == 4
    assert kept.statistics is None  # on the way they would take longer than the training


def test_a_kill_after_a_return_goes_on_from_there_to_the_same_bits(
    assert_equal, settings, folders, tmp_path, monkeypatch
):
    _spoiled(monkeypatch, lambda s: s.images_seen == 6 and s.returns == 0)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    list(train(settings, *folders, whole))
    run = train(settings, *folders, killed)
    next(event for event in run if isinstance(event, WentBack))
    shutil.copytree(killed, tmp_path / "as it was")
    run.close()
    resumed = list(train(settings, *folders, tmp_path / "as it was"))
    assert resumed[1].images_seen == 4
    one, other = (load_latest(p / "checkpoints", CPU) for p in (whole, tmp_path / "as it was"))
    assert one["returns"] == other["returns"] == 1
    assert_equal(one, other)


def test_a_run_in_doubt_goes_back_to_before_the_doubt(settings, folders, tmp_path, monkeypatch):
    """Constant translations are noticed late: checkpoints saved meanwhile are not gone back to."""
    out = tmp_path / "run"
    watchful = replace(
        settings, images_total=40, watchdog=Watchdog(every_images=2, patience=3, grace_images=0)
    )
    step = Session.step

    def black(self, data):
        losses = step(self, data)
        if self.images_seen >= 8 and self.returns == 0:
            images, fakes = self.last_batch
            self.last_batch = (images, replace(fakes, b=torch.full_like(fakes.b, -1.0)))
        return losses

    monkeypatch.setattr(Session, "step", black)
    events = list(train(watchful, *folders, out))
    saved = [event.path.stem for event in events if isinstance(event, CheckpointSaved)]
    doubtful = [name for name in saved if "doubtful" in name]
    assert doubtful
    (back,) = [event for event in events if isinstance(event, WentBack)]
    assert back.trouble == "translations into 'right' are nearly constant"
    assert back.to_images_seen < int(doubtful[0].split("-")[1]) <= back.images_seen
    assert saved[-1] == "images-0000000040"
    assert isinstance(events[-1], Finished)
    assert not list((out / "checkpoints").glob("*doubtful*"))


def test_a_device_that_runs_out_of_memory_is_a_sentence(quiet, folders, tmp_path, monkeypatch):
    def too_much(self, data):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")

    monkeypatch.setattr(Session, "step", too_much)
    with pytest.raises(TrainingError, match="has too little memory for batches of 2 crops of 32"):
        list(train(quiet, *folders, tmp_path / "run"))


def test_a_last_checkpoint_that_cannot_be_saved_is_told(quiet, folders, tmp_path, monkeypatch):
    def full(folder, state, *, is_good):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(run_module, "save_checkpoint", full)
    events = train(replace(quiet, cadence=Cadence(log=2, preview=1000, checkpoint=1000)), *folders,
                   tmp_path / "run")  # fmt: skip
    next(event for event in events if isinstance(event, Progress))
    with pytest.raises(OSError, match="No space left"):
        events.close()


@pytest.mark.parametrize("code", [errno.EROFS, errno.ENOSPC])
def test_a_folder_that_cannot_be_written_to_loses_nothing_that_was_saved(
    hash_of, quiet, folders, tmp_path, uninterrupted, code
):
    """As root, which many containers run as, no permission refuses; so the system is made to."""
    out, refused = tmp_path / "run", []

    def refuse(event, arguments):
        if refused and event in ("open", "os.rename", "os.remove"):
            path, mode = str(arguments[0]), arguments[1] if event == "open" else "w"
            if path.startswith(str(out)) and mode is not None and set("wax+") & set(mode):
                raise OSError(code, os.strerror(code), path)

    sys.addaudithook(refuse)  # stays for good, and does nothing from the end of this test on
    run = train(quiet, *folders, out)
    next(event for event in run if isinstance(event, CheckpointSaved))
    files = [p for p in out.rglob("*") if p.is_file() and p.parent.name != "tensorboard"]
    before = {path: hash_of(path) for path in files}
    refused.append(True)
    with pytest.raises(OSError, match=os.strerror(code)):
        list(run)
    refused.clear()
    assert {path: hash_of(path) for path in before} == before
    list(train(quiet, *folders, out))
    assert hash_of(out / "last.safetensors") == hash_of(uninterrupted / "last.safetensors")


def test_weights_that_are_not_finite_are_never_saved(quiet, folders, tmp_path, monkeypatch):
    step = Session.step

    def diverging(self, data):
        losses = step(self, data)
        with torch.no_grad():
            next(self.unit.model.parameters()).fill_(float("inf"))
        return losses

    monkeypatch.setattr(Session, "step", diverging)
    once = replace(
        quiet,
        cadence=Cadence(log=1000, preview=1000, checkpoint=2),
        watchdog=Watchdog(max_returns=0),
    )
    sentence = r"not finite: weights or their moments\).*there is no checkpoint yet"
    with pytest.raises(TrainingError, match=sentence):
        list(train(once, *folders, tmp_path / "run"))
    assert not (tmp_path / "run" / "checkpoints").exists()


def test_the_best_model_stays_known_over_a_return_and_a_break(
    settings, write_images, tmp_path, monkeypatch
):
    scores = iter([0.8, 0.1, 0.9, 0.9, 0.9, 0.9, 0.9])
    monkeypatch.setattr("napari_unit_training.judge.score_of", lambda quality: next(scores))
    _spoiled(monkeypatch, lambda s: s.images_seen == 7 and s.returns == 0)
    sources = (write_images("a", [(36, 36)] * 5, 1), write_images("b", [(36, 36)] * 5, 2))
    measured = replace(
        settings,
        batch_size=1,
        cadence=Cadence(log=1, preview=100, checkpoint=4, quality=3),
        validation=Validation(held_out=0.2, crops=4),
    )
    out = tmp_path / "run"
    with closing(train(measured, *sources, out)) as run:
        back = next(event for event in run if isinstance(event, WentBack))
    assert back.to_images_seen == 4
    list(train(measured, *sources, out))
    assert load_model(out / "best.safetensors").card.training["images_seen"] == 6
    record = read_record(RunFolder(out))
    assert record.best is not None
    assert (record.best.images_seen, record.best.score) == (6, 0.1)
