import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("adaptation", reason="benchmarks/ is in the repository only")

import adaptation
from trials import Trial


@pytest.fixture
def digits(tmp_path: Path) -> Path:
    """Two sets of small noise with classes."""
    rng = np.random.default_rng(0)
    (tmp_path / "digits").mkdir()
    for name, side in (("mnist", 28), ("usps", 16)):
        arrays = {}
        for part, n in (("train", 40), ("test", 10)):
            arrays[f"x_{part}"] = rng.integers(0, 256, (n, side, side), dtype=np.uint8)
            arrays[f"y_{part}"] = np.arange(n) % 10
        np.savez(tmp_path / "digits" / f"{name}.npz", **arrays)
    return tmp_path


def test_tuning_tests_with_the_end_of_what_trains(digits: Path, tmp_path: Path) -> None:
    paths = adaptation.prepare(digits, tmp_path / "out", "tuning", "own")
    with np.load(paths["USPS"]) as made, np.load(digits / "digits" / "usps.npz") as whole:
        assert np.array_equal(made["x_train"], whole["x_train"][:34])
        assert np.array_equal(made["x_test"], whole["x_train"][34:])
        assert np.array_equal(made["y_test"], whole["y_train"][34:])
    paths = adaptation.prepare(digits, tmp_path, "validation", "own")
    assert paths["USPS"].parent == digits / "digits"


@pytest.mark.parametrize("part", ["tuning", "validation"])
def test_frames_alike_put_a_margin_around_usps_alone(
    digits: Path, tmp_path: Path, part: adaptation.Part
) -> None:
    own = adaptation.prepare(digits, tmp_path / "out", part, "own")
    alike = adaptation.prepare(digits, tmp_path / "out", part, "alike")
    for name, margin in (("MNIST", 0), ("USPS", 3)):
        with np.load(own[name]) as before, np.load(alike[name]) as after:
            assert sorted(before.files) == sorted(after.files)
            for images in ("x_train", "x_test"):
                side = before[images].shape[1] + 2 * margin
                assert after[images].shape[1:] == (side, side)
                inside = slice(margin, side - margin)
                assert np.array_equal(after[images][:, inside, inside], before[images])
                assert after[images].sum() == before[images].sum()
            for labels in ("y_train", "y_test"):
                assert np.array_equal(after[labels], before[labels])


def test_a_trial_adapts_and_says_how_good_it_is(digits: Path, tmp_path: Path) -> None:
    settings = {
        "side_px": 16, "width": 2, "discriminator_width": 2, "device": "cpu", "batch_size": 8,
        "method": "unit",
    }  # fmt: skip
    trial = Trial("unit, MNIST → USPS", 0, 2, settings)
    paths = adaptation.prepare(digits, tmp_path, "validation", "alike")
    numbers = adaptation.adapt_trial(trial, paths, tmp_path / "runs", 1)
    assert trial.is_in(numbers)
    result = json.loads(next((tmp_path / "runs").glob("*/result.json")).read_text())
    assert numbers["accuracy"] == result["accuracy"]
    assert (result["steps"], result["test_images"]) == (2, 10)
    again = adaptation.adapt_trial(trial, paths, tmp_path / "runs", 1)  # it is finished
    assert again["accuracy"] == numbers["accuracy"]
    other = Trial(trial.name, 0, 3, settings | {"learning_rate": 0.01})
    adaptation.adapt_trial(other, paths, tmp_path / "runs", 0)
    results = [json.loads(p.read_text()) for p in (tmp_path / "runs").glob("*/result.json")]
    assert sorted(result["steps"] for result in results) == [2, 3]


def test_the_table_has_both_directions_beside_the_papers_figures() -> None:
    wanted = adaptation.trials_of(("unit", "source-only"), range(3), 10, {"width": 2})
    assert len(wanted) == 12
    assert all(t.settings["width"] == 2 for t in wanted)
    found = [t.as_dict() | {"accuracy": 0.9 + 0.01 * t.seed} for t in wanted]
    lines = adaptation.table(found, ("unit", "source-only")).splitlines()
    value = "0.9100 (0.9000–0.9200)"
    assert lines[2] == f"| unit | {value} | 0.9597 | {value} | 0.9358 |"
    assert lines[3] == f"| source-only | {value} |  | {value} |  |"
