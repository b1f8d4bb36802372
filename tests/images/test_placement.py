import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_unit.images.axes import Axes
from napari_unit.images.placement import PixelSize, Placement


def placement(letters: str, **changes: object) -> Placement:
    n = len(letters)
    rng = np.random.default_rng(n)
    fields: dict[str, object] = {
        "scale": rng.uniform(0.1, 3, n),
        "translate": rng.uniform(-9, 9, n),
        "rotate": np.linalg.qr(rng.normal(size=(n, n)))[0],
        "shear": np.eye(n) + np.triu(rng.uniform(size=(n, n)), 1),
        "affine": np.vstack([rng.normal(size=(n, n + 1)), [0] * n + [1]]),
        "units": ("micrometer",) * n,
        "axis_labels": tuple(letter.lower() for letter in letters),
    }
    return Placement(**(fields | changes))  # type: ignore[arg-type]


def test_the_same_axes_keep_everything() -> None:
    placed = placement("ZYX")
    assert placed.for_axes(Axes("ZYX"), Axes("ZYX")) is placed
    assert placed.for_axes(Axes("ZYXS"), Axes("ZYX")) is placed


@given(st.permutations("TZCYX"), st.sampled_from("TZC"))
def test_an_axis_that_comes_and_goes_leaves_the_others_as_they_were(
    letters: list[str], lost: str
) -> None:
    before = "".join(letters)
    after = before.replace(lost, "")
    placed = placement(before)
    fewer = placed.for_axes(Axes(before), Axes(after))
    kept = [before.index(letter) for letter in after]
    assert np.array_equal(fewer.scale, placed.scale[kept])
    assert np.array_equal(fewer.rotate, placed.rotate[np.ix_(kept, kept)])
    assert fewer.axis_labels == tuple(after.lower())
    again = fewer.for_axes(Axes(after), Axes(before))
    i = before.index(lost)
    assert (again.scale[i], again.translate[i]) == (1.0, 0.0)
    assert (again.units[i], again.axis_labels[i]) == ("pixel", lost.lower())
    for name in ("rotate", "shear", "affine"):
        expected = getattr(placed, name).copy()
        expected[i, :] = expected[:, i] = 0
        expected[i, i] = 1
        assert np.array_equal(getattr(again, name), expected), name
    rest = np.arange(5) != i
    assert np.array_equal(again.translate[rest], placed.translate[rest])


def test_naparis_own_labels_keep_counting_from_the_end() -> None:
    placed = placement("ZYX", axis_labels=("-3", "-2", "-1"))
    more = placed.for_axes(Axes("ZYX"), Axes("ZCYX"))
    assert more.axis_labels == ("-4", "c", "-2", "-1")
    assert more.for_axes(Axes("ZCYX"), Axes("ZYX")).axis_labels == ("-3", "-2", "-1")


@pytest.mark.parametrize(
    ("scale", "units", "size"),
    [
        ((1, 1, 1), ("pixel",) * 3, None),
        ((2, 0.5, 0.4), ("micrometer",) * 3, PixelSize(0.5, 0.4, 2.0, "µm")),
        ((2, -0.5, 0.4), ("second", "nanometer", "nanometer"), PixelSize(0.5, 0.4, None, "nm")),
        ((2, 0.5, 0.4), ("pixel",) * 3, PixelSize(0.5, 0.4, 2.0, "pixel")),
        ((2, 1, 1), ("millimeter", "micrometer", "micrometer"), PixelSize(1, 1, 2000.0, "µm")),
        ((2, 0.5, 0.4), ("pixel", "micrometer", "pixel"), None),
    ],
)
def test_scale_and_units_give_the_pixel_size(
    scale: tuple[float, ...], units: tuple[str, ...], size: PixelSize | None
) -> None:
    placed = placement("ZYX", scale=np.array(scale, float), units=units, affine=np.eye(4))
    got = placed.pixel_size(Axes("ZYX"))
    assert (got is None) == (size is None)
    if got is not None and size is not None:
        assert (got.y, got.x, got.z) == pytest.approx((size.y, size.x, size.z))
        assert got.unit == size.unit


def test_a_pixel_size_that_stands_in_the_affine_counts() -> None:
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    placed = placement("ZYX", scale=np.array([2.0, 0.5, 0.4]), rotate=turn, affine=np.eye(4))
    placed.affine[:3, :3] = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0] * 3.0
    got = placed.pixel_size(Axes("ZYX"))
    assert got is not None
    assert (got.z, got.y, got.x) == pytest.approx((6.0, 1.5, 1.2))


def test_a_files_pixel_size_makes_a_placement_and_comes_back() -> None:
    size = PixelSize(0.5, 0.4, 2.0, "µm")
    placed = Placement.of_pixel_size(size, Axes("TZYXS"))
    assert placed.axis_labels == ("t", "z", "y", "x")
    assert placed.units == ("pixel", "micrometer", "micrometer", "micrometer")
    assert placed.pixel_size(Axes("TZYXS")) == size


def test_an_image_of_a_file_stands_where_the_file_says() -> None:
    size = PixelSize(0.5, 0.25, None, "µm")
    placed = Placement.of_pixel_size(size, Axes("TYXS"), (0.0, 3.0, -4.0, 0.0))
    assert placed.translate.tolist() == [0.0, 3.0, -4.0]


STRAIGHT = {"rotate": np.eye(3), "shear": np.eye(3), "affine": np.eye(4)}


def test_the_origin_is_in_the_unit_of_the_pixel_size() -> None:
    placed = placement(
        "TYX",
        **STRAIGHT,
        translate=np.array([7.0, 3.0, 5.0]),
        units=("second", "micrometer", "millimeter"),
    )
    assert placed.origin(Axes("TYX")) == pytest.approx((0, 3, 5000))


@pytest.mark.parametrize(
    "change",
    [{"rotate": np.eye(3)[::-1]}, {"scale": np.array([1.0, -1, 1])}, {"scale": np.ones(3)}],
    ids=["turned", "mirrored", "without a size"],
)
def test_a_layer_that_is_not_straight_has_no_origin(change: dict[str, object]) -> None:
    units = ("pixel",) * 3 if (change.get("scale") == np.ones(3)).all() else ("micrometer",) * 3
    placed = placement("ZYX", **(STRAIGHT | {"units": units} | change))
    assert placed.origin(Axes("ZYX")) is None
