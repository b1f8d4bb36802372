"""Tells all widgets, of all viewers, of a model that was just saved."""

from functools import cache

from qtpy.QtCore import QObject, Signal


class ModelsHub(QObject):
    """Where widgets hear of new models."""

    saved = Signal(object)
    """The path of a model in the user's folder that someone wants to use now."""


@cache
def models_hub() -> ModelsHub:
    """Return the one hub of this process; connections end with the widgets that made them."""
    return ModelsHub()
