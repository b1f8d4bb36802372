import math

import numpy as np
import pytest
import torch

from napari_unit_training.quality.paired import compare_pairs


def images(channels: int = 3, count: int = 10, seed: int = 0) -> torch.Tensor:
    random = torch.Generator().manual_seed(seed)
    return torch.rand(count, channels, 24, 32, generator=random) * 1.6 - 0.8


def test_equal_images_are_equal_by_every_measure() -> None:
    found = compare_pairs(images(), images())
    assert found.psnr_db == math.inf
    assert found.ssim == pytest.approx(1.0)
    assert found.accuracy == 1.0


@pytest.mark.parametrize("error", [0.02, 0.2])
def test_the_noise_ratio_is_that_of_its_definition(error: float) -> None:
    truths = images(1)
    found = compare_pairs(truths + error, truths)
    assert found.psnr_db == pytest.approx(10 * math.log10(4 / error**2), abs=1e-3)
    # one mean over all crops, also where the error is in one of ten
    one = truths.clone()
    one[3] += error
    assert compare_pairs(one, truths).psnr_db == pytest.approx(found.psnr_db + 10, abs=1e-3)


def test_8_bit_pixels_are_right_within_16_levels_in_every_channel() -> None:
    levels = torch.full((1, 3, 8, 8), 100)
    made = levels.clone()
    made[0, 0, 0, 0] += 16  # still right
    made[0, 1, 0, 1] -= 16  # still right
    made[0, 0, 0, 2] += 17  # wrong in one channel
    made[0, :, 0, 3] -= 17  # wrong in all, one pixel all the same
    made[0, 2, 0, 4] += 120
    unit = [pixels.float() / 127.5 - 1.0 for pixels in (made, levels)]
    assert compare_pairs(*unit).accuracy == pytest.approx(61 / 64)
    for level in range(256 - 16):  # whatever float32 makes of them
        low, high = (torch.full((1, 1, 8, 8), (level + d) / 127.5 - 1.0) for d in (0, 16))
        assert compare_pairs(low, high).accuracy == 1.0


def test_structure_is_compared_as_in_its_definition() -> None:
    """Two flat images have only the term of brightness, of intensities from 0 to 2."""
    low, high = (torch.full((9, 1, 16, 16), value) for value in (-0.5, 0.5))
    c1 = (0.01 * 2) ** 2
    expected = (2 * 0.5 * 1.5 + c1) / (0.5**2 + 1.5**2 + c1)
    assert compare_pairs(low, high).ssim == pytest.approx(expected, abs=1e-4)
    noise = images(1, seed=1)
    assert abs(compare_pairs(noise, images(1, seed=2)).ssim) < 0.3
    assert compare_pairs(noise, noise * 0.9).ssim > 0.9


def test_batches_do_not_matter() -> None:
    made, truths = images(seed=1), images(seed=2)
    whole = compare_pairs(made, truths).ssim
    parts = [compare_pairs(made[i : i + 1], truths[i : i + 1]).ssim for i in range(len(made))]
    assert whole == pytest.approx(np.mean(parts), abs=1e-5)


def test_images_without_counterparts_are_refused() -> None:
    with pytest.raises(ValueError, match=r"of shape \(10, 3, 24, 32\) have no counterparts"):
        compare_pairs(images(), images(count=9))
