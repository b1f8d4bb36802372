from collections.abc import Callable

import numpy as np
import pytest

pytest.importorskip("realism", reason="benchmarks/ is in the repository only")

import realism
from nuclei_splits import LabelledImage


def test_mmd_is_its_closed_form() -> None:
    x, y = np.array([[1.0], [2.0]]), np.array([[0.0], [3.0]])
    within = (1 * 2 + 1) ** 3 + (0 * 3 + 1) ** 3
    between = np.mean([1.0, 4.0**3, 1.0, 7.0**3])
    assert realism.squared_mmd(x, y) == pytest.approx(within - 2 * between)


def test_kernel_distance_is_unbiased_and_sees_a_shift() -> None:
    rng = np.random.default_rng(0)
    same = [realism.squared_mmd(*rng.standard_normal((2, 60, 8))) for _ in range(60)]
    assert abs(np.mean(same)) < 3 * np.std(same) / np.sqrt(len(same))
    x, y = rng.standard_normal((2, 300, 8))
    near = realism.kernel_distance(x, y, rng).mean
    far = realism.kernel_distance(x, y + 0.5, rng).mean
    farther = realism.kernel_distance(x, y + 1.0, rng).mean
    assert abs(near) < 0.1 * far
    assert far < farther


def test_sliced_wasserstein_of_a_shift_in_one_dimension_is_the_shift() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((50, 1))
    assert realism.sliced_wasserstein(x, x + 0.7, rng) == pytest.approx(0.7)
    assert realism.sliced_wasserstein(x, rng.permutation(x), rng) == 0.0


def test_whitening_leaves_the_reference_uncorrelated() -> None:
    rng = np.random.default_rng(0)
    reference = rng.standard_normal((200, 6)) @ rng.standard_normal((6, 6)) + 5.0
    white = realism.whitening(np.c_[reference, reference[:, 0]]).whiten(
        np.c_[reference, reference[:, 0]]
    )
    assert white.shape == (200, 6)  # the repeated feature adds no direction
    np.testing.assert_allclose(white.T @ white / 200, np.eye(6), atol=1e-6)


@pytest.fixture
def patches_of(picture: Callable[..., LabelledImage]) -> Callable[..., np.ndarray]:
    """Return a function that cuts patches from twelve pictures."""

    def cut(seed: int, gain: float = 1.0, blur: bool = False) -> np.ndarray:
        rng = np.random.default_rng(seed)
        images = [gain * picture(1000 * seed + n).image.astype(np.float32) + 3 for n in range(12)]
        if blur:
            images = [(i + np.roll(i, 1, 0) + np.roll(i, 1, 1)) / 3 for i in images]
        return realism.draw_patches([images], [1.0], 60, 32, rng)

    return cut


@pytest.mark.parametrize("features", [realism.network_features, realism.classical_features])
def test_features_ignore_gain_and_see_blur(patches_of: Callable[..., np.ndarray], features) -> None:
    reference, other = features(patches_of(1)), features(patches_of(2))
    np.testing.assert_allclose(features(patches_of(2, gain=9.0)), other, rtol=0.05, atol=0.05)
    plain = realism.whitening(reference).standardise
    rng = np.random.default_rng(0)
    near = realism.sliced_wasserstein(plain(reference), plain(other), rng)
    blurred = features(patches_of(2, blur=True))
    assert realism.sliced_wasserstein(plain(reference), plain(blurred), rng) > 1.5 * near


def test_each_channel_counts() -> None:
    rng = np.random.default_rng(0)
    patches = rng.random((4, 3, 32, 32), np.float32)
    other = patches.copy()
    other[:, 2] = other[:, 2] ** 2
    for features in (realism.network_features, realism.classical_features):
        assert not np.allclose(features(patches), features(other))
    one = realism.classical_features(patches[:, :1])
    np.testing.assert_allclose(realism.classical_features(patches)[:, :41], one)


def test_patches_of_tissue_are_negatives_with_three_channels() -> None:
    image = np.full((40, 40, 3), 250, np.uint8)
    image[8:32, 8:32] = (90, 40, 150)
    rng = np.random.default_rng(0)
    patches = realism.draw_patches([[image]], [1.0], 5, 32, rng)
    assert patches.shape == (5, 3, 32, 32)
    inside = patches[:, :, 16, 16]
    assert (inside[:, 1] > inside[:, 0]).all()
    assert (inside[:, 0] > inside[:, 2]).all()


@pytest.mark.parametrize("channels", [1, 3])
def test_features_have_their_width_and_are_finite_on_empty_patches(channels: int) -> None:
    empty = np.zeros((4, channels, 32, 32), np.float32)
    assert realism.network_features(empty).shape == (4, 480)
    assert realism.classical_features(empty).shape == (4, 41 * channels)
    assert np.isfinite(realism.network_features(empty)).all()
    assert np.isfinite(realism.classical_features(empty)).all()
