from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from napari_unit.engine import planning
from napari_unit.engine.planning import EngineSettings, TranslationPlan, plan_translation
from napari_unit.images.axes import Axes
from napari_unit.images.storage import ArraySource
from napari_unit.models.model import TranslationModel

MakeModel = Callable[..., TranslationModel]


def image(*shape: int, dtype: str = "uint8", n_channels: int = 1) -> ArraySource:
    """Return planes of (T, C, Y, X) that hold no memory."""
    return ArraySource(np.broadcast_to(np.zeros((), dtype), shape), Axes("TCYX"), n_channels)


def planned(model: TranslationModel, planes: ArraySource, **settings: Any) -> TranslationPlan:
    return plan_translation(model, "a", "b", planes, EngineSettings(**{"device": "cpu"} | settings))


def test_a_plan_says_what_will_be_done(random_model: MakeModel) -> None:
    plan = planned(random_model(), image(3, 1, 1000, 777), tile_px=250)
    assert plan.size == (1000, 780)
    assert (plan.reach_px, plan.lattice_px) == (82, 4)
    assert plan.tile_px == 252  # the next place on the lattice
    assert plan.n_tiles == 3 * 4 * 4
    assert plan.device == "cpu"
    assert plan.memory_bytes > 0


def test_the_engine_takes_each_dtype_it_promises(random_model: MakeModel) -> None:
    for dtype in ("uint8", "int16", "uint32", "int64", "float16", "float64"):
        planned(random_model(), image(1, 1, 64, 64, dtype=dtype))
    for dtype in ("float32", "uint8", "int8", "uint16", "int16", "uint32", "int32"):
        assert EngineSettings(dtype=np.dtype(dtype)).dtype == dtype


@pytest.mark.parametrize(("width", "tile_px"), [(4, 2048), (16, 1024), (64, 512)])
def test_auto_chooses_larger_tiles_for_narrower_networks(
    random_model: MakeModel, width: int, tile_px: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "available_bytes", lambda _: None)
    model = random_model(width=width, n_shared=4)
    assert planned(model, image(1, 1, 9000, 9000)).tile_px == tile_px


def test_auto_takes_no_larger_tile_than_the_image(random_model: MakeModel) -> None:
    assert planned(random_model(), image(1, 1, 9, 33)).tile_px == 36


def test_auto_keeps_to_the_memory_there_is(
    random_model: MakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, planes = random_model(width=4), image(1, 1, 9000, 9000)
    monkeypatch.setattr(planning, "available_bytes", lambda _: 300 << 20)
    assert planned(model, planes).tile_px == 512
    monkeypatch.setattr(planning, "available_bytes", lambda _: 90 << 20)
    with pytest.raises(
        MemoryError, match=r"A tile of 256 px takes about \d+ MB of memory, and 4 MB"
    ):
        planned(model, planes)
    monkeypatch.setattr(planning, "available_bytes", lambda _: 400 << 20)
    with pytest.raises(MemoryError, match=r"A tile of 4096 px takes about 1.* use a smaller tile"):
        planned(model, planes, tile_px=4096)


@pytest.mark.parametrize(
    ("statistics", "advice"),
    [("whole", "use statistics 'image', or"), ("image", "free some memory, or")],
)
def test_statistics_that_do_not_fit_are_refused_before_the_start(
    random_model: MakeModel, statistics: str, advice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, planes = random_model(width=16), image(1, 1, 60000, 60000)
    monkeypatch.setattr(planning, "available_bytes", lambda _: 300 << 20)
    sentence = rf"'{statistics}' takes about .* of memory, and 315 MB are available; {advice}"
    with pytest.raises(MemoryError, match=sentence):
        planned(model, planes, statistics=statistics)
    planned(model, planes, statistics="tile")


def test_a_planes_maps_are_all_that_whole_statistics_hold(
    random_model: MakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "available_bytes", lambda _: None)
    settings = {"statistics": "whole", "tile_px": 64}
    small, large = (
        planned(random_model(width=16), image(1, 1, side, side), **settings).memory_bytes
        for side in (4096, 8192)
    )
    # two maps of 64 channels at a quarter of the resolution
    assert large - small == 2 * 64 * 4 * (2048**2 - 1024**2)


@pytest.mark.parametrize(
    ("planes", "says"),
    [
        (image(1, 1, 64, 64, dtype="bool"), "of dtype bool; they must be real numbers"),
        (image(1, 1, 64, 64, dtype="complex64"), "of dtype complex64; they must be real"),
        (image(1, 1, 64, 64, dtype="object"), "of dtype object; they must be real"),
        (image(1, 1, 1, 64), "The image is 1 x 64 px; both sides must have at least 8"),
        (image(1, 1, 64, 7), "The image is 64 x 7 px; both sides must have at least 8"),
        (image(0, 1, 64, 64), "The image has no planes; there is nothing to translate"),
        (
            image(1, 3, 64, 64, n_channels=3),
            r"has 3 channels, but domain 'a' has 1 channel \(a0\); choose another domain",
        ),
    ],
)
def test_an_image_that_does_not_go_is_refused(
    random_model: MakeModel, planes: ArraySource, says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        planned(random_model(), planes)


def test_an_unknown_domain_is_refused(random_model: MakeModel) -> None:
    with pytest.raises(ValueError, match="no domain 'z'"):
        plan_translation(random_model(), "a", "z", image(1, 1, 64, 64), EngineSettings())


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("statistics", "batch", "'batch'; they must be 'image', 'whole' or 'tile'"),
        ("tile_px", 15, "The tile is 15; it must be 'auto' or a whole number of pixels from 16"),
        ("tile_px", True, "The tile is True"),
        ("tile_px", 256.0, "The tile is 256.0"),
        ("tile_px", "large", "The tile is 'large'"),
        ("dtype", np.dtype("float64"), "The output dtype is float64; it must be one of float32"),
        ("dtype", np.dtype("bool"), "The output dtype is bool"),
        ("seed", -1, "The seed is -1; it must be a whole number from 0 on"),
        ("seed", 0.5, "The seed is 0.5"),
    ],
)
def test_a_setting_out_of_bounds_is_refused(field: str, value: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        EngineSettings(**{field: value})
