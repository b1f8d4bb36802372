"""What a person has set on the plugin's page of napari's preferences, which napari 0.9 has."""

from dataclasses import dataclass, fields
from typing import Any

from napari_unit.engine.settings import DEFAULT_MEMORY_BYTES
from napari_unit.request import TranslationRequest, bytes_of

_PLUGIN = "napari-unit"
_USUAL = TranslationRequest()


@dataclass(frozen=True, slots=True)
class Preferences:
    """The first values of the dock widget's choices; as of `napari_unit.translate`.

    Parameters
    ----------
    device
        ``"auto"``, ``"cpu"``, ``"cuda"``, ``"mps"``.
    memory
        Such as ``"4 GB"``; None is what is usual.
    statistics
        ``"image"``, ``"whole"``, ``"model"``, ``"local"``.
    dtype
        ``"float32"``, ``"same"``, ``"uint16"``, ``"uint8"``.
    """

    device: str = _USUAL.device
    memory: str | None = None
    statistics: str = _USUAL.statistics
    dtype: str = _USUAL.dtype


def stored_preferences() -> Preferences:
    """Return what is set; defaults where napari is too old for it, or does not know the plugin."""
    try:
        from napari.settings import get_plugin_settings

        page: Any = get_plugin_settings(_PLUGIN).translation
    except (ImportError, KeyError):  # before napari 0.9; a widget of a plugin that is not installed
        return Preferences()
    found = {field.name: getattr(page, field.name) for field in fields(Preferences)}
    if bytes_of(found["memory"]) == DEFAULT_MEMORY_BYTES:
        found["memory"] = None
    return Preferences(**found)
