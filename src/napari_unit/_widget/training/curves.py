"""Losses and quality of a training as curves."""

import math
from collections.abc import Iterable
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QVBoxLayout, QWidget

from napari_unit.runs.events import Progress, QualityMeasured
from napari_unit.runs.story import Story

_HEIGHT_PX = 120
_TERMS = {
    "adversarial": "adversarial",
    "discriminator": "discriminators",
    "reconstruction": "reconstruction",
    "cycle": "cycle",
}
"""Terms that are drawn, and their names: those that a person can make something of."""
_COLORS = ("#4e9dd6", "#e8833a", "#5ab56e", "#c76bb0")
_BEST_COLOR = "#e8833a"
_LOSS_TICKS = [(math.log10(v), f"{v:g}") for k in range(-6, 6) for v in (10.0**k, 3 * 10.0**k)]


def import_drawing() -> None:
    """Import pyqtgraph, which takes too long for the thread that draws."""
    import pyqtgraph  # noqa: F401


def has_curves(story: Story) -> bool:
    """Return whether a training has told anything that can be drawn."""
    return bool(story.reports or story.measured)


class Curves(QWidget):
    """Two diagrams over the crops seen: terms of the objective, and distance to real images."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme: Any = None
        self._drawn: Story | None = None
        self._lines: dict[str, Any] = {}
        self.losses: Any = None
        self.quality: Any = None
        self.legend = QLabel()
        self.legend.setTextFormat(Qt.TextFormat.RichText)
        self.legend.setWordWrap(True)
        self.legend.setProperty("role", "note")
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(2)
        self._layout.addWidget(self.legend)

    @property
    def is_drawn(self) -> bool:
        """Whether there is anything to see."""
        return self.losses is not None

    def restyle(self, theme: Any) -> None:
        """Take the colours of a napari theme."""
        self._theme = theme
        if not self.is_drawn:
            return
        text = theme.text.as_rgb_tuple()[:3]
        for plot in (self.losses, self.quality):
            plot.setBackground(theme.background.as_hex())
            for name in ("left", "bottom"):
                axis = plot.getAxis(name)
                axis.setPen(text)
                axis.setTextPen(text)

    def show_story(self, story: Story) -> None:
        """Draw what a training has told; nothing is drawn again that is there already."""
        reports, measured = story.reports, story.measured
        # a training that has told nothing new has the same story
        if story is self._drawn or not (has_curves(story) or self.is_drawn):
            return
        if not self.is_drawn:
            self._make_plots()
        self._drawn = story
        self._draw_losses(reports)
        self._draw_quality(measured, story.best)

    def _make_plots(self) -> None:
        import pyqtgraph

        self.losses, self.quality = (
            pyqtgraph.PlotWidget(parent=self, enableMenu=False) for _ in range(2)
        )
        for plot, title in ((self.losses, "losses"), (self.quality, "distance to real images")):
            plot.setFixedHeight(_HEIGHT_PX)
            plot.hideButtons()
            # pyqtgraph makes a menu all the same, which would outlive the window
            menu = plot.getPlotItem().ctrlMenu
            menu.setParent(plot, menu.windowFlags())
            plot.setMouseEnabled(x=False, y=False)
            plot.getViewBox().setMenuEnabled(False)
            plot.setAccessibleName(title.capitalize())
            plot.getAxis("left").setWidth(42)
            plot.getAxis("left").setStyle(maxTextLevel=0)
            plot.showGrid(x=False, y=True, alpha=0.15)
        self._layout.insertWidget(0, self.losses)
        self._layout.addWidget(self.quality)
        self.quality.setXLink(self.losses)
        self.quality.getViewBox().setLimits(yMin=0.0)
        self.losses.setLogMode(x=False, y=True)
        self.losses.getAxis("left").setTicks([_LOSS_TICKS])
        self.losses.setToolTip(
            "Terms of the objective, of both domains together. In an adversarial training they "
            "need not fall: look at the quality and at the previews."
        )
        self.quality.setToolTip(
            "Distance of translations to real images that are not learned from; smaller is better. "
            "The best is marked: that model is kept."
        )
        self._score = self.quality.plot([], [], pen=_pen(_COLORS[0]), symbol="o", symbolSize=4)
        self._best = self.quality.plot(
            [], [], pen=None, symbol="star", symbolSize=14, symbolBrush=_BEST_COLOR, symbolPen=None
        )
        self.quality.setLabel("bottom", "crops seen")
        if self._theme is not None:
            self.restyle(self._theme)

    def _draw_losses(self, reports: list[Progress]) -> None:
        terms = [term for term in _TERMS if any(f"{term}_a" in r.losses for r in reports[-1:])]
        for term in terms:
            if term not in self._lines:
                color = _COLORS[list(_TERMS).index(term) % len(_COLORS)]
                self._lines[term] = self.losses.plot([], [], pen=_pen(color))
            seen, values = _points((r.images_seen, _summed(r, term)) for r in reports)
            self._lines[term].setData(seen, values)
        for term in set(self._lines) - set(terms):
            self._lines[term].setData([], [])
        self.legend.setText(" &nbsp; ".join(_in_color(term) for term in terms))

    def _draw_quality(self, measured: list[QualityMeasured], best: QualityMeasured | None) -> None:
        self._score.setData(*_points((m.images_seen, m.score) for m in measured))
        self._best.setData(*_points([] if best is None else [(best.images_seen, best.score)]))
        self.quality.setVisible(bool(measured))


def _in_color(term: str) -> str:
    color = _COLORS[list(_TERMS).index(term) % len(_COLORS)]
    return f'<span style="color:{color}">━</span> {_TERMS[term]}'


def _pen(color: str) -> Any:
    import pyqtgraph

    return pyqtgraph.mkPen(color, width=1.5)


def _summed(report: Progress, term: str) -> float:
    return sum(report.losses.get(f"{term}_{letter}", 0.0) for letter in "ab")


def _points(pairs: Iterable[tuple[int, float]]) -> tuple[list[int], list[float]]:
    """Return what can be drawn on a logarithmic axis, too."""
    kept = [(seen, value) for seen, value in pairs if math.isfinite(value) and value > 0]
    return [seen for seen, _ in kept], [value for _, value in kept]
