import itertools
import signal
import threading
from contextlib import closing
from dataclasses import replace

import imagecodecs
import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from napari_unit.models.file import load_model
from napari_unit.models.stored_statistics import to_tensors
from napari_unit.runs.events import (
    CheckpointSaved,
    Finished,
    ImagesRead,
    MemoryEstimated,
    PreviewWritten,
    Progress,
    Reading,
    Started,
)
from napari_unit.runs.latest_preview import read_latest_preview
from napari_unit_training import loop
from napari_unit_training.config_tables import Cadence, DomainSettings
from napari_unit_training.errors import TrainingError
from napari_unit_training.loop import train
from napari_unit_training.session import Session
from napari_unit_training.state import load_latest

CPU = torch.device("cpu")


def _files(out):
    return {p.name for p in out.iterdir()}


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
        "last.safetensors", "tensorboard", "control", "report.html", ".lock", "sources.json",
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


@pytest.mark.parametrize("breaks", [[2], [4, 8], [2, 2, 8]])
def test_a_resumed_run_ends_bit_equal(
    assert_equal, quiet, folders, tmp_path, uninterrupted, breaks
):
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
    assert_equal(whole, resumed)
    assert any(
        not torch.equal(whole["averaged"][n], whole["networks"][f"model.{n}"])
        for n in whole["averaged"]
    )
    one, other = (load_model(p / "last.safetensors") for p in (uninterrupted, out))
    assert_equal(one.model.state_dict(), other.model.state_dict())
    assert_equal(to_tensors(one.statistics), to_tensors(other.statistics))


def test_a_finished_run_is_finished(hash_of, quiet, folders, uninterrupted):
    before = hash_of(uninterrupted / "last.safetensors")
    events = list(train(quiet, *folders, uninterrupted))
    assert [type(e) for e in events] == [Reading, Started, Finished]
    assert hash_of(uninterrupted / "last.safetensors") == before


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


def test_what_a_kill_has_left_half_written_is_tidied_up(settings, folders, tmp_path):
    out = tmp_path / "run"
    run = train(settings, *folders, out)
    next(event for event in run if isinstance(event, CheckpointSaved))
    run.close()
    torn = out / "checkpoints" / ".partial-1-images-0000000008.pt"
    torn.write_text("half")
    list(train(settings, *folders, out))
    assert not torn.exists()


def test_a_dry_run_says_how_long_or_how_much(settings, folders, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "_speed", lambda session, data: 10.0)
    told = list(loop.rehearse(replace(settings, images_total=3000), *folders, tmp_path / "run"))[-1]
    assert (told.images_total, told.seconds) == (3000, 300)
    told = list(loop.rehearse(replace(settings, minutes=1.0), *folders, tmp_path / "run"))[-1]
    assert (told.images_total, told.seconds) == (600, 60)


def test_of_two_that_start_in_a_new_folder_one_is_refused(quiet, folders, tmp_path, monkeypatch):
    """The other one makes the folder while the first is still reading its images."""
    monkeypatch.setattr(loop, "READING_TOLD_S", 0.0)
    out = tmp_path / "run"
    with (
        closing(train(quiet, *folders, out)) as first,
        closing(train(quiet, *folders, out)) as other,
    ):
        next(event for event in first if isinstance(event, ImagesRead))
        next(event for event in other if isinstance(event, Started))
        with pytest.raises(TrainingError, match="Another process is training in"):
            list(first)
        assert isinstance(list(other)[-1], Finished)


def test_there_are_numbers_to_show_before_the_first_step(settings, folders, tmp_path):
    out = tmp_path / "run"
    run = train(settings, *folders, out)
    next(event for event in run if isinstance(event, PreviewWritten))
    next(run)
    first = read_latest_preview(out / "previews" / "latest.npz")
    assert first.domains == ("left", "right")
    assert first.images_seen == 0
    list(run)
    last = read_latest_preview(out / "previews" / "latest.npz")
    assert last.images_seen == 9
    np.testing.assert_array_equal(last.crops["a"], first.crops["a"])
    assert np.abs(last.crops["a_to_b"] - first.crops["a_to_b"]).max() > 0


def test_reports_tell_what_memory_is_taken(settings, folders, tmp_path):
    reports = [e for e in train(settings, *folders, tmp_path / "run") if isinstance(e, Progress)]
    taken = {report.memory_bytes for report in reports}
    assert taken == {None} or min(taken) > 1 << 20
