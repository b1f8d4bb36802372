from dataclasses import FrozenInstanceError, fields, replace

import pytest

from napari_unit_training.config import TrainSettings
from napari_unit_training.config_tables import Augmentation, Cadence, LossWeights
from napari_unit_training.errors import TrainingError
from napari_unit_training.methods.unit import Terms


def test_weights_and_terms_of_the_objective_have_the_same_names():
    assert {f.name for f in fields(LossWeights)} == {f.name for f in fields(Terms)}


def test_default_weights_have_the_ratios_of_the_paper():
    w = LossWeights()
    ratios = [getattr(w, n) / w.adversarial for n in ("kl", "reconstruction", "cycle_kl", "cycle")]
    assert ratios == pytest.approx([0.01, 10, 0.01, 10])


def test_settings_are_frozen():
    with pytest.raises(FrozenInstanceError):
        TrainSettings().width = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"images_total": 0}, r"images_total is 0; it must lie from 1 to"),
        ({"decay_fraction": 1.5}, r"decay_fraction is 1.5; it must lie from 0 to 1"),
        ({"batch_size": 0}, r"batch_size is 0"),
        ({"betas": (0.5, 1.0)}, r"betas is \(0.5, 1.0\)"),
        ({"width": 0}, r"width is 0; it must be a whole number from 1 to"),
        ({"n_shared": 5}, r"n_shared is 5; it must be a whole number from 0 to 4"),
        (
            {"crop_px": 66, "n_scales": 3},
            r"crop_px is 66; it must be a multiple of 4 and at least 64",
        ),
        (
            {"crop_px": 60, "n_scales": 3},
            r"crop_px is 60; it must be a multiple of 4 and at least 64",
        ),
        ({"learning": 1}, r"unexpected keyword"),
    ],
)
def test_values_out_of_bounds_are_refused_with_the_bound(changes, sentence):
    with pytest.raises((TrainingError, TypeError), match=sentence):
        replace(TrainSettings(), **changes)


@pytest.mark.parametrize(
    "make",
    [lambda: LossWeights(kl=-1.0), lambda: Augmentation(gamma=1.0), lambda: Cadence(log=0)],
)
def test_nested_values_out_of_bounds_are_refused(make):
    with pytest.raises(TrainingError, match="it must lie from"):
        make()


def test_fewer_scales_allow_smaller_crops():
    assert replace(TrainSettings(), crop_px=16, n_scales=1).crop_px == 16


def test_more_layers_need_larger_crops():
    assert replace(TrainSettings(), crop_px=32, n_scales=1, discriminator_layers=5).crop_px == 32
    with pytest.raises(
        TrainingError, match="at least 64 for n_scales = 1 and discriminator_layers = 6"
    ):
        replace(TrainSettings(), crop_px=32, n_scales=1, discriminator_layers=6)
