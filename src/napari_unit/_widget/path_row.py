"""A path to write, or to look for."""

from collections.abc import Callable

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QLineEdit, QPushButton, QWidget


class PathRow(QWidget):
    """A line for a path, and a button beside it that opens a dialog.

    Parameters
    ----------
    ask
        Opens the dialog at the path that is written; returns the chosen one, ``""`` for none.
    """

    edited = Signal()
    """A person has written or chosen another path."""

    def __init__(self, ask: Callable[[str], str]) -> None:
        super().__init__()
        self._ask = ask
        self.edit = QLineEdit()
        self.browse_button = QPushButton("Browse…")
        self.browse_button.setAutoDefault(True)  # the return key presses it, as the space bar does
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        row.addWidget(self.edit, 1)
        row.addWidget(self.browse_button)
        self.edit.textEdited.connect(self.edited)
        self.browse_button.clicked.connect(self._browse)

    @property
    def text(self) -> str:
        """What is written, without blanks around it."""
        return str(self.edit.text()).strip()

    def explain(self, name: str, path_tip: str, button_tip: str) -> None:
        """Say what the path is: to screen readers, and where the mouse rests."""
        self.edit.setAccessibleName(name)
        self.edit.setToolTip(path_tip)
        self.browse_button.setToolTip(button_tip)

    def _browse(self) -> None:
        path = self._ask(self.text)
        if path:
            self.edit.setText(path)
            self.edited.emit()
