import json

import pytest

from napari_unit_training.config import TrainSettings
from napari_unit_training.config_files import (
    merge,
    preset_names,
    read_config,
    read_preset,
    settings_from,
)
from napari_unit_training.config_tables import Augmentation, Cadence, LossWeights
from napari_unit_training.errors import TrainingError


def test_the_default_preset_lists_every_setting_with_its_default():
    values = read_preset("default")
    assert settings_from(values) == TrainSettings()

    def keys(mapping):
        return {
            (k, frozenset(keys(v)) if isinstance(v, dict) else None) for k, v in mapping.items()
        }

    assert keys(values) == keys(TrainSettings().to_mapping())


def test_the_paper_preset_has_the_weights_of_the_paper():
    paper = settings_from(read_preset("paper"))
    assert paper.weights == LossWeights(
        adversarial=10.0, kl=0.1, reconstruction=100.0, cycle_kl=0.1, cycle=100.0
    )
    assert (paper.adversarial, paper.n_shared, paper.width) == ("cross-entropy", 1, 64)


# gan : kl : reconstruction : kl of the cycle : cycle, as the authors' code has them; its KL is
# mean(mu^2), twice ours
PUBLISHED = {
    "v2": ((10, 0.1, 100, 0.1, 100), "cross-entropy", 1, 500_000, 0),
    "master": ((1, 0.01, 10, 0.01, 10), "least-squares", 0, 1_000_000, 100_000),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_presets_of_the_authors_code_are_theirs(name):
    preset = settings_from(read_preset(name))
    (gan, kl, reconstruction, cycle_kl, cycle), loss, n_shared, total, halve = PUBLISHED[name]
    weights = preset.weights
    assert (weights.adversarial, weights.reconstruction, weights.cycle) == (
        gan, reconstruction, cycle,
    )  # fmt: skip
    assert (weights.kl, weights.cycle_kl) == (2 * kl, 2 * cycle_kl)
    assert (weights.content, weights.identity) == (0, 0)
    assert (preset.adversarial, preset.n_shared, preset.images_total) == (loss, n_shared, total)
    assert preset.halve_every_images == halve
    assert (preset.width, preset.n_residual, preset.discriminator_width) == (64, 4, 64)
    assert (preset.n_scales, preset.batch_size, preset.crop_px) == (3, 1, 256)
    assert preset.generator_learning_rate == preset.discriminator_learning_rate == 1e-4
    assert (preset.betas, preset.weight_decay) == ((0.5, 0.999), 1e-4)
    assert (preset.decay_fraction, preset.ema_half_life_images) == (0, 0)
    assert (preset.spectral_norm, preset.reuse_fakes, preset.detail_gain) == (False, False, 0)
    assert preset.gradient_penalty == 0
    assert preset.augmentation == Augmentation(
        vertical_flip=False, rotate_90=False, brightness=0, contrast=0, gamma=0
    )


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_can_be_used(name):
    settings_from(read_preset(name))


def test_the_presets_are_found():
    assert {"default", "master", "nuclei", "paper", "v2"} <= set(preset_names())


def test_an_unknown_preset_names_those_there_are():
    with pytest.raises(TrainingError, match=r"no preset 'papr'; the presets are .*paper"):
        read_preset("papr")


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"bach_size": 2}, "no setting bach_size; the nearest is batch_size"),
        ({"weights": {"cycl": 2}}, r"no setting weights\.cycl; the nearest is weights\.cycle"),
        ({"zzz": 1}, "no setting zzz; the nearest is"),
        ({"width": "64"}, "setting width is '64'; it must be a whole number"),
        ({"width": 64.0}, "setting width is 64.0; it must be a whole number"),
        ({"width": True}, "setting width is True; it must be a whole number"),
        ({"spectral_norm": 1}, "setting spectral_norm is 1; it must be true or false"),
        ({"adversarial": "hinge"}, "it must be 'least-squares' or 'cross-entropy'"),
        ({"betas": [0.5]}, "it must be a list of 2 numbers"),
        ({"betas": [0.5, "x"]}, r"setting betas\[1\] is 'x'; it must be a number"),
        ({"weights": 3}, "setting weights is 3; it must be a table"),
        ({"domain_a": {"channels": "red"}}, r"domain_a\.channels is 'red'; it must be a list"),
    ],
)
def test_what_is_unknown_or_of_another_type_is_refused(values, sentence):
    with pytest.raises(TrainingError, match=sentence):
        settings_from(values)


def test_a_whole_number_is_a_number():
    assert settings_from({"weight_decay": 0}).weight_decay == 0.0


def test_later_layers_lie_on_top_and_nested_tables_keep_the_rest():
    merged = merge({"a": 1, "t": {"x": 1, "y": 2}}, {"t": {"y": 3}}, {"a": 4})
    assert merged == {"a": 4, "t": {"x": 1, "y": 3}}


def test_resolved_settings_read_back_equal(tmp_path):
    settings = settings_from({"width": 8, "cadence": {"log": 3}, "domain_a": {"channels": ["x"]}})
    path = tmp_path / "settings.json"
    path.write_text(json.dumps(settings.to_mapping()))
    again = settings_from(read_config(path))
    assert again == settings
    assert again.cadence == Cadence(log=3)


def test_toml_is_read(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("width = 8\n[weights]\ncycle = 3.5\n")
    assert read_config(path) == {"width": 8, "weights": {"cycle": 3.5}}


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("x.toml", "width = ", "are not valid"),
        ("x.json", "{", "are not valid"),
        ("x.json", "[1]", "are no table"),
    ],
)
def test_a_damaged_settings_file_is_refused(tmp_path, name, text, sentence):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(TrainingError, match=sentence):
        read_config(path)


def test_a_missing_settings_file_is_refused(tmp_path):
    with pytest.raises(TrainingError, match=r"none\.toml cannot be read"):
        read_config(tmp_path / "none.toml")
