"""Fields that may be higher than the screen of a laptop."""

from qtpy.QtCore import QEvent, QObject, QSize, Qt
from qtpy.QtWidgets import QFrame, QScrollArea, QVBoxLayout, QWidget

_LEAST_PX = 160
_FRAME_PX = 4


class _Scrolled(QScrollArea):
    """Wants the height of what is in it, and is content with a part of that."""

    def sizeHint(self) -> QSize:
        """Return the size of what is in it."""
        within = self.widget().sizeHint()
        return QSize(within.width() + self._bar_px, within.height() + 2)

    def minimumSizeHint(self) -> QSize:
        """Return the width at which nothing is cut off beside the bar, and a small height."""
        return QSize(self.widget().minimumSizeHint().width() + self._bar_px, _LEAST_PX)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Ask for another width when what is in it needs one."""
        if event.type() == QEvent.Type.LayoutRequest:
            self.updateGeometry()
        return bool(super().eventFilter(watched, event))

    @property
    def _bar_px(self) -> int:
        # styles draw a frame of a pixel or two where none is asked for
        return int(self.verticalScrollBar().sizeHint().width()) + _FRAME_PX


def scrolled(*parts: QWidget) -> QScrollArea:
    """Return widgets below each other that can be scrolled where there is too little height."""
    within = QWidget()
    layout = QVBoxLayout(within)
    layout.setContentsMargins(0, 0, 6, 0)
    layout.setSpacing(5)
    for part in parts:
        layout.addWidget(part)
    layout.addStretch(1)
    area = _Scrolled()
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setWidget(within)
    return area
