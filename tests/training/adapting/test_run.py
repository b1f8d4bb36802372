import csv
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open

from napari_unit_training.adapting.run import (
    AdaptationProgress,
    AdaptationStarted,
    Adapted,
    adapt,
)
from napari_unit_training.adapting.session import AdaptationSession
from napari_unit_training.adapting.settings import AdaptationSettings
from napari_unit_training.errors import TrainingError


@pytest.fixture
def pair(files):
    return files("source", 0, n_channels=3), files("target", 1, inverted=True)


@pytest.mark.parametrize("method", ["unit", "cogan"])
def test_a_run_leaves_a_classifier_and_says_how_good_it_is(small, pair, tmp_path, method):
    out = tmp_path / "run"
    started, *reports, adapted = adapt(replace(small, method=method), *pair, out)
    assert isinstance(started, AdaptationStarted)
    assert started.n_images == (64, 64, 32)
    assert [r.steps_done for r in reports] == [3, 6]
    assert all(isinstance(r, AdaptationProgress) for r in reports)
    assert isinstance(adapted, Adapted)
    with (out / "predictions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    with np.load(pair[1]) as arrays:
        right = [
            row["class"] == str(true) for row, true in zip(rows, arrays["y_test"], strict=True)
        ]
    assert adapted.accuracy == np.mean(right)
    result = json.loads((out / "result.json").read_text())
    assert (result["accuracy"], result["steps"]) == (adapted.accuracy, 6)
    with safe_open(adapted.path, "pt") as weights:
        about = json.loads(weights.metadata()["napari_unit_adaptation"])
        assert "classes.weight" in weights.keys()  # noqa: SIM118  no mapping
    assert about["classes"] == ["0", "1"]
    with Image.open(out / "pictures.png") as picture:
        assert picture.width == 16 * 17


def test_the_classifier_learns_what_labels_say(small, files, tmp_path):
    settings = replace(small, steps=80, learning_rate=3e-3, discriminator_width=8, batch_size=16)
    source, target = files("alike", 0), files("target", 1)  # one domain, other images
    for method in ("target-supervised", "source-only"):
        *_, adapted = adapt(replace(settings, method=method), source, target, tmp_path / method)
        assert adapted.accuracy > 0.9


def test_no_label_of_the_target_is_learned_from(small, pair, tmp_path):
    """With other labels of the target the weights are the same to the last bit."""
    with np.load(pair[1]) as arrays:
        other = dict(arrays) | {"y_train": 1 - arrays["y_train"]}
    np.savez(tmp_path / "other.npz", **other)
    found = []
    for name, target in (("one", pair[1]), ("two", tmp_path / "other.npz")):
        list(adapt(small, pair[0], target, tmp_path / name))
        found.append((tmp_path / name / "classifier.safetensors").read_bytes())
    assert found[0] == found[1]


def test_it_goes_on_to_the_same_bits(small, pair, tmp_path):
    *_, whole = adapt(small, *pair, tmp_path / "whole")
    broken = tmp_path / "broken"
    for n_events in (1, 2):  # after the start, and after the first report
        events = adapt(small, *pair, broken)
        for _ in range(n_events):
            next(events)
        events.close()
    started, *_, adapted = adapt(small, *pair, broken)
    assert started.steps_done == 3
    assert adapted.path.read_bytes() == whole.path.read_bytes()


def test_an_interruption_saves_what_is_done(small, pair, tmp_path):
    settings = replace(small, report_every=2, checkpoint_every=100)
    events = adapt(settings, *pair, tmp_path / "run")
    next(events)
    next(events)
    events.close()
    assert next(adapt(settings, *pair, tmp_path / "run")).steps_done == 2


def test_a_finished_run_and_other_settings_are_refused(small, pair, tmp_path):
    list(adapt(small, *pair, tmp_path / "run"))
    with pytest.raises(TrainingError, match="is finished; give another --out"):
        next(adapt(small, *pair, tmp_path / "run"))
    with pytest.raises(TrainingError, match="is finished"):  # before images are read
        next(adapt(small, tmp_path / "none.npz", tmp_path / "none.npz", tmp_path / "run"))
    events = adapt(small, *pair, tmp_path / "other")
    next(events)
    events.close()
    with pytest.raises(TrainingError, match="width was 2 and is 3"):
        next(adapt(replace(small, width=3), *pair, tmp_path / "other"))
    assert next(adapt(replace(small, report_every=5), *pair, tmp_path / "other"))


def test_other_images_are_refused(small, pair, files, tmp_path):
    events = adapt(small, *pair, tmp_path / "run")
    next(events)
    with pytest.raises(TrainingError, match="Another process is at the adaptation"):
        next(adapt(small, *pair, tmp_path / "run"))
    events.close()
    with pytest.raises(TrainingError, match="other images of the target; give the same"):
        next(adapt(small, pair[0], files("another", 9), tmp_path / "run"))
    assert next(adapt(small, *pair, tmp_path / "run"))


def test_what_was_told_of_lost_steps_is_told_once(small, pair, tmp_path):
    settings = replace(small, report_every=1)
    events = adapt(settings, *pair, tmp_path / "run")
    for _ in range(6):
        next(events)
    with pytest.raises(KeyboardInterrupt):  # a kill would not have saved step 5
        events.throw(KeyboardInterrupt)
    last = sorted((tmp_path / "run" / "checkpoints").iterdir())[-1]
    last.unlink()
    with (tmp_path / "run" / "progress.jsonl").open("a") as file:
        file.write('{"steps_done": ')
    assert next(iter(adapt(settings, *pair, tmp_path / "run"))).steps_done == 3
    list(adapt(settings, *pair, tmp_path / "run"))
    lines = (tmp_path / "run" / "progress.jsonl").read_text().splitlines()
    assert [json.loads(line)["steps_done"] for line in lines] == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("name", ["file", "folder"])
def test_what_is_no_adaptation_is_left_alone(small, pair, tmp_path, name):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "notes.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    with pytest.raises(TrainingError, match=r"is a file|has files but no adaptation"):
        next(adapt(small, *pair, tmp_path / name))
    assert (tmp_path / "folder" / "notes.txt").read_text() == "mine"


def test_negatives_of_the_target_can_be_added(small, pair, tmp_path):
    started = next(adapt(replace(small, inverted_target=True), *pair, tmp_path / "run"))
    assert started.n_images == (64, 128, 32)


def test_a_loss_that_is_no_number_ends_it(small, pair, tmp_path, monkeypatch):
    step = AdaptationSession.step
    monkeypatch.setattr(
        AdaptationSession,
        "step",
        lambda session: step(session) | {"generators_kl": torch.tensor(float("nan"))},
    )
    with pytest.raises(TrainingError, match=r"by step 3 \(not finite: generators_kl\)"):
        list(adapt(small, *pair, tmp_path / "run"))
    assert not (tmp_path / "run" / "result.json").exists()


def test_a_run_that_has_gone_wrong_stays_unfinished(small, pair, tmp_path, monkeypatch):
    """What it saved before is good, so it can go on from there."""
    settings = replace(small, report_every=100, checkpoint_every=3)
    step = AdaptationSession.step

    def spoiled(session):
        losses = step(session)
        if session.steps_done == 5:
            with torch.no_grad():
                next(session.adaptation.discriminators.parameters()).fill_(float("nan"))
        return losses

    monkeypatch.setattr(AdaptationSession, "step", spoiled)
    for _ in range(2):
        with pytest.raises(TrainingError, match="by step 6"):
            list(adapt(settings, *pair, tmp_path / "run"))
        assert not (tmp_path / "run" / "result.json").exists()
    monkeypatch.setattr(AdaptationSession, "step", step)
    started, *_, adapted = adapt(settings, *pair, tmp_path / "run")
    assert started.steps_done == 3
    assert adapted.accuracy is not None


def test_probabilities_that_are_no_numbers_are_not_written(small, pair, tmp_path, monkeypatch):
    nothing = torch.full((32, 2), float("nan"))
    monkeypatch.setattr(AdaptationSession, "classify", lambda session, images: nothing)
    with pytest.raises(TrainingError, match="not finite: probabilities of the classes"):
        list(adapt(small, *pair, tmp_path / "run"))
    assert not (tmp_path / "run" / "classifier.safetensors").exists()


def test_an_interruption_saves_no_state_that_has_gone_wrong(small, pair, tmp_path, monkeypatch):
    settings = replace(small, report_every=4, checkpoint_every=3)
    step = AdaptationSession.step

    def interrupted(session):
        if session.steps_done == 5:
            raise KeyboardInterrupt
        wrong = {"generators_kl": torch.tensor(float("nan"))} if session.steps_done == 4 else {}
        return step(session) | wrong

    monkeypatch.setattr(AdaptationSession, "step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        list(adapt(settings, *pair, tmp_path / "run"))
    monkeypatch.setattr(AdaptationSession, "step", step)
    assert next(adapt(settings, *pair, tmp_path / "run")).steps_done == 3


def test_pictures_are_the_same_each_time_and_from_all_over_the_set(small, files, tmp_path):
    pair = files("source", 0), files("target", 1)
    for seed, name in enumerate(("one", "two")):
        torch.manual_seed(seed)
        list(adapt(small, *pair, tmp_path / name))
    pictures = [(tmp_path / name / "pictures.png").read_bytes() for name in ("one", "two")]
    assert pictures[0] == pictures[1]
    with Image.open(tmp_path / "one" / "pictures.png") as picture, np.load(pair[0]) as arrays:
        last = np.asarray(picture)[:16, 15 * 17 : 15 * 17 + 16, 0]
        assert (last == arrays["x_train"][60]).all()


@pytest.mark.parametrize(
    "change",
    [{"side_px": 20}, {"betas": (0.5, 1.0)}, {"batch_size": 1}, {"decay_fraction": 2.0}],
)
def test_settings_out_of_bounds_are_refused(change):
    with pytest.raises(TrainingError, match="must"):
        replace(AdaptationSettings(), **change)
