"""A line that shows and hides what is below it."""

from collections.abc import Sequence

from qtpy.QtWidgets import QPushButton, QWidget


class Fold(QPushButton):
    """A button that shows some widgets while it is pressed down.

    Parameters
    ----------
    text
        What is below.
    parts
        The widgets; hidden at first.
    """

    def __init__(self, text: str, parts: Sequence[QWidget]) -> None:
        super().__init__()
        self._text = text
        self._parts = tuple(parts)
        self.setObjectName("fold")
        self.setCheckable(True)
        self.setAutoDefault(True)  # the return key presses it, as the space bar does
        self.toggled.connect(self._show)
        self._show(False)

    def unfold(self) -> None:
        """Show what is below."""
        self.setChecked(True)

    def _show(self, shown: bool) -> None:
        self.setText(("▾" if shown else "▸") + "  " + self._text)
        for part in self._parts:
            part.setVisible(shown)
