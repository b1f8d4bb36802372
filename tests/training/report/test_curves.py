import math
import sys
import xml.etree.ElementTree as ET

import matplotlib as mpl
import pytest

from napari_unit_training.report.curves import SECOND, Curve, draw, finite

RISING = [(x, float(x)) for x in range(1, 6)]


def test_the_same_values_give_the_same_bytes_whatever_the_users_style() -> None:
    once = draw("d", [Curve(RISING)], dashed=2.0)
    with mpl.rc_context({"lines.linewidth": 9.0, "axes.facecolor": "red"}):
        assert draw("d", [Curve(RISING)], dashed=2.0) == once
        assert mpl.rcParams["lines.linewidth"] == 9.0


def test_ids_of_two_diagrams_differ() -> None:
    def ids(svg: str) -> list[str]:
        return [e.attrib["id"] for e in ET.fromstring(svg).iter() if "id" in e.attrib]

    both = ids(draw("one", [Curve(RISING)])) + ids(draw("two", [Curve(RISING)]))
    assert len(both) == len(set(both)) > 0


def test_colors_come_from_the_page() -> None:
    svg = draw("d", [Curve(RISING), Curve(RISING, SECOND)], dashed=1.0, dotted=2.0, ring=(2, 2.0))
    assert "var(--first)" in svg
    assert "var(--second)" in svg
    assert "currentColor" in svg
    assert "#0a0b" not in svg


def test_what_is_not_finite_is_left_out_and_of_two_the_later_counts() -> None:
    points = [(1, math.nan), (4, 1.0), (2, math.inf), (3, 1e300), (4, 2.0), (0, 0.5)]
    assert finite(points) == [(0, 0.5), (4, 2.0)]


@pytest.mark.parametrize("points", [[(0, 0.0)], [(7, -1.0), (8, 1e9)], [(10**15, 1e29)]])
def test_odd_values_give_a_diagram(points: list[tuple[int, float]]) -> None:
    ET.fromstring(draw("d", [Curve(points), Curve([])], may_be_log=True))


def test_the_scale_is_logarithmic_where_values_span_much_and_are_positive() -> None:
    wide = draw("d", [Curve([(1, 0.01), (2, 10.0)])], may_be_log=True)
    assert ">0.1<" in wide
    assert ">0.1<" not in draw("d", [Curve([(1, 0.01), (2, 10.0)])])
    assert ">0.1<" not in draw("d", [Curve([(1, 0.0), (2, 10.0)])], may_be_log=True)


def test_a_long_run_gives_a_small_diagram() -> None:
    svg = draw("d", [Curve([(x, float(x % 7)) for x in range(20_000)])])
    assert len(svg) < 40_000


def test_no_window_is_prepared() -> None:
    draw("d", [Curve(RISING)])
    assert "matplotlib.backends.backend_qtagg" not in sys.modules
