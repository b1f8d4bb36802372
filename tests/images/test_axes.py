import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_unit.domains import Domain, IntensityScaling
from napari_unit.images.axes import (
    Axes,
    axes_of_file,
    axes_of_labels,
    axes_of_result,
    is_rgb,
    shape_of_result,
)

RANGE = IntensityScaling("range", 0.0, 255.0)
GRAY = Domain("gray", ("dna",), RANGE)
RGB = Domain("stained", ("red", "green", "blue"), RANGE)
TWO = Domain("two", ("dna", "actin"), RANGE)


@pytest.mark.parametrize(
    ("letters", "reason"),
    [
        ("YY", "name Y twice"),
        ("ZYXZ", "name Z twice"),
        ("ZY", "lack X"),
        ("TX", "lack Y"),
        ("Y X", "'Y X'"),
        ("", "''"),
        ("Y1X", "'Y1X'"),
        ("CYXS", "two channel axes"),
    ],
)
def test_letters_that_leave_something_open_are_refused(letters: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Axes(letters)


def test_what_a_user_writes_is_read_in_any_case_and_counted() -> None:
    assert Axes.parse(" zcyx ", 4) == Axes("ZCYX")
    with pytest.raises(ValueError, match="name 3 axes, but the image has 2"):
        Axes.parse("ZYX", 2)


@pytest.mark.parametrize(
    ("labels", "letters"),
    [
        (("-2", "-1"), "YX"),
        (("-3", "-2", "-1"), "ZYX"),
        (("-4", "-3", "-2", "-1"), "TZYX"),
        (("c", "-2", "-1"), "CYX"),
        (("Channel", "Row", "Column"), "CYX"),
        (("time", "z", "y", "x"), "TZYX"),
        (("y", "x", "z"), "YXZ"),
        (("x", "y"), "XY"),
        (("well", "y", "x"), "ZYX"),
        (("z", "well", "y", "x"), "ZTYX"),
    ],
)
def test_a_layers_labels_say_which_axis_is_which(labels: tuple[str, ...], letters: str) -> None:
    assert axes_of_labels(labels).letters == letters


@pytest.mark.parametrize("labels", [("y", "-1"), ("z", "z", "y", "x"), ("y", "z"), ("x", "q", "c")])
def test_labels_that_leave_it_open_ask_for_axes(labels: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="say it with axes="):
        axes_of_labels(labels)


@given(st.text("TZCYXSQI_", min_size=2, max_size=7))
def test_what_a_file_names_twice_becomes_planes(stored: str) -> None:
    has_rows_and_columns = "Y" in stored and "X" in stored
    if not has_rows_and_columns or ("C" in stored and "S" in stored):
        with pytest.raises(ValueError, match="The axes"):
            axes_of_file(stored)
        return
    axes = axes_of_file(stored)
    assert len(axes.letters) == len(stored)
    last = {letter: i for i, letter in enumerate(stored) if letter != "_"}
    assert all(axes.letters[i] == letter for letter, i in last.items())


def test_rgb_is_told_by_the_names_of_the_channels() -> None:
    assert is_rgb(RGB)
    assert is_rgb(Domain("x", ("R", "G", "B"), RANGE))
    assert not is_rgb(Domain("x", ("dna", "actin", "membrane"), RANGE))
    assert not is_rgb(GRAY)


@pytest.mark.parametrize(
    ("source", "shape", "target", "letters", "out"),
    [
        ("YX", (8, 9), GRAY, "YX", (8, 9)),
        ("YX", (8, 9), RGB, "YXS", (8, 9, 3)),
        ("YX", (8, 9), TWO, "CYX", (2, 8, 9)),
        ("ZYX", (4, 8, 9), TWO, "ZCYX", (4, 2, 8, 9)),
        ("CZYX", (3, 4, 8, 9), TWO, "CZYX", (2, 4, 8, 9)),
        ("CZYX", (3, 4, 8, 9), GRAY, "ZYX", (4, 8, 9)),
        ("CZYX", (3, 4, 8, 9), RGB, "ZYXS", (4, 8, 9, 3)),
        ("CYX", (1, 8, 9), GRAY, "CYX", (1, 8, 9)),
        ("YXS", (8, 9, 3), GRAY, "YX", (8, 9)),
        ("TYXS", (5, 8, 9, 3), TWO, "TCYX", (5, 2, 8, 9)),
        ("YXS", (8, 9, 4), RGB, "YXS", (8, 9, 3)),
        ("XYZ", (9, 8, 4), TWO, "CXYZ", (2, 9, 8, 4)),
    ],
)
def test_only_the_channel_axis_of_a_result_differs(
    source: str,
    shape: tuple[int, ...],
    target: Domain,
    letters: str,
    out: tuple[int, ...],
) -> None:
    axes = axes_of_result(Axes(source), shape, target)
    assert axes.letters == letters
    assert shape_of_result(Axes(source), shape, axes, target.n_channels) == out
