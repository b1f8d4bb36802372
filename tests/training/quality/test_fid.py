import pytest
import torch

from napari_unit_training.quality import fid
from napari_unit_training.quality.fid import inception_distances


def features(count: int = 60, seed: int = 0) -> torch.Tensor:
    random = torch.Generator().manual_seed(seed)
    return torch.randn(count, 12, generator=random, dtype=torch.float64)


def test_a_shift_is_as_far_as_its_square() -> None:
    """The covariances are equal, so that of the distance of two Gaussians the means are left."""
    shift = torch.linspace(0, 1, 12, dtype=torch.float64)
    found = inception_distances(features() + shift, features())
    assert found.fid == pytest.approx(float(shift.square().sum()), rel=1e-6)
    assert inception_distances(features(), features()).fid == pytest.approx(0, abs=1e-6)


def test_the_kernel_distance_is_its_unbiased_estimate() -> None:
    """Of two points each, all pairs can be written down: (f·g / F + 1)^3."""
    made = torch.tensor([[1.0, 0.0], [1.0, 0.0]] * 2, dtype=torch.float64)
    real = torch.tensor([[0.0, 2.0], [0.0, 2.0]] * 2, dtype=torch.float64)
    found = inception_distances(made, real)
    assert found.kid_subset == 2
    assert found.kid == pytest.approx((1 / 2 + 1) ** 3 + (4 / 2 + 1) ** 3 - 2)
    assert found.kid_deviation == pytest.approx(0, abs=1e-12)


def test_sets_of_one_distribution_are_alike_and_others_are_not() -> None:
    alike = inception_distances(features(300), features(300, seed=1))
    apart = inception_distances(features(300) + 1.0, features(300, seed=1))
    assert abs(alike.kid) < 3 * alike.kid_deviation
    assert apart.kid > 10 * alike.kid_deviation
    assert apart.fid > 5 * alike.fid


@pytest.mark.parametrize(("made", "real", "subset"), [(50, 30, 15), (5, 4, 2), (90, 120, 40)])
def test_a_subset_is_half_of_the_smaller_set(
    monkeypatch: pytest.MonkeyPatch, made: int, real: int, subset: int
) -> None:
    monkeypatch.setattr(fid, "_MOST", 40)
    assert inception_distances(features(made), features(real)).kid_subset == subset


def test_it_is_always_the_same_and_leaves_the_random_numbers_of_others_alone() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first = inception_distances(features() * 2, features(seed=1))
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(6)
    assert inception_distances(features() * 2, features(seed=1)) == first
