"""The parts of the benchmark that train nothing; the figures are in ``benchmarks/results``."""

from pathlib import Path

import pytest
from PIL import Image
from quality_check import OTHER_REAL, UNTRANSLATED, gather, scored_images, wrong_ranks

from napari_unit_training.quality.measures import DirectionQuality


def quality(source: str, distance: float) -> DirectionQuality:
    target = "b" if source == "a" else "a"
    return DirectionQuality(source, target, distance, 2.0, 0.5, 0.2, 1.0, 0.1, 0.9)


def test_distances_are_gathered_by_direction() -> None:
    found = {
        name: [(quality("a", d + seed), quality("b", 10 * d)) for seed in range(2)]
        for name, d in (("late", 1.0), ("early", 3.0))
    }
    distances = gather(found)
    assert list(distances) == ["a → b", "b → a"]
    assert distances["a → b"] == {
        "late": [1.0, 2.0], "early": [3.0, 4.0], UNTRANSLATED: [2.0, 2.0], OTHER_REAL: [0.5, 0.5],
    }  # fmt: skip
    assert distances["b → a"]["early"] == [30.0, 30.0]


def test_a_wrong_rank_at_one_seed_is_told_and_a_right_one_is_not() -> None:
    right = {"late": [1.0, 1.1], "early": [1.5, 1.2], UNTRANSLATED: [2.0, 2.0], OTHER_REAL: [0.5]}
    assert wrong_ranks({"a → b": right}, "late") == []
    (told,) = wrong_ranks({"a → b": right | {"early": [1.5, 1.0]}}, "late")
    assert told == "a → b: 'early' is not farther than 'late' (seeds [1])."
    (told,) = wrong_ranks({"a → b": right | {UNTRANSLATED: [1.0, 2.0]}}, "late")
    assert "'untranslated' is not farther" in told


@pytest.mark.parametrize("part", ["tuning", "validation"])
def test_images_of_one_part_of_both_sets_are_scored(tmp_path: Path, part: str) -> None:
    for name in ("dsb2018_fluo", "bbbc039"):
        (tmp_path / name / "images").mkdir(parents=True)
        for index in range(30):
            Image.new("L", (2, 2)).save(tmp_path / name / "images" / f"{index:02}.png")
    names = [(path.parts[-3], path.stem) for path in scored_images(tmp_path, part)]
    first = {"tuning": (20, 16), "validation": (24, 20)}[part]
    last = {"tuning": (24, 20), "validation": (30, 30)}[part]
    assert names == [
        (name, f"{index:02}")
        for name, start, end in zip(("dsb2018_fluo", "bbbc039"), first, last, strict=True)
        for index in range(start, end)
    ]
