from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from napari_unit.domains import Window
from napari_unit.engine import sampling
from napari_unit.engine.planes import PaddedPlanes
from napari_unit.engine.sampling import Sample, all_of, n_looks, stratified_sample
from napari_unit.geometry.regions import grid, whole
from napari_unit.images.axes import Axes
from napari_unit.images.storage import ArraySource

Finish = Callable[..., tuple[Any, list[Any]]]


@pytest.fixture(autouse=True)
def small_squares(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "SAMPLE_CORE_PX", 16)
    monkeypatch.setattr(sampling, "MAX_SAMPLED", 8)


def padded(image: np.ndarray) -> PaddedPlanes:
    """Wrap an image (T, C, Y, X) in [-1, 1] with sides that are multiples of 4."""
    planes = ArraySource(image.astype("float32"), Axes("TCYX"), image.shape[1])
    n = image.shape[1]
    return PaddedPlanes(planes, Window((-1.0,) * n, (1.0,) * n), image.shape[2:])


def squares(values: np.ndarray, deviation: float = 0.1) -> np.ndarray:
    """Return an image of 16 px squares with these mean values (rows, columns)."""
    noise = np.random.default_rng(0).normal(size=(16 * values.shape[0], 16 * values.shape[1]))
    return (values.repeat(16, 0).repeat(16, 1) + deviation * noise)[None, None]


def draw(planes: PaddedPlanes, finish: Finish, seed: int = 0) -> Sample:
    sample, looked = finish(stratified_sample(planes, seed))
    expected = n_looks(planes.planes.n_planes, planes.size)
    assert looked == list(range(1, expected + 1))
    result: Sample = sample
    return result


def test_all_of_an_image_is_the_same_fields_of_each_plane() -> None:
    regions = tuple(grid(whole((20, 24)), 12))
    sample = all_of(padded(np.zeros((3, 1, 20, 24))), regions)
    assert [(field.plane, field.core) for field in sample.fields] == [
        (plane, region) for plane in range(3) for region in regions
    ]
    assert sample.n_eligible == len(sample.fields) == 12


def test_of_a_small_image_no_sample_is_drawn() -> None:
    assert n_looks(2, (20, 24)) == 0
    assert n_looks(3, (20, 24)) == 12


def test_a_large_image_is_drawn_once_from_each_stratum_of_brightness(finish: Finish) -> None:
    means = np.random.default_rng(1).permutation(np.linspace(-0.8, 0.8, 64)).reshape(8, 8)
    planes = padded(squares(means, deviation=0.02))
    for seed in range(3):
        sample = draw(planes, finish, seed)
        assert sample.n_eligible == 64
        drawn = sorted(
            means[f.core.rows.start // 16, f.core.columns.start // 16] for f in sample.fields
        )
        ranks = np.searchsorted(np.sort(means.ravel()), drawn)
        assert (ranks // 8 == np.arange(8)).all()


def test_the_seed_decides(finish: Finish) -> None:
    planes = padded(squares(np.random.default_rng(1).uniform(-0.8, 0.8, (8, 8))))
    assert draw(planes, finish, 3) == draw(planes, finish, 3)
    assert len({draw(planes, finish, seed).fields for seed in range(5)}) > 1


def test_flat_squares_are_left_out_unless_there_is_nothing_else(finish: Finish) -> None:
    image = np.zeros((1, 1, 128, 128))
    assert draw(padded(image), finish).n_eligible == 64
    image[0, 0, 16:32, :] = np.random.default_rng(0).uniform(-1, 1, (16, 128))
    sample = draw(padded(image), finish)
    assert sample.n_eligible == 8
    assert {field.core.rows.start for field in sample.fields} == {16}


def test_a_square_with_contrast_in_one_channel_is_not_flat(finish: Finish) -> None:
    image = np.zeros((1, 2, 64, 64))
    image[0, 1, :16, :] = np.random.default_rng(0).uniform(-1, 1, (16, 64))
    assert draw(padded(image), finish).n_eligible == 4


def test_of_a_huge_image_only_some_squares_are_looked_at(
    finish: Finish, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sampling, "MAX_CANDIDATES", 20)
    planes = padded(squares(np.random.default_rng(1).uniform(-0.8, 0.8, (8, 8))))
    assert n_looks(1, planes.size) == 20
    sample = draw(planes, finish)
    assert len(sample.fields) == 8
    assert sample.n_eligible == 20
    assert len({draw(planes, finish, seed).fields for seed in range(5)}) > 1
