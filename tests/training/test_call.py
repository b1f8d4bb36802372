from dataclasses import replace

import pytest
import torch

import napari_unit
from napari_unit.domains import Domain, IntensityScaling
from napari_unit.models.file import load_model
from napari_unit.runs.events import CheckpointSaved, Estimated, Finished
from napari_unit_training import memory
from napari_unit_training.config_files import read_config, settings_from
from napari_unit_training.errors import TrainingError
from napari_unit_training.loop import rehearse, train

TINY = {
    "width": 2, "n_residual": 1, "n_shared": 1, "discriminator_width": 2, "n_scales": 1,
    "crop_px": 32, "batch_size": 2, "precision": "float32", "device": "cpu",
    "domain_a": {"name": "left"}, "domain_b": {"name": "right"},
    "cadence": {"log": 2, "preview": 1000, "checkpoint": 4},
}  # fmt: skip


def test_a_call_trains_a_model_that_translates(folders, tmp_path, capsys):
    path = napari_unit.train(*folders, tmp_path / "run", settings=TINY, images=6)
    assert path == tmp_path / "run" / "last.safetensors"
    assert load_model(path).card.training["images_seen"] == 6
    assert "Finished after 6 images" in capsys.readouterr().out


def test_a_function_hears_every_event_and_nothing_is_printed(folders, tmp_path, capsys):
    heard = []
    napari_unit.train(*folders, tmp_path / "run", settings=TINY, images=4, progress=heard.append)
    assert isinstance(heard[-1], Finished)
    assert any(isinstance(event, CheckpointSaved) for event in heard)
    napari_unit.train(*folders, tmp_path / "other", settings=TINY, images=4, progress=False)
    assert capsys.readouterr().out == ""


def test_settings_may_come_from_a_run(folders, tmp_path):
    first = napari_unit.train(*folders, tmp_path / "run", settings=TINY, images=4, progress=False)
    settings = tmp_path / "run" / "settings.json"
    again = napari_unit.train(*folders, tmp_path / "again", settings=settings, progress=False)
    assert first.read_bytes() == again.read_bytes()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"images": 4, "minutes": 1}, "Give images or minutes, not both"),
        ({"preset": "papr"}, "no preset 'papr'"),
        ({"settings": {"width_px": 3}}, "no setting width_px; the nearest is width"),
    ],
)
def test_what_cannot_be_is_refused(folders, tmp_path, changes, sentence):
    with pytest.raises(TrainingError, match=sentence):
        napari_unit.train(*folders, tmp_path / "run", **changes)
    assert not (tmp_path / "run").exists()


def test_a_rehearsal_measures_and_writes_nothing(settings, folders, tmp_path):
    out = tmp_path / "run"
    *_, estimated = rehearse(settings, *folders, out)
    assert estimated.images_total == 9
    assert estimated.seconds == pytest.approx(9 / estimated.images_per_second)
    assert estimated.memory_bytes > 0
    assert estimated.settings == settings.to_mapping()
    assert not out.exists()
    *_, short = rehearse(replace(settings, images_total=1), *folders, out)
    assert short.images_total == 1
    *_, timed = rehearse(replace(settings, minutes=2.0), *folders, out)
    assert timed.seconds == 120
    assert timed.images_total == int(120 * timed.images_per_second)


def test_a_fitted_run_goes_on_as_it_was_fitted(settings, folders, tmp_path, monkeypatch):
    out = tmp_path / "run"
    range_255 = IntensityScaling("range", 0, 255)
    domains = tuple(Domain(name, ("x",), range_255) for name in "ab")
    estimate = memory.MemoryEstimate(settings, domains, torch.device("cpu"))
    free = [estimate.bytes_of(1, settings.crop_px)]
    monkeypatch.setattr(memory, "available_bytes", lambda _: free[0])
    with pytest.raises(TrainingError, match="or give --fit"):
        list(train(settings, *folders, out))
    assert not out.exists()
    run = train(settings, *folders, out, fit=True)
    next(event for event in run if isinstance(event, CheckpointSaved))
    run.close()
    assert settings_from(read_config(out / "settings.json")).batch_size == 1
    free[0] = 10**12  # more memory later changes nothing
    *_, estimated = rehearse(settings, *folders, out, fit=True)
    assert estimated.settings["batch_size"] == 1
    free[0] = 10  # nor does less: it has run here before
    assert isinstance(list(train(settings, *folders, out, fit=True))[-1], Finished)


def test_a_dry_run_says_what_it_would_take_and_writes_nothing(folders, tmp_path):
    told = []
    path = napari_unit.train(
        *folders, tmp_path / "run", settings=TINY, images=4, dry_run=True, progress=told.append
    )
    assert isinstance(told[-1], Estimated)
    assert told[-1].images_total == 4
    assert path == tmp_path / "run" / "last.safetensors"
    assert not path.parent.exists()
