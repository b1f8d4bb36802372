from pathlib import Path

import pytest
import torch

pytest.importorskip("averaged_weights", reason="benchmarks/ is in the repository only")

import averaged_weights
from noise_training import TINY, write_noise

import napari_unit
from napari_unit.models.file import LoadedModel

SETTINGS = {**TINY, "validation": {"held_out": 0.0}, "cadence": {"checkpoint": 4}}


def first_weight(loaded: LoadedModel) -> dict[str, float]:
    """Tell models apart."""
    return {"weight": float(next(loaded.model.parameters()).detach().flatten()[0])}


def trained(folder: Path, **settings: object) -> Path:
    """Train on noise for eight images."""
    write_noise(folder, 40, 40)
    run = folder / "run"
    napari_unit.train(
        folder / "a", folder / "b", run, settings={**SETTINGS, **settings}, images=8, progress=False
    )
    return run


def weights_of(state: dict, part: str) -> float:
    name = "encoders.0.blocks.0.conv.weight"
    found = state["averaged"][name] if part == "averaged" else state["networks"][f"model.{name}"]
    return float(found.flatten()[0])


def test_both_weights_of_one_training_are_scored(tmp_path: Path) -> None:
    run = trained(tmp_path, ema_half_life_images=100, ema_ramp=0.9)
    found = averaged_weights.compare(run, first_weight)
    assert [(f["images"], f["when"]) for f in found] == [(4, "on the way, at 50%"), (8, "fallen")]
    for numbers in found:
        path = run / "checkpoints" / f"images-{numbers['images']:010d}.pt"
        state = torch.load(path, weights_only=True)
        both = [weights_of(state, part) for part in ("averaged", "last")]
        assert both[0] != both[1]
        assert [numbers[part]["weight"] for part in ("averaged", "last")] == both


def test_constant_rates_are_told_apart(tmp_path: Path) -> None:
    run = trained(tmp_path, ema_half_life_images=100, decay_fraction=0)
    assert {f["when"] for f in averaged_weights.compare(run, first_weight)} == {"constant"}


def test_a_training_without_averages_has_nothing_to_compare(tmp_path: Path) -> None:
    run = trained(tmp_path, ema_half_life_images=0)
    assert averaged_weights.compare(run, first_weight) == []


def test_a_training_that_was_stopped_is_refused(tmp_path: Path) -> None:
    run = trained(tmp_path, ema_half_life_images=100)
    (run / "checkpoints" / "images-0000000008.pt").unlink()
    with pytest.raises(SystemExit, match="no checkpoint of its end"):
        averaged_weights.compare(run, first_weight)


def test_the_table_sets_apart_what_learning_rates_did() -> None:
    runs = [
        {"when": when, "averaged": {"score": value}, "last": {"score": 1.0}}
        for when, value in (("fallen", 1.5), ("fallen", 0.5), ("constant", 3.0))
    ]
    lines = averaged_weights.table(runs, {"score": 1}).splitlines()
    assert lines[2:] == [
        "| fallen | 2 | +0.0 (-0.5 to +0.5) |",
        "| constant | 1 | +2.0 (+2.0 to +2.0) |",
    ]
