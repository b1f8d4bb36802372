"""Curves of a run as SVG that is part of a page and takes its colours from there."""

import io
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FIRST, SECOND = "first", "second"
"""Of domain a or from a to b; of domain b or from b to a: custom properties of the page."""
_INK = "#0a0b0c"
_COLORS = {FIRST: "#0a0b0d", SECOND: "#0a0b0e"}
_LARGEST = 1e30
_MOST_POINTS = 400
_FEW_POINTS = 40
_LOG_FROM = 20.0


@dataclass(frozen=True, slots=True)
class Curve:
    """Values over images seen.

    Parameters
    ----------
    points
        Images seen and the value, the later of two at one place; what is not finite is left out.
    color
        `FIRST` or `SECOND`.
    """

    points: Sequence[tuple[int, float]]
    color: str = FIRST


def finite(points: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    """Return the points that can be drawn, in order; of two at one place the later."""
    return sorted((x, y) for x, y in dict(points).items() if abs(y) < _LARGEST)


def draw(
    name: str,
    curves: Sequence[Curve],
    *,
    may_be_log: bool = False,
    dashed: float | None = None,
    dotted: float | None = None,
    ring: tuple[int, float] | None = None,
) -> str:
    """Return a diagram as an ``<svg>`` element, the same for the same values.

    It holds no text but numbers, so nothing in it needs to be escaped.

    Parameters
    ----------
    name
        Another for every diagram of a page: the ids in it are made of it.
    curves
        At least one with a point that is finite.
    may_be_log
        Whether the values may be drawn on a logarithmic scale, as they are where they span much.
    dashed, dotted
        Horizontal lines.
    ring
        A point to mark.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    buffer = io.StringIO()
    with mpl.rc_context():
        mpl.rcdefaults()  # the user's own style would change the page
        mpl.rcParams.update(
            {
                "svg.fonttype": "none", "svg.hashsalt": name, "font.size": 8,
                "axes.edgecolor": _INK, "axes.labelcolor": _INK, "text.color": _INK,
                "xtick.color": _INK, "ytick.color": _INK, "grid.color": _INK, "grid.alpha": 0.15,
                "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True,
            }
        )  # fmt: skip
        figure = Figure(figsize=(4.4, 2.3), layout="constrained")
        axes = figure.add_subplot()
        drawn = [(curve.color, _thinned(finite(curve.points))) for curve in curves]
        for color, points in drawn:
            mark = "." if len(points) <= _FEW_POINTS else ""
            axes.plot(*_columns(points), color=_COLORS[color], linewidth=1.2, marker=mark)
        for value, style in ((dashed, (0, (5, 3))), (dotted, (0, (1, 2)))):
            if value is not None:
                axes.axhline(value, color=_INK, linewidth=1.0, linestyle=style)
        if ring is not None:
            axes.plot(*_columns([ring]), "o", markersize=9, color=_INK, fillstyle="none")
        _scale(axes, [y for _, points in drawn for _, y in points], may_be_log)
        axes.set_xlim(0, max([1.0, *(points[-1][0] for _, points in drawn if points)]) * 1.02)
        no_metadata = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(buffer, format="svg", transparent=True, metadata=no_metadata)
    return _part_of_a_page(buffer.getvalue())


def _scale(axes: "Axes", values: list[float], may_be_log: bool) -> None:
    from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, StrMethodFormatter

    if may_be_log and min(values) > 0 and max(values) > _LOG_FROM * min(values):
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0), numticks=8))
        axes.yaxis.set_minor_formatter(NullFormatter())
    else:
        axes.yaxis.set_major_locator(MaxNLocator(6))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.set_xlabel("images seen")


def _thinned(points: list[tuple[int, float]]) -> list[tuple[float, float]]:
    """Return means of as many neighbours each as it takes for a page to stay small."""
    n = math.ceil(len(points) / _MOST_POINTS)
    parts = (points[at : at + n] for at in range(0, len(points), max(n, 1)))
    return [(fmean(x for x, _ in part), fmean(y for _, y in part)) for part in parts]


def _columns(points: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    return [x for x, _ in points], [y for _, y in points]


def _part_of_a_page(svg: str) -> str:
    svg = svg[svg.index("<svg") :].strip()
    svg = re.sub(r'<g id="[^"]*">', "<g>", svg)  # the same in every diagram
    svg = svg.replace(_INK, "currentColor")
    for name, color in _COLORS.items():
        svg = svg.replace(color, f"var(--{name})")
    return svg
