import json
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("nuclei", reason="benchmarks/ is in the repository only")

import nuclei
import nuclei_questions
import nuclei_report
import nuclei_splits
import results_file
from nuclei_segmentation import SegmentationSettings

from napari_unit.models.file import LoadedModel


def test_the_benchmark_answers_its_questions(
    small_network: SegmentationSettings, data: Path, tiny_model: LoadedModel, tmp_path: Path
) -> None:
    small = nuclei_questions.BenchmarkSettings(
        scenes=3,
        held_out_scenes=2,
        scene_px=64,
        patches=12,
        patch_px=32,
        statistics="direct",
        segmentation=replace(small_network, steps=3),
    )
    said: list[str] = []
    real = nuclei_splits.read_real(data, "validation")
    numbers = [
        nuclei.measure_seed(
            seed, real, tiny_model, "real", nuclei.QUESTIONS, small, tmp_path, said.append
        )
        for seed in range(2)
    ]
    assert {"scenes", "translation", "distances"} <= set(said)
    kinds = {"real", "raw", "matched", "translated"}
    assert set(numbers[0]["useful"]) == set(numbers[0]["realism"]) == kinds
    assert set(numbers[0]["labels"]) == kinds - {"real"}
    scores = [v for kind in numbers[0]["useful"].values() for v in kind.values()]
    assert all(0.0 <= value <= 1.0 for value in scores)
    report = nuclei_report.tables(numbers)
    assert report.count("| scenes, translated |") == 2
    results_file.write_result(
        tmp_path / "results" / "r.json", {"seeds": numbers, **results_file.provenance(["torch"], 1)}
    )
    kept = json.loads((tmp_path / "results" / "r.json").read_text())
    assert kept["seeds"] == numbers
    assert {"command", "commit", "versions", "machine", "date"} <= set(kept)


def test_tissue_is_measured_alike(
    small_network: SegmentationSettings,
    tissue_data: Path,
    tiny_tissue_model: LoadedModel,
    tmp_path: Path,
) -> None:
    small = nuclei_questions.BenchmarkSettings(
        scenes=3,
        held_out_scenes=2,
        scene_px=64,
        patches=8,
        patch_px=32,
        segmentation=replace(small_network, steps=3),
    )
    real = nuclei_splits.read_real(tissue_data, "validation", "histology")
    numbers = nuclei.measure_seed(
        0, real, tiny_tissue_model, "real", nuclei.QUESTIONS, small, tmp_path, print, "histology"
    )
    assert set(numbers["useful"]["real"]) == {"dsb2018_he", "dsb2018_he/pooled"}
    assert set(numbers["realism"]) == {"real", "raw", "matched", "translated"}
    assert "mean of both sets" not in nuclei_report.tables([numbers])
    assert "useful: share of the way to real on dsb2018_he" in nuclei_report.verdicts(
        [numbers]
    ) or (numbers["useful"]["real"]["dsb2018_he"] <= numbers["useful"]["raw"]["dsb2018_he"])


def test_without_a_model_only_baselines_are_measured(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    small = nuclei_questions.BenchmarkSettings(
        scenes=2, held_out_scenes=1, scene_px=64, patches=8, patch_px=32
    )
    monkeypatch.setattr(nuclei, "BenchmarkSettings", lambda statistics="image": small)
    out = tmp_path / "r.json"
    nuclei.main(["--data", str(data), "--seeds", "1", "--questions", "realism", "--out", str(out)])
    assert "| scenes, raw |" in capsys.readouterr().out
    kept = json.loads(out.read_text())
    assert kept["model"] is None
    assert kept["answers"] == {}
    assert "translated" not in kept["seeds"][0]["realism"]
    with pytest.raises(SystemExit, match="give at least 1"):
        nuclei.main(["--data", str(data), "--seeds", "0"])
