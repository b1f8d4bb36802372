from collections.abc import Callable

import numpy as np
import pytest

pytest.importorskip("nuclei_scenes", reason="benchmarks/ is in the repository only")

import nuclei_scenes
from nuclei_splits import LabelledImage

from napari_unit.models.file import LoadedModel


def test_seeds_share_no_scenes_and_repeat_themselves() -> None:
    first, again = nuclei_scenes.simulate_scenes(2, 64, 0), nuclei_scenes.simulate_scenes(3, 64, 0)
    other = nuclei_scenes.simulate_scenes(2, 64, 1)
    np.testing.assert_array_equal(first[1].image, again[1].image)
    assert not any(np.array_equal(a.image, b.image) for a in first for b in other)


def test_matched_scenes_keep_their_labels_and_get_a_real_histogram(
    picture: Callable[..., LabelledImage],
) -> None:
    scenes = nuclei_scenes.simulate_scenes(3, 64, 0)
    real = [picture(0)]
    for scene, made in zip(scenes, nuclei_scenes.matched(scenes, real, 0), strict=True):
        assert made.labels is scene.labels
        assert real[0].image.min() <= made.image.min() <= made.image.max() <= real[0].image.max()
        assert made.image.mean() == pytest.approx(real[0].image.mean(), rel=0.1)


def test_each_scene_is_translated_by_itself(tiny_model: LoadedModel) -> None:
    scenes = nuclei_scenes.simulate_scenes(3, 64, 0)
    together = nuclei_scenes.translated(scenes, tiny_model, "real", "direct")
    (alone,) = nuclei_scenes.translated(scenes[1:2], tiny_model, "real", "direct")
    np.testing.assert_allclose(alone.image, together[1].image, atol=1e-2)
    assert together[1].labels is scenes[1].labels
    assert 5.0 <= together[1].image.min() < together[1].image.max() <= 180.0


def test_the_engine_gives_the_pixels_of_the_network(tiny_model: LoadedModel) -> None:
    scenes = nuclei_scenes.simulate_scenes(1, 64, 0)
    (direct,) = nuclei_scenes.translated(scenes, tiny_model, "real", "direct")
    (whole,) = nuclei_scenes.translated(scenes, tiny_model, "real", "whole")
    np.testing.assert_allclose(whole.image, direct.image, atol=0.02)  # 1e-4 of the 175 grey levels


def test_tissue_goes_the_same_way_through_engine_and_network(
    tiny_tissue_model: LoadedModel,
) -> None:
    scenes = nuclei_scenes.simulate_scenes(2, 64, 0, "histology")
    assert scenes[0].image.shape == (64, 64, 3)
    direct = nuclei_scenes.translated(scenes, tiny_tissue_model, "real", "direct")
    whole = nuclei_scenes.translated(scenes, tiny_tissue_model, "real", "whole")
    for one, other in zip(direct, whole, strict=True):
        assert one.image.shape == other.image.shape == (64, 64, 3)
        np.testing.assert_allclose(other.image, one.image, atol=0.51)  # the engine's are whole


def test_matched_tissue_gets_the_colors_of_real_tissue() -> None:
    scenes = nuclei_scenes.simulate_scenes(2, 64, 0, "histology")
    real = nuclei_scenes.simulate_scenes(1, 64, 7, "histology")
    for made in nuclei_scenes.matched(scenes, real, 0):
        means = made.image.mean((0, 1)), real[0].image.mean((0, 1))
        np.testing.assert_allclose(*means, rtol=0.1)
