import numpy as np
import pytest
import torch
from scipy.stats import wasserstein_distance

from napari_unit.simulate import SceneSettings, simulate_nuclei
from napari_unit_training.quality.distances import (
    intensity_distance,
    laplacian_pyramid,
    patch_distance,
    sharpness,
    sliced_wasserstein,
)


@pytest.fixture(scope="module")
def sets():
    """Two sets of scenes that differ by chance only, in [-1, 1]."""
    scenes = [simulate_nuclei(SceneSettings(shape=(64, 64)), seed).image for seed in range(120)]
    images = torch.from_numpy(np.stack(scenes)[:, None].astype(np.float32))
    low, high = images.quantile(0.01), images.quantile(0.99)
    scaled = ((images - low) / (high - low) * 2 - 1).clamp(-1, 1)
    return scaled[::2], scaled[1::2]


def _random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def _noisy(images):
    return images + 0.2 * _random(*images.shape)


def test_the_distance_of_a_set_to_itself_is_nothing(sets):
    assert patch_distance(sets[0], sets[0]) == 0
    assert intensity_distance(sets[0], sets[0].flip(0)) == 0


def test_it_is_the_same_every_time(sets):
    assert patch_distance(*sets) == patch_distance(*sets)


@pytest.mark.parametrize(
    "change",
    [
        lambda x: torch.nn.functional.avg_pool2d(x, 5, 1, 2, count_include_pad=False),
        _noisy,
        lambda x: -x,
        lambda x: x[..., ::2, ::2].repeat_interleave(2, -1).repeat_interleave(2, -2),
        torch.zeros_like,
    ],
    ids=["blurred", "noisy", "inverted", "coarse", "constant"],
)
def test_what_is_unlike_is_farther_than_chance(sets, change):
    by_chance = patch_distance(*sets)
    assert patch_distance(change(sets[0]), sets[1]) > 1.15 * by_chance


def test_one_gain_and_one_offset_do_not_count(sets):
    changed = 0.5 * sets[0] + 0.3
    assert patch_distance(changed, sets[1]) == pytest.approx(patch_distance(*sets), rel=1e-3)
    assert intensity_distance(changed, sets[0]) > 0.2


def test_colors_that_are_exchanged_are_seen(sets):
    (first, second) = (torch.cat([s, torch.nn.functional.avg_pool2d(s, 5, 1, 2)], 1) for s in sets)
    by_chance = patch_distance(first, second)
    assert patch_distance(first.flip(1), second) > 1.15 * by_chance


def test_sharpness_is_one_for_real_images_and_falls_with_blur(sets):
    assert sharpness(*sets) == pytest.approx(1, abs=0.15)
    blurred = torch.nn.functional.avg_pool2d(sets[0], 3, 1, 1, count_include_pad=False)
    assert sharpness(blurred, sets[1]) < 0.8 < 1.2 < sharpness(_noisy(sets[0]), sets[1])
    assert sharpness(torch.zeros_like(sets[0]), sets[1]) == 0


def test_a_shift_is_as_far_as_its_projections():
    """The mean of |u . s| over directions u in F dimensions is known for a large F."""
    points, shift = _random(60, 200), torch.zeros(200)
    shift[0] = 3.0
    expected = 3.0 * np.sqrt(2 / (np.pi * 200))
    assert sliced_wasserstein(points, points + shift) == pytest.approx(expected, rel=0.1)
    assert sliced_wasserstein(points, points.flip(0)) == pytest.approx(0, abs=1e-6)


def test_the_pyramid_has_all_that_the_image_had_level_by_level(sets):
    levels = laplacian_pyramid(sets[0])
    assert [level.shape[-1] for level in levels] == [64, 32, 16]
    image = levels[-1]
    for level in reversed(levels[:-1]):
        size = level.shape[-2:]
        image = level + torch.nn.functional.interpolate(image, size, mode="bilinear")
    assert torch.allclose(image, sets[0], atol=1e-6)


@pytest.mark.parametrize("side", [16, 44, 100])
def test_any_crop_from_16_px_on_can_be_measured(side):
    assert patch_distance(_random(4, 2, side, side), _random(4, 2, side, side, seed=1)) < 0.5


def test_intensities_are_as_far_apart_as_another_library_says(sets):
    values = [s.flatten().double().numpy() for s in sets]
    assert intensity_distance(*sets) == pytest.approx(wasserstein_distance(*values), abs=2e-3)
    assert intensity_distance(sets[0], sets[0][:3] + 0.25) > 0.1


def test_sets_of_other_shapes_are_refused(sets):
    with pytest.raises(ValueError, match="cannot be compared; take as many"):
        patch_distance(sets[0], sets[1][:4])
