from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_unit_training.augment import Augmenter
from napari_unit_training.config import Augmentation

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
    augmenter, crops = Augmenter(Augmentation()), _crops(1, 8)
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
