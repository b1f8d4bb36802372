"""The look of the dock widget in napari's themes."""

from typing import Any


def stylesheet(theme: Any) -> str:
    """Return what the widget's parts look like, in the colours of a napari theme."""
    text = ", ".join(str(part) for part in theme.text.as_rgb_tuple()[:3])
    current = theme.current.as_hex()
    return f"""
        QLabel {{ qproperty-indent: 0; }}
        QLabel[role="note"] {{
            color: rgba({text}, 150); font-size: {theme.font_size}; padding-left: 9px;
        }}
        QLabel[role="message"] {{
            border-left: 3px solid {theme.highlight.as_hex()}; padding: 2px 0 2px 8px;
        }}
        QLabel[kind="done"] {{ border-left-color: {current}; }}
        QLabel[kind="hint"] {{ border-left-color: {theme.warning.as_hex()}; }}
        QLabel[kind="error"] {{ border-left-color: {theme.error.as_hex()}; }}
        QComboBox, QLineEdit, QPushButton {{ border: 1px solid transparent; }}
        QComboBox:focus, QLineEdit:focus, QPushButton:focus {{
            border: 1px solid {theme.icon.as_hex()};
        }}
        QLineEdit {{ padding: 2px 7px; }}
        QPlainTextEdit {{ background-color: {theme.foreground.as_hex()}; }}
        QPushButton {{ padding: 4px 12px; }}
        QPushButton#narrow {{ padding: 4px 0; }}
        QPushButton#primary:enabled {{ background-color: {current}; font-weight: bold; }}
        QPushButton#primary:enabled:hover {{ background-color: {theme.highlight.as_hex()}; }}
        QPushButton#fold {{ background: transparent; text-align: left; padding: 4px 0; }}
        QPushButton#fold:hover {{ color: {theme.icon.as_hex()}; }}
        QProgressBar {{ min-height: 18px; max-height: 18px; }}
        QProgressBar::chunk {{ background-color: {current}; }}
    """
