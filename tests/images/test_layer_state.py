from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from napari.layers import Image

from napari_unit.images.layer_state import LayerToSave, plan_saving

RNG = np.random.default_rng(0)


def planned(data: Any, **fields: Any) -> LayerToSave:
    fields.setdefault("contrast_limits", (0, 255))
    pixels, state, _ = Image(data, **fields).as_layer_data_tuple()
    return plan_saving(pixels, state)


def gray(*shape: int, dtype: str = "u1") -> np.ndarray:
    return RNG.integers(0, 255, shape).astype(dtype)


def steps_and_origins(layer: LayerToSave, letters: str) -> tuple[list[float], list[float]]:
    places = [layer.plan.places[letter] for letter in letters]
    return [place.step for place in places], [place.origin for place in places]


@given(
    scale=st.tuples(*[st.floats(0.01, 100)] * 3),
    offset=st.tuples(*[st.floats(-1000, 1000)] * 3),
    stretch=st.tuples(*[st.floats(0.1, 10)] * 3),
)
def test_pixels_stand_where_napari_shows_them(
    scale: tuple[float, ...], offset: tuple[float, ...], stretch: tuple[float, ...]
) -> None:
    affine = np.diag([*stretch, 1.0])
    affine[:3, 3] = 5.0, -6.0, 7.0
    fields: dict[str, Any] = {"scale": scale, "translate": offset, "affine": affine}
    layer = Image(np.zeros((3, 8, 9)), contrast_limits=(0, 1), **fields)
    saved = planned(layer.data, **fields)
    steps, origins = steps_and_origins(saved, "ZYX")
    index = np.array([2.0, 5.0, 3.0])
    np.testing.assert_allclose(origins + index * steps, layer.data_to_world(index))
    assert saved.lost == ()


@pytest.mark.parametrize(
    ("fields", "lost"),
    [
        ({"rotate": 30.0}, "its rotation"),
        ({"shear": (0.2,)}, "its shear"),
        ({"affine": np.array([[1, 0.3, 0], [0, 1, 0], [0, 0, 1]])}, "its affine transform"),
        ({"rotate": 180.0}, None),
    ],
)
def test_what_is_turned_is_told_and_keeps_its_first_pixel_and_the_size_of_all(
    fields: dict[str, Any], lost: str | None
) -> None:
    fields |= {"scale": (2.0, 3.0), "translate": (10.0, 20.0)}
    layer = Image(gray(20, 30), **fields)
    saved = planned(layer.data, **fields)
    assert saved.lost == ((lost,) if lost else ())
    steps, origins = steps_and_origins(saved, "YX")
    np.testing.assert_allclose(origins, layer.data_to_world((0, 0)))
    for axis, unit in enumerate(np.eye(2)):
        side = np.linalg.norm(np.subtract(layer.data_to_world(unit), origins))
        np.testing.assert_allclose(abs(steps[axis]), side)


def test_units_that_ome_zarr_knows_are_kept_and_others_told() -> None:
    saved = planned(gray(2, 20, 30), axis_labels=("t", "y", "x"), units=("ms", "um", "degree"))
    units = {letter: place.unit for letter, place in saved.plan.places.items()}
    assert units == {"T": "millisecond", "Y": "micrometer", "X": None}
    assert saved.lost == ("the unit degree along X",)
    # a length along time is none
    saved = planned(gray(2, 20, 30), axis_labels=("t", "y", "x"), units=("um", "um", "um"))
    assert saved.lost == ("the unit micrometer along T",)


@pytest.mark.parametrize(
    ("labels", "shape", "axes", "stored"),
    [
        (None, (20, 30), "YX", "YX"),
        (None, (3, 20, 30), "ZYX", "ZYX"),
        (None, (2, 3, 20, 30), "TZYX", "TZYX"),
        (None, (2, 2, 3, 20, 30), "QTZYX", "TQZYX"),
        (("x", "y"), (20, 30), "XY", "YX"),
        (("c", "z", "t", "y", "x"), (2, 3, 2, 20, 30), "CZTYX", "TCZYX"),
        (("z", "c", "y", "x"), (3, 2, 20, 30), "ZCYX", "CZYX"),
    ],
)
def test_axes_are_those_of_the_labels_in_the_order_of_ome(
    labels: Any, shape: tuple[int, ...], axes: str, stored: str
) -> None:
    saved = planned(gray(*shape), **({} if labels is None else {"axis_labels": labels}))
    assert (saved.axes.letters, saved.plan.stored.axes.letters) == (axes, stored)
    length = dict(zip(axes, shape, strict=True))
    assert saved.plan.stored.shapes == (tuple(length[letter] for letter in stored),)


