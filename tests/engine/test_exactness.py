from typing import Any

import numpy as np
import pytest
import torch
from engine_runs import TOLERANCE, MakeModel, in_one_piece, picture, translated
from hypothesis import given, settings
from hypothesis import strategies as st
from seams import seam_excess

from napari_unit.domains import Domain, IntensityScaling
from napari_unit.engine import local


@pytest.mark.parametrize(
    "size", [(8, 8), (37, 50), (9, 120), (64, 64), (101, 75)], ids=lambda s: f"{s[0]}x{s[1]}"
)
@pytest.mark.parametrize("channels", [(1, 1), (3, 2)])
def test_whole_statistics_equal_translating_in_one_piece(
    random_model: MakeModel, size: tuple[int, int], channels: tuple[int, int]
) -> None:
    model = random_model(width=4, channels=channels)
    image = picture(1, channels[0], *size)
    expected = in_one_piece(model, image)
    for tile_px in (16, 44, 300):
        found, _, _ = translated(model, image, statistics="whole", tile_px=tile_px)
        np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("n_shared", range(5))
def test_shared_blocks_make_no_difference(random_model: MakeModel, n_shared: int) -> None:
    model = random_model(width=2, n_shared=n_shared, seed=n_shared)
    image = picture(1, 1, 50, 61)
    found, _, _ = translated(model, image, statistics="whole", tile_px=24)
    np.testing.assert_allclose(found, in_one_piece(model, image), rtol=0, atol=TOLERANCE)


@settings(max_examples=12)
@given(
    height=st.integers(8, 90),
    width=st.integers(8, 90),
    tile_px=st.integers(16, 100),
    statistics=st.sampled_from(["whole", "image"]),
)
def test_in_double_precision_tiles_and_whole_are_the_same(
    random_model: MakeModel, height: int, width: int, tile_px: int, statistics: str
) -> None:
    """A sample of an image this small is all of it, so both statistics are the whole's."""
    model = random_model(width=2).double()
    image = picture(1, 1, height, width)
    found, _, _ = translated(model, image, statistics=statistics, tile_px=tile_px)
    expected = in_one_piece(model, image)
    # the engine gives float32
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-7)


@pytest.mark.usefixtures("small_sample")
def test_with_sampled_statistics_every_tile_size_gives_the_same_pixels(
    random_model: MakeModel,
) -> None:
    model, image = random_model(width=4), picture(1, 1, 150, 201)
    results = [translated(model, image, tile_px=tile_px) for tile_px in (20, 64, 96, 1000)]
    for found, report, _ in results:
        np.testing.assert_allclose(found, results[0][0], rtol=0, atol=TOLERANCE)
        assert report.statistics is not None
        assert (report.statistics.mode, report.statistics.n_sampled) == ("image", 6)
        assert report.statistics.n_eligible == 35
        assert max(report.statistics.standard_error) > 0
    # and it is a sample: not the whole image's pixels, and another one with another seed
    assert np.abs(results[0][0] - in_one_piece(model, image)).max() > 10 * TOLERANCE
    other, _, _ = translated(model, image, tile_px=64, seed=1)
    assert np.abs(results[0][0] - other).max() > TOLERANCE


def test_tiles_on_their_own_do_not_match_the_whole(random_model: MakeModel) -> None:
    model, image = random_model(width=4), picture(1, 1, 300, 260)
    found, report, _ = translated(model, image, statistics="tile", tile_px=64)
    assert np.isfinite(found).all()
    assert np.abs(found - in_one_piece(model, image)).max() > 100 * TOLERANCE
    assert report.statistics is None


def test_no_pixel_is_left_out_or_darker_at_a_border(random_model: MakeModel) -> None:
    """A network that makes the same of everything makes it everywhere."""
    model = random_model(width=4)
    for parameter in model.parameters():
        torch.nn.init.zeros_(parameter)
    head = model.steps("a", "b")[-1].block.conv
    assert head.bias is not None
    torch.nn.init.constant_(head.bias, 0.5)
    found, _, _ = translated(model, picture(1, 1, 40, 50), tile_px=16)
    np.testing.assert_allclose(found, np.tanh(0.5), rtol=1e-6)


def test_local_statistics_follow_an_image_that_drifts(
    random_model: MakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the exposure falls off, they change the result less than the whole image's do."""
    monkeypatch.setattr(local, "CELL_PX", 64)
    model = random_model(width=4)
    model.domains = tuple(
        Domain(d.name, d.channels, IntensityScaling("range", -1.0, 1.0)) for d in model.domains
    )
    flat = 0.5 * picture(1, 1, 256, 256)
    fading = flat * np.linspace(1.0, 0.3, 256, dtype="f4")
    off = {}
    for mode in ("local", "whole"):
        first, _, _ = translated(model, flat, statistics=mode, tile_px=100)
        other, _, _ = translated(model, fading, statistics=mode, tile_px=100)
        off[mode] = np.abs(first - other)[..., 192:].mean()
        # every tile size gives the same pixels
        again, _, _ = translated(model, fading, statistics=mode, tile_px=72)
        np.testing.assert_allclose(again, other, rtol=0, atol=TOLERANCE)
    assert off["local"] < 0.8 * off["whole"]


@pytest.mark.gpu
@pytest.mark.parametrize("statistics", ["image", "whole"])
def test_a_gpu_gives_the_cpus_pixels(random_model: MakeModel, statistics: Any) -> None:
    model, image = random_model(width=8), picture(1, 1, 301, 420)
    cpu, _, _ = translated(model, image, statistics=statistics, tile_px=128)
    gpu, _, _ = translated(model, image, statistics=statistics, tile_px=200, device="cuda")
    np.testing.assert_allclose(gpu, cpu, rtol=0, atol=TOLERANCE)


def test_no_seam_is_left_where_tiles_meet(random_model: MakeModel) -> None:
    """At the borders of tiles images change as much as beside them, but for tiles alone."""
    image, borders = picture(1, 1, 200, 240), (list(range(40, 200, 40)), list(range(40, 240, 40)))
    excess = {}
    for mode in ("image", "whole", "local", "tile"):
        made = [
            translated(random_model(width=4, seed=seed), image, statistics=mode, tile_px=40)[0][0]
            for seed in range(4)
        ]
        excess[mode] = np.mean([seam_excess(one, *borders) / float(np.ptp(one)) for one in made])
    noise = max(abs(excess[mode]) for mode in ("image", "whole", "local"))
    assert noise < 0.01
    assert excess["tile"] > 5 * noise
