import pytest

pytest.importorskip("side_by_side", reason="benchmarks/ is in the repository only")

import side_by_side
from equal_compute import arithmetic_per_image

from napari_unit_training.config_files import merge, read_preset, settings_from


@pytest.mark.parametrize("on", side_by_side.SIDES)
def test_sides_differ_by_their_presets_and_have_equal_compute(on, monkeypatch):
    monkeypatch.setattr(side_by_side, "SIZE", {**side_by_side.SIZE, "width": 4})
    trials = side_by_side.trials_of(on, [0, 1], 200)
    assert [t.preset for t in trials[: len(trials) // 2]] == list(side_by_side.SIDES[on])
    costs = {}
    for trial in trials:
        made = settings_from(
            merge(read_preset(trial.preset), trial.settings, {"images_total": trial.images})
        )
        n_channels = side_by_side.TASKS[on].n_channels
        costs[trial.name] = arithmetic_per_image(made, n_channels) * trial.images
    assert max(costs.values()) / min(costs.values()) < 1.06


def test_cyclegan_keeps_its_own_objective_and_rates():
    (trial,) = [t for t in side_by_side.trials_of("maps", [0], 100) if t.name == "cyclegan"]
    made = settings_from(merge(read_preset("cyclegan"), trial.settings))
    assert (made.n_shared, made.n_scales, made.latent_noise) == (0, 1, False)
    assert (made.weights.cycle, made.weights.identity) == (10.0, 5.0)
    assert made.weights.reconstruction == made.weights.kl == made.weights.cycle_kl == 0
    assert made.generator_learning_rate == 2e-4
    assert not made.augmentation.vertical_flip


def test_the_table_has_time_and_quality_at_the_end():
    keys = side_by_side.KEYS["nuclei"]
    curve = [{"images": 10, "seconds": 60.0, **dict.fromkeys(keys, 0.5)}] * 2
    trials = [{"name": n, "seed": 0, "curve": curve} for n in ("default", "cyclegan")]
    text = side_by_side.table(trials, keys, {"raw": dict.fromkeys(keys, 0.9)})
    assert "| cyclegan | 1.0 | 10 | 0.500 | 0.500 | 0.500 |" in text
    assert text.endswith("| raw |  |  | 0.900 | 0.900 | 0.900 |")
