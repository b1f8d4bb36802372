"""A line that shows and hides what is below it."""

from qtpy.QtWidgets import QPushButton, QWidget


class Fold(QPushButton):
    """A button that shows some widgets while it is pressed down.

    Parameters
    ----------
    text
        What is below.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text
        self._parts: tuple[QWidget, ...] = ()
        self.setObjectName("fold")
        self.setCheckable(True)
        self.setAutoDefault(True)  # the return key presses it, as the space bar does
        self.toggled.connect(self._show)
        self._show(False)

    def hold(self, *parts: QWidget) -> None:
        """Take widgets to show and hide; they are hidden at first."""
        self._parts += parts
        self._show(self.isChecked())

    def unfold(self) -> None:
        """Show what is below."""
        self.setChecked(True)

    def _show(self, shown: bool) -> None:
        self.setText(("▾" if shown else "▸") + "  " + self._text)
        for part in self._parts:
            part.setVisible(shown)
