import pytest

pytest.importorskip("nuclei_report", reason="benchmarks/ is in the repository only")

import nuclei_report
import nuclei_splits


def seed_numbers(raw: float, translated: float, real: float, on_scenes: float) -> dict:
    useful = {
        kind: dict.fromkeys(nuclei_splits.SETS, value)
        for kind, value in (("raw", raw), ("translated", translated), ("real", real))
    }
    distances = {
        "raw": {"kernel": 0.4, "sliced": 1.0},
        "translated": {"kernel": 0.1, "sliced": 0.5},
    }
    return {
        "useful": useful,
        "labels": {"translated": {"real": on_scenes}},
        "realism": distances,
    }


def test_verdicts_are_medians_over_seeds() -> None:
    seeds = [seed_numbers(0.7, t, 0.9, 0.82) for t in (0.75, 0.8, 0.99)]
    answers = nuclei_report.verdicts(seeds)
    assert answers["useful: share of the way to real on dsb2018_fluo"] == pytest.approx(0.5)
    assert answers["useful: F1 gained on bbbc039"] == pytest.approx(0.1)
    assert answers["labels: F1 lost against real images"] == pytest.approx(0.08)
    assert answers["labels: stay true"] is False
    assert answers["realism: kernel distance, translated over raw"] == pytest.approx(0.25)
    assert nuclei_report.verdicts([seed_numbers(0.7, 0.8, 0.9, 0.87)])["labels: stay true"] is True
