from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_unit_training.augment import Augmenter
from napari_unit_training.config_tables import Augmentation

GEOMETRY = Augmentation(brightness=0, contrast=0, gamma=0)
NOTHING = Augmentation(
    horizontal_flip=False, vertical_flip=False, rotate_90=False, brightness=0, contrast=0, gamma=0
)
STRONG = Augmentation(brightness=0.9, contrast=0.9, gamma=0.9)


def _crops(channels: int = 1, batch: int = 3) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.rand(batch, channels, 16, 16, generator=generator) * 2 - 1


@given(seed=st.integers(0, 2**31), channels=st.integers(1, 5))
@settings(max_examples=25, deadline=None)
def test_values_stay_in_range_and_shape(seed, channels):
    torch.manual_seed(seed)
    crops = _crops(channels)
    changed = Augmenter(STRONG)(crops)
    assert changed.shape == crops.shape
    assert changed.dtype == torch.float32
    assert changed.min() >= -1
    assert changed.max() <= 1


@given(seed=st.integers(0, 2**31))
@settings(max_examples=25, deadline=None)
def test_flips_and_turns_move_pixels_and_change_none(seed):
    torch.manual_seed(seed)
    crops = _crops(2)
    changed = Augmenter(GEOMETRY)(crops)
    for before, after in zip(crops, changed, strict=True):
        eight = [
            torch.rot90(flipped, k, (1, 2))
            for flipped in (before, before.flip(2))
            for k in range(4)
        ]
        assert any(torch.equal(after, option) for option in eight)


def test_all_eight_orientations_occur():
    torch.manual_seed(0)
    crop = _crops(1, 1).expand(200, -1, -1, -1)
    changed = Augmenter(GEOMETRY)(crop)
    assert len({tuple(x.flatten().tolist()) for x in changed}) == 8


@pytest.mark.parametrize("flip", [False, True])
def test_every_quarter_turn_is_as_likely(flip):
    torch.manual_seed(0)
    turning = Augmentation(
        horizontal_flip=flip, vertical_flip=False, brightness=0, contrast=0, gamma=0
    )
    crop = _crops(1, 1)
    changed = Augmenter(turning)(crop.expand(2000, -1, -1, -1))
    seen = Counter(tuple(x.flatten().tolist()) for x in changed)
    n = 2000 / len(seen)
    assert len(seen) == (8 if flip else 4)
    assert max(abs(count - n) for count in seen.values()) < 4 * n**0.5


def test_the_same_seed_gives_the_same_crops_and_another_seed_others():
    augmenter, crops = (
        Augmenter(Augmentation(brightness=0.05, contrast=0.1, gamma=0.1)),
        _crops(1, 8),
    )
    results = []
    for seed in (5, 5, 6):
        torch.manual_seed(seed)
        results.append(augmenter(crops))
    assert torch.equal(results[0], results[1])
    assert not torch.equal(results[0], results[2])


def test_everything_switched_off_changes_nothing():
    crops = _crops()
    assert torch.equal(Augmenter(NOTHING)(crops), crops)


@pytest.mark.parametrize("name", ["brightness", "contrast", "gamma"])
def test_each_intensity_change_is_small_and_per_image(name):
    torch.manual_seed(0)
    changes = {"brightness": 0.0, "contrast": 0.0, "gamma": 0.0, name: 0.1}
    augmenter = Augmenter(
        Augmentation(horizontal_flip=False, vertical_flip=False, rotate_90=False, **changes)
    )
    flat = torch.zeros(6, 1, 16, 16)  # mid-grey
    levels = augmenter(flat)[:, 0, 0, 0]
    assert len(set(levels.tolist())) == 6
    assert levels.abs().max() <= 0.21  # 10 % of the range of 2


SMALL = {"horizontal_flip": False, "vertical_flip": False, "rotate_90": False,
         "brightness": 0, "contrast": 0, "gamma": 0}  # fmt: skip


def _disk(radius: float, side: int = 64) -> torch.Tensor:
    y, x = torch.meshgrid(*(torch.arange(side) - (side - 1) / 2,) * 2, indexing="ij")
    return torch.where(y**2 + x**2 < radius**2, 1.0, -1.0).expand(16, 1, side, side)


def test_scale_changes_the_size_of_things_by_so_much_at_most():
    torch.manual_seed(0)
    changed = Augmenter(Augmentation(**SMALL, scale=0.2))(_disk(16))
    sizes = ((changed > 0).sum((1, 2, 3)) / 3.14159).sqrt() / 16
    assert 0.78 < sizes.min() < 0.9
    assert 1.1 < sizes.max() < 1.22


def test_small_turns_keep_what_is_round_and_bring_no_edges_in():
    torch.manual_seed(0)
    ramp = torch.linspace(-1, 1, 64).expand(8, 1, 64, 64)
    changed = Augmenter(Augmentation(**SMALL, rotation=10))(ramp)
    angles = torch.atan2(*reversed(torch.gradient(changed[:, 0, 16:48, 16:48], dim=(2, 1))))
    mean = torch.rad2deg(angles.mean((1, 2)))
    assert 5 < mean.abs().max() < 10.2
    # mirrored at the border: no steps as zeros would make
    assert changed.diff(dim=2).abs().max() < 0.1
    assert changed.diff(dim=3).abs().max() < 0.1


def test_blur_takes_contrast_from_half_of_the_crops():
    torch.manual_seed(0)
    crops = _crops(1, 40)
    changed = Augmenter(Augmentation(**SMALL, blur=2.0))(crops)
    kept = [bool(torch.allclose(a, b, atol=1e-6)) for a, b in zip(crops, changed, strict=True)]
    assert 10 < sum(kept) < 30
    assert (changed.std((1, 2, 3)) <= crops.std((1, 2, 3)) + 1e-6).all()


def test_noise_has_the_deviation_that_was_asked_for():
    torch.manual_seed(0)
    flat = torch.zeros(40, 1, 64, 64)
    spread = Augmenter(Augmentation(**SMALL, noise=0.1))(flat).std((1, 2, 3))
    noisy = spread[spread > 0]
    assert 10 < len(noisy) < 30
    assert noisy.mean() == pytest.approx(0.1, rel=0.03)
