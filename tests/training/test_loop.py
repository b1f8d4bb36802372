import errno
import hashlib
import itertools
import os
import shutil
import signal
import sys
import threading
import time
from contextlib import closing
from dataclasses import replace

import imagecodecs
import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from napari_unit.models.file import load_model
from napari_unit_training import budget, loop
from napari_unit_training import run as run_module
from napari_unit_training.config_tables import Cadence, DomainSettings, Watchdog
from napari_unit_training.control import Control
from napari_unit_training.errors import TrainingError
from napari_unit_training.events import (
    CheckpointSaved,
    Finished,
    ImagesRead,
    MemoryEstimated,
    Paused,
    PreviewWritten,
    Progress,
    Reading,
    Started,
    Stopped,
    WentBack,
    WentOn,
)
from napari_unit_training.loop import train
from napari_unit_training.session import Session
from napari_unit_training.state import load_latest

CPU = torch.device("cpu")


def _files(out):
    return {p.name for p in out.iterdir()}


def _hash(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _assert_equal(one, other, where=""):
    if isinstance(one, dict):
        assert one.keys() == other.keys(), where
        for key in one:
            _assert_equal(one[key], other[key], f"{where}.{key}")
    elif isinstance(one, list | tuple):
        assert len(one) == len(other), where
        for index, pair in enumerate(zip(one, other, strict=True)):
            _assert_equal(*pair, f"{where}[{index}]")
    elif isinstance(one, torch.Tensor):
        assert torch.equal(one, other), where
    else:
        assert one == other, where


def test_a_run_reports_saves_previews_and_exports(settings, folders, tmp_path, read_events):
    out = tmp_path / "run"
    events = list(train(settings, *folders, out))
    kinds = [Reading, MemoryEstimated, Started, PreviewWritten]
    assert [type(event) for event in events[:4]] == kinds
    assert (events[1].batch_size, events[1].crop_px) == (2, 32)
    assert events[1].memory_bytes > 0
    assert events[2].domains == ("left", "right")
    assert events[2].n_images == (3, 2)
    progress = [e for e in events if isinstance(e, Progress)]
    assert [e.images_seen for e in progress] == [2, 4, 6, 8, 9]
    assert progress[-1].seconds_left == 0
    assert all(np.isfinite(list(e.losses.values())).all() and len(e.losses) == 14 for e in progress)
    saved = [e for e in events if isinstance(e, CheckpointSaved)]
    assert [e.images_seen for e in saved] == [4, 8, 9]
    previews = [e for e in events if isinstance(e, PreviewWritten)]
    assert [(e.images_seen, e.path.name) for e in previews] == [
        (0, "augmented.png"), (9, "images-0000000009.png"),
    ]  # fmt: skip
    for preview, n_columns in zip(previews, (10, 8), strict=True):
        with Image.open(preview.path) as picture:
            assert picture.size == (n_columns * 34 - 2, 4 * 34 - 2)
    assert events[-1] == Finished(9, out / "last.safetensors")
    assert _files(out) == {
        "settings.json", "data.json", "events.jsonl", "checkpoints", "previews",
        "last.safetensors", "tensorboard", "control", "report.html", ".lock",
    }  # fmt: skip
    assert [e["event"] for e in read_events(out)] == [type(e).__name__ for e in events[2:]]


def test_it_says_how_many_images_are_read(settings, folders, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "READING_TOLD_S", 0.0)
    run = train(settings, *folders, tmp_path / "run")
    told = []
    for event in run:
        if isinstance(event, Started):
            break
        told.append(event)
    run.close()
    assert told[1:-1] == [ImagesRead(n) for n in range(1, 6)]


def test_closing_while_images_are_read_writes_nothing(settings, folders, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "READING_TOLD_S", 0.0)
    with closing(train(settings, *folders, tmp_path / "run")) as run:
        next(event for event in run if isinstance(event, ImagesRead))
    assert not (tmp_path / "run").exists()
    assert not [t for t in threading.enumerate() if "napari-unit" in t.name]


def test_the_model_so_far_can_be_used_during_the_run(settings, folders, tmp_path):
    out = tmp_path / "run"
    with closing(train(settings, *folders, out)) as run:
        for event in run:
            if isinstance(event, CheckpointSaved):
                break
        assert load_model(out / "last.safetensors").card.training["images_seen"] == 4


@pytest.fixture
def uninterrupted(quiet, folders, tmp_path):
    out = tmp_path / "whole"
    list(train(quiet, *folders, out))
    return out


@pytest.mark.parametrize("breaks", [[2], [4, 8], [2, 2, 8]])
def test_a_resumed_run_ends_bit_equal(quiet, folders, tmp_path, uninterrupted, breaks):
    out = tmp_path / "resumed"
    noisy = replace(quiet, cadence=Cadence(log=1, preview=1000, checkpoint=1000))
    for at in breaks:
        with closing(train(noisy, *folders, out)) as run:
            for event in run:
                if isinstance(event, Progress) and event.images_seen >= at:
                    break
    events = list(train(quiet, *folders, out))
    assert isinstance(events[1], Started)
    assert events[1].images_seen >= breaks[-1]
    whole, resumed = (load_latest(p / "checkpoints", CPU) for p in (uninterrupted, out))
    assert set(whole) == {
        "images_seen", "images_total", "returns", "networks", "averaged", "generator_optimiser",
        "discriminator_optimiser", "watch", "reporter", "judge", "spent_s",
    }  # fmt: skip
    _assert_equal(whole, resumed)
    assert any(
        not torch.equal(whole["averaged"][n], whole["networks"][f"model.{n}"])
        for n in whole["averaged"]
    )
    one, other = (load_model(p / "last.safetensors") for p in (uninterrupted, out))
    _assert_equal(one.model.state_dict(), other.model.state_dict())


def test_a_finished_run_is_finished(quiet, folders, uninterrupted):
    before = _hash(uninterrupted / "last.safetensors")
    events = list(train(quiet, *folders, uninterrupted))
    assert [type(e) for e in events] == [Reading, Started, Finished]
    assert _hash(uninterrupted / "last.safetensors") == before


def test_ctrl_c_ends_after_the_step_with_a_checkpoint(quiet, folders, tmp_path, monkeypatch):
    out = tmp_path / "run"
    step = Session.step

    def interrupted(self, data):
        if self.images_seen == 4:
            signal.raise_signal(signal.SIGINT)
        return step(self, data)

    monkeypatch.setattr(Session, "step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        list(train(quiet, *folders, out))
    assert load_latest(out / "checkpoints", CPU)["images_seen"] == 6
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_run_in_a_thread_works_too(quiet, folders, tmp_path):
    events = []
    thread = threading.Thread(target=lambda: events.extend(train(quiet, *folders, tmp_path / "r")))
    thread.start()
    thread.join()
    assert isinstance(events[-1], Finished)


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
    assert load_model(out / "last.safetensors").card.training["images_seen"] == 4


def test_a_kill_after_a_return_goes_on_from_there_to_the_same_bits(
    settings, folders, tmp_path, monkeypatch
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
    _assert_equal(one, other)


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
    quiet, folders, tmp_path, uninterrupted, code
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
    before = {path: _hash(path) for path in files}
    refused.append(True)
    with pytest.raises(OSError, match=os.strerror(code)):
        list(run)
    refused.clear()
    assert {path: _hash(path) for path in before} == before
    list(train(quiet, *folders, out))
    assert _hash(out / "last.safetensors") == _hash(uninterrupted / "last.safetensors")


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
    with pytest.raises(TrainingError, match=r"not finite: weights\).*there is no checkpoint yet"):
        list(train(once, *folders, tmp_path / "run"))
    assert not (tmp_path / "run" / "checkpoints").exists()


def test_other_settings_are_refused_before_the_images_are_read(quiet, uninterrupted, tmp_path):
    nowhere = tmp_path / "nowhere"
    with pytest.raises(TrainingError, match="other settings: seed was 3 and is 4"):
        next(train(replace(quiet, seed=4), nowhere, nowhere, uninterrupted))


def test_other_images_are_refused(quiet, folders, uninterrupted):
    with pytest.raises(TrainingError, match="other images of domain a and domain b"):
        list(train(quiet, folders[1], folders[0], uninterrupted))


def test_two_domains_of_one_name_are_refused(quiet, folders, tmp_path):
    same = replace(quiet, domain_b=DomainSettings(name="left"))
    with pytest.raises(TrainingError, match=r"Both domains are called 'left'; .*--name-a"):
        list(train(same, *folders, tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_a_folder_of_mixed_files_trains_a_model_that_translates(settings, tmp_path):
    random = np.random.default_rng(0)
    gray, colour = tmp_path / "gray", tmp_path / "colour"
    gray.mkdir()
    colour.mkdir()
    tifffile.imwrite(gray / "a.tif", random.integers(0, 4000, (40, 37), dtype=np.uint16))
    tifffile.imwrite(gray / "b.tiff", random.normal(0, 1e-3, (33, 64)).astype(np.float32))
    for name, dtype in (("c", np.uint8), ("d", np.uint16)):
        pixels = random.integers(0, 255, (35, 35)).astype(dtype)
        (gray / f"{name}.png").write_bytes(imagecodecs.png_encode(pixels))
    (gray / "e.jpg").write_bytes(imagecodecs.jpeg_encode(pixels.astype(np.uint8)))
    rgb = random.integers(0, 255, (36, 50, 3)).astype(np.uint8)
    (colour / "a.jpeg").write_bytes(imagecodecs.jpeg_encode(rgb))
    (colour / "b.png").write_bytes(imagecodecs.png_encode(rgb.astype(np.uint16) * 256))
    tifffile.imwrite(colour / "c.tif", np.moveaxis(rgb, 2, 0), photometric="rgb",
                     planarconfig="separate")  # fmt: skip
    rgba = np.concatenate([rgb, rgb[..., :1]], 2)
    (colour / "d.png").write_bytes(imagecodecs.png_encode(rgba))

    wanted = replace(settings, images_total=4, weights_dtype="float16")
    events = list(train(wanted, gray, colour, tmp_path / "run"))
    assert any("alpha channel" in note for note in events[2].notes)
    loaded = load_model(events[-1].model_path)
    assert [d.n_channels for d in loaded.card.domains] == [1, 3]
    with torch.no_grad():
        translated = loaded.model.translate(torch.zeros(1, 1, 33, 41), "left", "right")
    assert translated.shape == (1, 3, 33, 41)
    assert torch.isfinite(translated).all()


def _reports(events):
    return {e.images_seen: e.losses for e in events if isinstance(e, Progress)}


def test_a_run_that_was_broken_off_reports_the_same_losses(settings, folders, tmp_path):
    """Reports every 3 images and checkpoints every 4: a report spans the break."""
    uneven = replace(settings, cadence=Cadence(log=3, preview=1000, checkpoint=4))
    whole = list(train(uneven, *folders, tmp_path / "whole"))
    out = tmp_path / "broken"
    with closing(train(uneven, *folders, out)) as run:
        first = list(itertools.takewhile(lambda e: not isinstance(e, CheckpointSaved), run))
    second = list(train(uneven, *folders, out))
    assert _reports([*first, *second]) == _reports(whole)


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


def test_another_program_can_stop_a_run_that_then_goes_on(asked, quiet, folders, uninterrupted):
    noisy = replace(quiet, cadence=Cadence(log=1, preview=1000, checkpoint=1000))
    out, _, run = asked("stop", noisy)
    events = list(run)
    assert [type(event) for event in events] == [CheckpointSaved, Stopped]
    assert events[-1].images_seen == 2
    assert not list((out / "control").iterdir())
    assert not (out / "last.safetensors").exists()
    list(train(quiet, *folders, out))
    one, other = (load_model(p / "last.safetensors") for p in (uninterrupted, out))
    _assert_equal(one.model.state_dict(), other.model.state_dict())


def test_another_program_can_have_a_checkpoint_now(asked):
    out, _, run = asked("checkpoint")
    saved = next(event for event in run if isinstance(event, CheckpointSaved))
    assert saved.images_seen == 2
    next(run)
    assert not (out / "control" / "checkpoint").exists()
    run.close()


def test_a_run_waits_while_it_is_asked_to(asked, monkeypatch):
    out, _, run = asked("pause")
    waited = []

    def sleep(seconds):
        waited.append(seconds)
        if len(waited) == 3:
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


def test_what_a_kill_has_left_half_written_is_tidied_up(settings, folders, tmp_path):
    out = tmp_path / "run"
    run = train(settings, *folders, out)
    next(event for event in run if isinstance(event, CheckpointSaved))
    run.close()
    torn = out / "checkpoints" / ".partial-1-images-0000000008.pt"
    torn.write_text("half")
    list(train(settings, *folders, out))
    assert not torn.exists()


@pytest.mark.parametrize("request_", ["checkpoint", "stop"])
def test_a_request_at_a_bad_moment_takes_the_run_back(asked, monkeypatch, request_):
    _, _, run = asked(request_)
    finite = iter([False])
    monkeypatch.setattr(Session, "is_finite", lambda _: next(finite, True))
    events = list(run)
    assert isinstance(events[0], WentBack)
    assert isinstance(events[-1], Stopped if request_ == "stop" else Finished)


def test_a_return_into_the_warm_start_is_not_judged_by_what_came_after_it(
    settings, folders, tmp_path, monkeypatch
):
    warm = replace(
        settings,
        images_total=30,
        warm_start_images=12,
        cadence=Cadence(log=100, preview=1000, checkpoint=9),
        watchdog=Watchdog(every_images=2, patience=2, grace_images=0),
    )
    step = Session.step

    def black(self, data):
        losses = step(self, data)
        if self.images_seen > 12 and self.returns == 0:
            images, fakes = self.last_batch
            self.last_batch = (images, replace(fakes, b=torch.full_like(fakes.b, -1.0)))
        return losses

    monkeypatch.setattr(Session, "step", black)
    events = list(train(warm, *folders, tmp_path / "run"))
    assert len([event for event in events if isinstance(event, WentBack)]) == 1
    assert isinstance(events[-1], Finished)
