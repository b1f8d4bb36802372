from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from napari_unit.engine import memory, planning
from napari_unit.engine.planning import TranslationPlan, plan_translation
from napari_unit.engine.settings import EngineSettings
from napari_unit.geometry.regions import whole
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
    assert plan.part.n_px == 3 * 1000 * 777
    assert plan.device == "cpu"
    assert plan.memory_bytes > 0


def test_the_engine_takes_each_dtype_it_promises(random_model: MakeModel) -> None:
    for dtype in ("uint8", "int16", "uint32", "int64", "float16", "float64"):
        planned(random_model(), image(1, 1, 64, 64, dtype=dtype))
    for dtype in ("float32", "uint8", "int8", "uint16", "int16", "uint32", "int32"):
        assert EngineSettings(dtype=np.dtype(dtype)).dtype == dtype


def test_whole_planes_are_measured_in_one_piece_where_they_fit(random_model: MakeModel) -> None:
    for statistics in ("whole", "image"):
        plan = planned(random_model(), image(2, 1, 1000, 777), statistics=statistics)
        assert plan.fields == (whole((1000, 780)),)
        assert plan.reuses_maps
        assert not plan.keeps_on_disk
        assert plan.scratch_bytes == 0


def test_of_a_large_image_a_sample_is_measured(random_model: MakeModel) -> None:
    plan = planned(random_model(), image(1, 1, 3000, 3000))
    assert plan.fields == ()
    assert not plan.reuses_maps


@pytest.mark.parametrize("statistics", ["model", "tile"])
def test_what_is_not_measured_takes_no_memory(random_model: MakeModel, statistics: str) -> None:
    plan = planned(random_model(), image(1, 1, 1000, 777), statistics=statistics)
    assert plan.fields == ()
    assert not plan.reuses_maps
    measured = planned(random_model(), image(1, 1, 1000, 777), statistics="whole")
    assert plan.memory_bytes < measured.memory_bytes


def test_a_calibrated_image_is_translated_from_its_pixels(random_model: MakeModel) -> None:
    plan = plan_translation(
        random_model(), "a", "b", image(1, 1, 100, 100), EngineSettings(device="cpu"),
        is_calibrated=True,
    )  # fmt: skip
    assert plan.fields == ()
    assert not plan.reuses_maps


def test_memory_does_not_grow_with_the_image(random_model: MakeModel) -> None:
    model = random_model(width=16, n_shared=4)
    for statistics in ("image", "whole", "local", "model"):
        plans = [
            planned(model, image(1, 1, side, side), statistics=statistics)
            for side in (20_000, 60_000)
        ]
        assert plans[1].memory_bytes < 2e9
        assert plans[1].memory_bytes == pytest.approx(plans[0].memory_bytes, rel=0.02)
        assert plans[1].keeps_on_disk == (statistics in ("whole", "local"))


def test_less_device_memory_ends_at_small_pieces(random_model: MakeModel) -> None:
    plan = planned(random_model(), image(1, 1, 64, 64))
    sides = []
    while plan is not None:
        sides.append(plan.pieces.block_px)
        plan = plan.with_less_device_memory()
    assert sides == [256, 128, 64, 32]


def test_more_than_may_be_taken_is_refused_before_the_start(
    random_model: MakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, planes = random_model(width=64, n_shared=4), image(1, 1, 9000, 9000)
    with pytest.raises(
        MemoryError, match=r"A tile of 256 px takes about .* and 15 MB may be taken"
    ):
        planned(model, planes, statistics="whole", memory_bytes=10**8)
    monkeypatch.setattr(memory, "FIELD_SIZES_PX", (1024,))
    with pytest.raises(MemoryError, match=r"'whole' takes about .* and 100 MB may be taken; give"):
        planned(model, planes, statistics="whole", memory_bytes=10**8)
    monkeypatch.setattr(memory, "available_bytes", lambda _: 90 << 20)
    monkeypatch.setattr(planning, "available_bytes", lambda _: 90 << 20)
    with pytest.raises(MemoryError, match=r"A tile of 256 px takes about \d+ MB of memory, and 94"):
        planned(model, planes, statistics="tile")


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
