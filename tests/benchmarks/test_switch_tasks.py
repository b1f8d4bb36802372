from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("switch_tasks", reason="benchmarks/ is in the repository only")

import switch_tasks
from nuclei_segmentation import SegmentationSettings

from napari_unit.models.file import LoadedModel


@pytest.fixture
def small(
    small_network: SegmentationSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = replace(
        switch_tasks._SCENES, scenes=3, held_out_scenes=2, scene_px=64, patches=12, patch_px=32,
        segmentation=replace(small_network, steps=3),
    )  # fmt: skip
    monkeypatch.setattr(switch_tasks, "_SCENES", made)
    monkeypatch.setattr(switch_tasks, "_CACHE", tmp_path / "cache")
    monkeypatch.setattr(switch_tasks, "TRAINING_SCENES", 2)
    switch_tasks._instruments.cache_clear()


@pytest.mark.usefixtures("small")
def test_a_model_is_scored_by_labels_and_realism(
    data: Path, tiny_model: LoadedModel, tmp_path: Path
) -> None:
    task = switch_tasks.make_task("nuclei", data, tmp_path / "work")
    assert task.domains == ("synthetic", "real")
    assert len(list(task.a.iterdir())) == 2
    found = task.score(tiny_model)
    assert set(found) == set(switch_tasks.TASKS["nuclei"].measures)
    assert 0 <= found["labels"] <= 1
    raw = switch_tasks._instruments(data, "tuning", "fluorescence")[3]
    shares = [found[key] / raw[key] for key in ("kernel", "sliced")]
    assert found["realism"] == pytest.approx(-sum(shares) / 2)
    unchanged = switch_tasks.baselines(task)["the scene as it is"]
    assert set(unchanged) == set(found)
    assert unchanged["realism"] == -1
    assert unchanged["kernel"] == pytest.approx(raw["kernel"], abs=1e-4)


@pytest.mark.usefixtures("small")
def test_tissue_is_scored_in_color(
    tissue_data: Path, tiny_tissue_model: LoadedModel, tmp_path: Path
) -> None:
    task = switch_tasks.make_task("histology", tissue_data, tmp_path / "work")
    assert len(list(task.a.iterdir())) == 2
    found = task.score(tiny_tissue_model)
    assert set(found) == set(switch_tasks.TASKS["histology"].measures)
    assert found != switch_tasks.baselines(task)["the scene as it is"]


@pytest.mark.usefixtures("small")
def test_what_is_prepared_is_taken_as_it_is(data: Path, tmp_path: Path) -> None:
    task = switch_tasks.make_task("nuclei", data, tmp_path / "work", "validation")
    (task.a / "scene_00000.tif").write_bytes(b"kept")
    task = switch_tasks.make_task("nuclei", data, tmp_path / "work", "validation")
    assert (task.a / "scene_00000.tif").read_bytes() == b"kept"
    assert isinstance(task.score, switch_tasks.NucleiScore)
    assert task.score.part == "validation"


@pytest.mark.usefixtures("small")
def test_what_is_half_prepared_is_made_anew(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("write_training_scenes", "copy_training_images"):
        whole = getattr(switch_tasks, name)

        def broken(*args: object, whole: object = whole, **options: object) -> None:
            whole(*args, **options)
            raise KeyboardInterrupt

        monkeypatch.setattr(switch_tasks, name, broken)
        with pytest.raises(KeyboardInterrupt):
            switch_tasks.make_task("nuclei", data, tmp_path / "work")
        assert not (tmp_path / "work" / "nuclei_real").exists()
        monkeypatch.setattr(switch_tasks, name, whole)
    task = switch_tasks.make_task("nuclei", data, tmp_path / "work")
    assert len(list(task.a.iterdir())) == 2
    assert list(task.b.iterdir())
