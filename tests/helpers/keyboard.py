"""Go through the fields of a widget with the Tab key, as those do who use no mouse."""

from typing import Any


def fields_of(qtbot: Any, widget: Any) -> list[Any]:
    """Return the visible, enabled fields of a widget row by row, each from left to right.

    Waits until the widget is on the screen, and laid out.
    """
    from qtpy.QtWidgets import (
        QAbstractButton,
        QAbstractItemView,
        QAbstractSpinBox,
        QComboBox,
        QLineEdit,
    )

    qtbot.waitUntil(widget.isVisible)
    qtbot.wait(100)
    kinds = (QAbstractButton, QAbstractItemView, QAbstractSpinBox, QComboBox, QLineEdit)
    found = [
        field
        for kind in kinds
        for field in widget.findChildren(kind)
        # those called qt_… are parts of other fields
        if field.isVisible() and field.isEnabled() and not field.objectName().startswith("qt_")
    ]

    def y_of(field: Any) -> int:
        return int(field.mapTo(widget, field.rect().center()).y())

    rows: list[list[Any]] = []
    for field in sorted(found, key=y_of):
        if rows and y_of(field) - y_of(rows[-1][0]) < field.height() / 2:
            rows[-1].append(field)
        else:
            rows.append([field])
    return [
        field
        for row in rows
        for field in sorted(row, key=lambda one: one.mapTo(widget, one.rect().center()).x())
    ]


def reached_by_tab(qtbot: Any, widget: Any, first: Any) -> list[Any]:
    """Return what gets the focus, from a field on, until it leaves the widget; that is shown."""
    from qtpy.QtCore import Qt

    reached: list[Any] = []
    focus = first
    focus.setFocus()
    while widget.isAncestorOf(focus) and focus not in reached:
        reached.append(focus)
        qtbot.keyClick(focus, Qt.Key.Key_Tab)
        focus = widget.window().focusWidget()
    return reached


def name_of(field: Any) -> str:
    """Return what a screen reader says of a field."""
    return str(field.accessibleName() or getattr(field, "text", str)())
