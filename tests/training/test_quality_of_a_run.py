"""Quality measured during a run, the best model, and the page at its end."""

from contextlib import closing
from dataclasses import replace

import pytest

from napari_unit.models.file import load_model
from napari_unit.runs.events import CheckpointSaved, Finished, QualityMeasured, Started
from napari_unit_training.config_tables import Cadence, Validation
from napari_unit_training.data.sources import ValidationSources, validation_of
from napari_unit_training.errors import TrainingError
from napari_unit_training.judge import Judge, score_of
from napari_unit_training.loop import train
from napari_unit_training.quality.measures import DirectionQuality
from napari_unit_training.quality.paired import PairedQuality


@pytest.fixture
def many(write_images_in, tmp_path):
    return _many(write_images_in, tmp_path)


def _many(write, where):
    return (
        write(where, "many_a", [(40, 40)] * 6, 1),
        write(where, "many_b", [(36, 36)] * 7, 2),
    )


@pytest.fixture(scope="module")
def whole(measured, write_images_in, tmp_path_factory, one_thread):
    """Train without a break, once: the folder, which is only read, and the events."""
    where = tmp_path_factory.mktemp("whole")
    return where / "run", list(train(measured, *_many(write_images_in, where), where / "run"))


@pytest.fixture(scope="module")
def measured(settings):
    return replace(
        settings,
        images_total=8,
        cadence=Cadence(log=2, preview=100, checkpoint=4, quality=2),
        validation=Validation(held_out=0.2, crops=4),
    )


def _measured(events):
    return [event for event in events if isinstance(event, QualityMeasured)]


def _quality(distance, ssim=None):
    pair = None if ssim is None else PairedQuality(20.0, ssim, 0.5)
    return DirectionQuality("a", "b", distance, None, 0.1, 0.01, 1.0, 0.1, 0.9, pair)


def test_the_best_model_is_the_one_with_the_smallest_distance(whole):
    out, events = whole
    found = _measured(events)
    assert [e.images_seen for e in found] == [2, 4, 6, 8]
    directions = [(q["source"], q["target"]) for q in found[0].directions]
    assert directions == [("left", "right"), ("right", "left")]
    assert found[0].score == pytest.approx(sum(q["distance"] for q in found[0].directions) / 2)
    best = min(found, key=lambda e: e.score)
    assert [e for e in found if e.is_best][-1] is best
    kept = load_model(out / "best.safetensors")
    assert kept.statistics is not None
    card = kept.card
    assert card.training["images_seen"] == best.images_seen
    assert events[-1] == Finished(8, out / "best.safetensors")
    assert load_model(out / "last.safetensors").card.training["images_seen"] == 8


def test_held_out_images_are_not_learned_from_and_said(whole):
    out, events = whole
    started = next(e for e in events if isinstance(e, Started))
    assert started.n_images == (5, 6)
    assert "1 of the 6 images of left are held out: quality is measured there." in started.notes
    card = load_model(out / "last.safetensors").card
    assert card.training["data"]["a"]["held_out"] == 1


def test_a_resumed_run_finds_the_same_best(hash_of, measured, many, tmp_path, whole):
    broken, (out, expected) = tmp_path / "broken", whole
    with closing(train(measured, *many, broken)) as events:
        seen = []
        for event in events:
            seen.append(event)
            if isinstance(event, CheckpointSaved):
                break
    resumed = _measured(seen) + _measured(train(measured, *many, broken))
    assert resumed == _measured(expected)
    assert hash_of(out / "best.safetensors") == hash_of(broken / "best.safetensors")


def test_images_to_measure_on_can_be_given(measured, many, write_images, tmp_path):
    given = ValidationSources(
        write_images("val_a", [(40, 40)] * 2, 3), write_images("val_b", [(33, 50)], 4)
    )
    events = list(train(measured, *many, tmp_path / "run", validation=given))
    started = next(e for e in events if isinstance(e, Started))
    assert started.n_images == (6, 7), "all others are learned from"
    assert f"Quality of left is measured on 2 images in {given.a}." in started.notes
    assert len(_measured(events)) == 4
    assert all(q["paired"] is None for e in _measured(events) for q in e.directions)
    with pytest.raises(TrainingError, match="other images of the validation of domain a and"):
        list(train(measured, *many, tmp_path / "run"))


def test_with_pairs_the_structural_similarity_decides(measured, many, write_images, tmp_path):
    pairs = ValidationSources(
        write_images("val_a", [(40, 40)], 3), write_images("val_b", [(40, 40)], 4), paired=True
    )
    found = _measured(train(measured, *many, tmp_path / "run", validation=pairs))
    for event in found:
        ssim = [q["paired"]["ssim"] for q in event.directions]
        assert event.score == pytest.approx(1 - sum(ssim) / 2)


def test_pairs_that_are_none_are_refused(measured, many, write_images, tmp_path):
    pairs = ValidationSources(
        write_images("val_a", [(40, 40)], 3), write_images("val_b", [(40, 44)], 4), paired=True
    )
    with pytest.raises(TrainingError, match="pairs need the same planes and size"):
        list(train(measured, *many, tmp_path / "run", validation=pairs))
    assert not (tmp_path / "run").exists()


