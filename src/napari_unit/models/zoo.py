"""Find a model: bundled with the plugin, in the user's folder, or at a path. Needs no torch."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from napari_unit.models.card import ModelCard, ModelFileError, read_card

Origin = Literal["bundled", "user", "path"]


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """A model that was found.

    Parameters
    ----------
    name
        By which `find_model` finds it: the file's name without its ending.
    path
        Of the file.
    card
        What the file says of itself.
    origin
        Where it was found.
    """

    name: str
    path: Path
    card: ModelCard
    origin: Origin


def bundled_folder() -> Path:
    """Return the folder of the models that come with the plugin."""
    return Path(__file__).parents[1] / "weights"


def user_folder() -> Path:
    """Return the folder where the user's own models are looked for; it need not exist."""
    from platformdirs import user_data_path

    return user_data_path("napari-unit") / "models"


def list_models() -> list[ModelEntry]:
    """Return the bundled models, then the user's, each by name.

    A user's model hides a bundled one of the same name. A file that cannot be read is left out
    with a warning that says why.
    """
    found: dict[str, ModelEntry] = {}
    places: tuple[tuple[Origin, Path], ...] = (
        ("bundled", bundled_folder()),
        ("user", user_folder()),
    )
    for origin, folder in places:
        for path in sorted(folder.glob("*.safetensors")):
            try:
                found[path.stem] = ModelEntry(path.stem, path, read_card(path), origin)
            except ModelFileError as error:
                warnings.warn(str(error), stacklevel=2)
    return list(found.values())


def find_model(model: str | Path) -> ModelEntry:
    """Return the model of a name or at a path.

    Parameters
    ----------
    model
        A name from `list_models`, or the path of a ``.safetensors`` file.

    Raises
    ------
    ModelFileError
        If there is no such model; the message lists those there are.
    """
    path = Path(model)
    if path.suffix == ".safetensors" or len(path.parts) > 1:
        return ModelEntry(path.stem, path, read_card(path), "path")
    entries = list_models()
    for entry in entries:
        if entry.name == str(model):
            return entry
    raise ModelFileError(
        f"There is no model {str(model)!r}; {_listing(entries)}, "
        "or give the path of a .safetensors file."
    )


def _listing(entries: Sequence[ModelEntry]) -> str:
    if not entries:
        return "none is installed: train one with 'napari-unit train'"
    return "there is " + ", ".join(
        f"{e.name!r} ({e.card.domains[0].name} ↔ {e.card.domains[1].name})" for e in entries
    )