def test_labels_that_leave_open_which_axis_is_which_are_told() -> None:
    saved = planned(gray(3, 20, 30), axis_labels=("y", "y", "x"))
    assert saved.axes.letters == "ZYX"
    assert saved.lost == ("its axis labels y, y, x",)


def test_color_becomes_channels_and_opacity_one_that_is_not_shown() -> None:
    saved = planned(gray(20, 30, 4), rgb=True, contrast_limits=None, scale=(2.0, 3.0))
    assert (saved.axes.letters, saved.plan.stored.axes.letters) == ("YXS", "CYX")
    assert saved.plan.stored.shapes == ((4, 20, 30),)
    channels = saved.plan.channels
    assert [c.name for c in channels] == ["red", "green", "blue", "opacity"]
    assert [c.color for c in channels[:3]] == ["FF0000", "00FF00", "0000FF"]
    assert [c.is_visible for c in channels] == [True, True, True, False]
    assert {c.limits for c in channels} == {(0.0, 255.0)}
    assert steps_and_origins(saved, "YX")[0] == [2.0, 3.0]
    assert planned(np.zeros((20, 30, 3), "f4"), rgb=True).plan.channels[0].limits == (0.0, 1.0)
    stacked = planned(gray(2, 20, 30, 3), rgb=True)
    assert (stacked.axes.letters, stacked.plan.stored.axes.letters) == ("ZYXS", "CZYX")


def test_more_axes_than_ome_zarr_has_are_refused_in_a_sentence() -> None:
    with pytest.raises(OSError, match=r"^The layer 'big' has the axes PQTZYX; an OME-Zarr holds"):
        planned(np.zeros((1, 1, 1, 1, 9, 9)), name="big")
    with pytest.raises(OSError, match=r"has the axes QYXC; .* so save a part of the layer"):
        planned(gray(2, 20, 30, 3), rgb=True, axis_labels=("c", "y", "x"), name="a")


@pytest.mark.parametrize("dtype", ["c8", "c16", "M8[s]"])
def test_pixels_that_ome_zarr_cannot_hold_are_refused(dtype: str) -> None:
    with pytest.raises(OSError, match=r"^The layer 'a' holds pixels of type .* up to 64 bits"):
        plan_saving(np.zeros((9, 9), dtype), {"name": "a"})


def test_limits_and_color_are_those_of_the_layer() -> None:
    (channel,) = planned(
        gray(9, 9), name="dna", colormap="green", contrast_limits=(3, 90)
    ).plan.channels
    assert (channel.name, channel.color, channel.limits) == ("dna", "00FF00", (3.0, 90.0))
    # of a map that is no ramp from black to a color, there is none
    assert planned(gray(9, 9), colormap="viridis").plan.channels[0].color == "FFFFFF"
    assert planned(gray(9, 9), colormap="gray_r").plan.channels[0].color == "FFFFFF"
    two = planned(gray(2, 9, 9), axis_labels=("c", "y", "x")).plan.channels
    assert [(c.name, c.color) for c in two] == [("0", "FF0000"), ("1", "00FF00")]


def test_levels_are_the_layers_own_or_halved() -> None:
    full = gray(2, 400, 300)
    own = planned([full, full[:, ::3, ::3], full[:, ::9, ::9]], multiscale=True)
    assert own.plan.stored.shapes == ((2, 400, 300), (2, 134, 100), (2, 45, 34))
    # those that shrink along z, too, are made anew
    other = planned([full, full[::2, ::2, ::2]], multiscale=True)
    assert other.plan.stored.shapes == ((2, 400, 300),)
    large = planned(np.broadcast_to(np.uint8(1), (2049, 4000)))
    assert large.plan.stored.shapes == ((2049, 4000), (1024, 2000), (512, 1000))


def test_a_translation_keeps_how_it_was_made_and_others_their_metadata_to_themselves() -> None:
    told = {"model": "nuclei", "to": "real"}
    assert planned(gray(9, 9), metadata={"napari_unit": told, "x": 1}).provenance == told
    assert planned(gray(9, 9), metadata={"napari_unit": object()}).provenance == {}
    assert planned(gray(9, 9)).provenance == {}


def test_a_state_without_fields_is_that_of_a_plain_image() -> None:
    saved = plan_saving(gray(9, 9), {})
    assert saved.plan.stored.name == "image"
    assert steps_and_origins(saved, "YX") == ([1.0, 1.0], [0.0, 0.0])
    with pytest.raises(OSError, match=r"The scale of a layer of 2 axes has the shape \(3,\)"):
        plan_saving(gray(9, 9), {"scale": (1, 2, 3)})