def test_pairs_must_stay_pairs_and_none_is_left_out(measured, many, write_images, tmp_path):
    sizes = [(40, 40)] * 3
    a, b = write_images("val_a", sizes, 3), write_images("val_b", sizes, 4)
    pairs, apart = ValidationSources(a, b, paired=True), ValidationSources(a, b)
    list(train(measured, *many, tmp_path / "run", validation=pairs))
    with pytest.raises(TrainingError, match="other images of the validation pairs"):
        list(train(measured, *many, tmp_path / "run", validation=apart))
    card = load_model(tmp_path / "run" / "last.safetensors").card
    assert "--val-a val_a --val-b val_b --val-paired" in card.training["command"]
    (a / "1.tif").write_bytes(b"torn")
    (b / "2.tif").write_bytes(b"torn")
    lenient = replace(measured, skip_bad_images=True)
    with pytest.raises(TrainingError, match=r"1\.tif"):
        list(train(lenient, *many, tmp_path / "other", validation=pairs))
    list(train(lenient, *many, tmp_path / "other", validation=apart))


def test_images_that_are_learned_from_are_no_validation(measured, many, tmp_path):
    given = ValidationSources(many[0] / "1.tif", many[1])
    with pytest.raises(TrainingError, match=r"1 images of .* are learned from as well"):
        list(train(measured, *many, tmp_path / "run", validation=given))


def test_what_is_held_out_stays_so_when_a_run_is_fitted(
    measured, write_images, tmp_path, monkeypatch
):
    a, b = write_images("one", [(64, 260)], 1), write_images("other", [(64, 260)], 2)
    large = replace(measured, crop_px=64)
    monkeypatch.setattr(
        "napari_unit_training.loop.make_fit",
        lambda settings, *_, fit: (replace(settings, crop_px=32), 1),
    )
    held = []
    for _ in range(2):
        with closing(train(large, a, b, tmp_path / "run", fit=True)) as events:
            started = next(e for e in events if isinstance(e, Started))
            held.append([note for note in started.notes if "held out" in note])
    assert held[0] == held[1] != []


def test_images_of_another_kind_are_refused(measured, many, tmp_path):
    import numpy as np
    import tifffile

    folder = tmp_path / "color"
    folder.mkdir()
    pixels = np.random.default_rng(0).integers(0, 255, (40, 40, 3), np.uint8)
    tifffile.imwrite(folder / "x.tif", pixels, photometric="rgb")
    given = ValidationSources(folder, folder)
    with pytest.raises(TrainingError, match="have 3 channels, and left has 1"):
        list(train(measured, *many, tmp_path / "run", validation=given))


@pytest.mark.parametrize("n", [2, 10])
def test_where_one_domain_is_too_small_nothing_is_held_out(measured, write_images, tmp_path, n):
    a, b = write_images("one", [(40, 40)] * n, 1), write_images("other", [(40, 40)], 2)
    events = list(train(measured, a, b, tmp_path / "run"))
    started = next(e for e in events if isinstance(e, Started))
    assert started.n_images == (n, 1)
    (note,) = [note for note in started.notes if "held out" in note or "hold some out" in note]
    assert "right are too few and too small to hold some out" in note
    assert _measured(events) == []
    assert events[-1].model_path == tmp_path / "run" / "last.safetensors"


def test_images_of_one_domain_only_are_refused():
    assert validation_of(None, None) is None
    assert validation_of("x", "y", paired=True) == ValidationSources("x", "y", True)
    for a, b, paired in (("x", None, False), (None, "x", False), (None, None, True)):
        with pytest.raises(TrainingError, match="give images of both domains"):
            validation_of(a, b, paired=paired)


def test_the_score_is_the_mean_of_both_directions():
    assert score_of((_quality(0.2), _quality(0.4))) == pytest.approx(0.3)
    assert score_of((_quality(0.2, 0.5), _quality(0.4, 0.7))) == pytest.approx(0.4)


def test_a_score_that_is_no_number_is_never_the_best(measured, many, tmp_path, monkeypatch):
    from napari_unit_training import judge

    scores = iter([float("nan"), 0.5, 0.6, float("nan"), 0.4])
    monkeypatch.setattr(judge, "draw_crops", lambda *_, **__: None)
    monkeypatch.setattr(
        judge, "measure_quality", lambda *_, **__: (_quality(next(scores)), _quality(0.0))
    )

    class Session:
        settings = measured
        device = None

    class Data:
        held_out = ()

    asked = Judge(Session(), (Data(), Data()))
    found = [asked.measure(None, seen).is_best for seen in range(5)]
    assert found == [False, True, False, False, True]


def test_a_run_ends_with_its_page(whole):
    out, _ = whole  # trained before the page is left out
    page = (out / "report.html").read_text("utf-8")
    assert "left ↔ right" in page
    assert "finished" in page
    assert "Distance to real images, left → right" in page
    assert 'src="data:image/' in page
