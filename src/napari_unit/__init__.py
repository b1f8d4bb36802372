"""Unpaired image-to-image translation (UNIT) for napari, scripts and the command line."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_unit._translate import translate as translate
    from napari_unit.models.file import load_model as load_model
    from napari_unit.models.zoo import list_models as list_models
    from napari_unit_training.call import train as train

    __version__: str

__all__ = ["__version__", "list_models", "load_model", "train", "translate"]

_HOME = {
    "translate": "napari_unit._translate",
    "load_model": "napari_unit.models.file",
    "list_models": "napari_unit.models.zoo",
    "train": "napari_unit_training.call",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that importing the package costs nothing."""
    import importlib

    if name == "__version__":
        from importlib.metadata import version

        return version("napari-unit")
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
