from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

pytest.importorskip("averaged_weights", reason="benchmarks/ is in the repository only")

import averaged_weights

import napari_unit
from napari_unit.models.file import LoadedModel
from napari_unit_training.state import load_latest

TINY = {
    "width": 2, "n_residual": 1, "discriminator_width": 2, "n_scales": 1, "crop_px": 32,
    "device": "cpu", "min_crop_deviation": 0.0, "validation": {"held_out": 0.0},
    "cadence": {"checkpoint": 4},
}  # fmt: skip


def first_weight(loaded: LoadedModel) -> dict[str, float]:
    """Tell models apart."""
    return {"weight": float(next(loaded.model.parameters()).detach().flatten()[0])}


def trained(folder: Path, **settings: object) -> Path:
    """Train on noise for eight images."""
    rng = np.random.default_rng(0)
    for name in "ab":
        (folder / name).mkdir(parents=True)
        for i in range(2):
            pixels = rng.integers(0, 256, (40, 40), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{i}.png")
    run = folder / "run"
    napari_unit.train(
        folder / "a", folder / "b", run, settings={**TINY, **settings}, images=8, progress=False
    )
    return run


def test_both_weights_of_one_training_are_scored(tmp_path: Path) -> None:
    run = trained(tmp_path, ema_half_life_images=100, ema_ramp=0.9)
    found = averaged_weights.compare(run, first_weight)
    state = load_latest(run / "checkpoints", torch.device("cpu"))
    assert found is not None
    assert state is not None
    averaged = next(iter(state["averaged"].values())).flatten()[0]
    last = next(v for k, v in state["networks"].items() if k.startswith("model.")).flatten()[0]
    assert averaged != last
    assert found["averaged"]["weight"] == float(averaged)
    assert found["last"]["weight"] == float(last)
    assert (found["images"], found["half_life_images"], found["falling"]) == (8, 100, True)


def test_a_training_without_averages_has_nothing_to_compare(tmp_path: Path) -> None:
    run = trained(tmp_path, ema_half_life_images=0)
    assert averaged_weights.compare(run, first_weight) is None


def test_a_training_that_was_stopped_is_refused(tmp_path: Path) -> None:
    run = trained(tmp_path, ema_half_life_images=100)
    (run / "checkpoints" / "images-0000000008.pt").unlink()
    with pytest.raises(SystemExit, match="no checkpoint of its end"):
        averaged_weights.compare(run, first_weight)


def test_the_table_sets_apart_what_learning_rates_did() -> None:
    runs = [
        {"falling": falling, "averaged": {"score": value}, "last": {"score": 1.0}}
        for falling, value in ((True, 1.5), (True, 0.5), (False, 3.0))
    ]
    lines = averaged_weights.table(runs, {"score": 1}).splitlines()
    assert lines[2:] == [
        "| falling | 2 | +0.0 (-0.5 to +0.5) |",
        "| constant | 1 | +2.0 (+2.0 to +2.0) |",
    ]
