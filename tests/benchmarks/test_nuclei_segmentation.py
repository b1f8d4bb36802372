from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("nuclei_segmentation", reason="benchmarks/ is in the repository only")

import nuclei_segmentation
import torch
from instance_score import Matches, match
from nuclei_segmentation import SegmentationSettings, classes, draw_crop, instances, normalised
from nuclei_splits import LabelledImage


def test_normalisation_forgets_gain_and_offset(picture: Callable[..., LabelledImage]) -> None:
    image = picture(0).image.astype(np.float32)
    plain = normalised(image, (1.0, 99.8))
    np.testing.assert_allclose(normalised(37.0 * image + 1000.0, (1.0, 99.8)), plain, atol=1e-4)
    assert np.isfinite(normalised(np.zeros((9, 9), np.uint8), (1.0, 99.8))).all()


def test_a_nucleus_is_interior_with_a_boundary_of_one_pixel(
    squares: Callable[..., np.ndarray],
) -> None:
    found = classes(squares((10, 10, 7), (10, 17, 7), (0, 40, 8)))
    assert np.count_nonzero(found == nuclei_segmentation.BACKGROUND) == 48 * 48 - 2 * 49 - 64
    inside = np.argwhere(found == nuclei_segmentation.INTERIOR)
    assert set(map(tuple, inside)) == (
        {(y, x) for y in range(11, 16) for x in range(11, 16)}
        | {(y, x) for y in range(11, 16) for x in range(18, 23)}
        | {(y, x) for y in range(7) for x in range(41, 48)}  # the image's edge is no boundary
    )


@given(seed=st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_a_crop_and_its_truth_stay_aligned(small_network: SegmentationSettings, seed: int) -> None:
    calm = replace(small_network, gain=(1.0, 1.0), gamma=(1.0, 1.0), noise=0.0)
    truth = np.random.default_rng(seed).integers(0, 3, (40, 50)).astype(np.uint8)
    image = np.stack([truth, 2 * truth]).astype(np.float32)
    shown, cropped = draw_crop(image, truth, calm, np.random.default_rng(seed))
    assert shown.shape == (2, 32, 32)
    np.testing.assert_array_equal(shown, np.stack([cropped, 2 * cropped]))


def test_true_classes_give_the_instances_back(
    squares: Callable[..., np.ndarray], small_network: SegmentationSettings
) -> None:
    labels = squares((2, 2, 12), (2, 14, 12), (20, 20, 9), (40, 3, 2))  # the last: no interior
    chances = np.stack([classes(labels) == k for k in range(3)]).astype(np.float32)
    found = instances(chances, small_network)
    np.testing.assert_array_equal(found > 0, labels > 0)
    assert len(np.unique(found)) == 5
    assert all(len(np.unique(found[labels == number])) == 1 for number in (3, 4))
    assert match(labels, found) == Matches(3, 0, 0)


def test_the_network_learns_and_a_second_training_comes_from_the_cache(
    picture: Callable[..., LabelledImage], small_network: SegmentationSettings, tmp_path: Path
) -> None:
    train = [picture(seed) for seed in range(8)]
    network = nuclei_segmentation.trained(train, small_network, 0, tmp_path)
    odd = replace(
        picture(99), image=picture(99).image[:45, :47], labels=picture(99).labels[:45, :47]
    )
    assert nuclei_segmentation.evaluate(network, [odd, picture(98)], small_network).pooled > 0.7
    (kept,) = tmp_path.iterdir()
    written = kept.stat().st_mtime_ns
    again = nuclei_segmentation.trained(train, small_network, 0, tmp_path)
    assert kept.stat().st_mtime_ns == written
    assert not again.training
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[name])


def test_the_cache_knows_other_pixels_labels_settings_and_seeds(
    picture: Callable[..., LabelledImage], small_network: SegmentationSettings, tmp_path: Path
) -> None:
    brief = replace(small_network, steps=1)
    pictures = [picture(0)]
    other_pixels = [replace(pictures[0], image=pictures[0].image + 1)]
    other_labels = [replace(pictures[0], labels=np.roll(pictures[0].labels, 1))]
    for pool, setting, seed in (
        (pictures, brief, 0),
        (pictures, brief, 1),
        (pictures, replace(brief, noise=0.01), 0),
        (other_pixels, brief, 0),
        (other_labels, brief, 0),
    ):
        nuclei_segmentation.trained(pool, setting, seed, tmp_path)
    assert len(list(tmp_path.iterdir())) == 5
