import numpy as np
import pytest
import torch

from napari_unit_training.quality.distances import Standard, sliced_wasserstein
from napari_unit_training.quality.features import RandomNetwork, features_of

RANDOM = np.random.default_rng(0)


def test_the_distance_of_a_set_to_itself_is_nothing() -> None:
    features = RANDOM.normal(size=(50, 8))
    assert sliced_wasserstein(features, features[::-1]) == pytest.approx(0, abs=1e-12)


def test_a_shift_is_as_far_as_its_projections() -> None:
    """The mean of |u . s| over directions u in F dimensions is known for a large F."""
    features, shift = RANDOM.normal(size=(60, 200)), np.zeros(200)
    shift[0] = 3.0
    expected = 3.0 * np.sqrt(2 / (np.pi * 200))
    assert sliced_wasserstein(features, features + shift) == pytest.approx(expected, rel=0.1)


def test_sets_may_differ_in_number() -> None:
    first, second = RANDOM.normal(size=(400, 5)), RANDOM.normal(size=(150, 5))
    near, far = sliced_wasserstein(first, second), sliced_wasserstein(first, second + 1.0)
    assert near < 0.2 < far


def test_a_constant_feature_of_the_reference_does_not_drown_the_others() -> None:
    reference = RANDOM.normal(size=(40, 10))
    reference[:, 3] = 1.0
    standard = Standard.of(reference)
    assert standard.apply(reference).std(0)[[0, 1, 2]] == pytest.approx(1.0)
    assert np.abs(standard.apply(reference + 0.1)).max() < 10


def test_features_are_always_the_same_and_see_texture_and_brightness() -> None:
    images = torch.rand(6, 2, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    assert np.array_equal(features_of(images), features_of(images))
    assert features_of(images).shape == (6, 480)
    blurred = torch.nn.functional.avg_pool2d(images, 3, 1, 1)
    for changed in (blurred, images * 0.5, images.flip(1)):
        assert np.abs(features_of(changed) - features_of(images)).mean() > 0.01
    assert not any(p.requires_grad for p in RandomNetwork(1).parameters())
