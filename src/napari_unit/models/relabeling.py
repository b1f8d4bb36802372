"""A model file with another card: what people call it and say of it. Needs no torch."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from napari_unit.atomic import written_whole
from napari_unit.models.card import METADATA_KEY, ModelCard, read_card
from napari_unit.models.zoo import bundled_folder

_LENGTH_BYTES = 8
"""A .safetensors file begins with the length of its header."""
_ALIGNED_BYTES = 8
_WORDS = ("name", "description", "author", "license")
_UNFIT = re.compile(r'[<>:"/\\|?*\x00-\x1f]')


def with_card(path: Path, card: ModelCard, out: Path) -> None:
    """Write a model file with another card; the weights stay bit by bit.

    Parameters
    ----------
    path
        Of the model file.
    card
        The file's own but for name, description, author and license.
    out
        Of the copy, which must not exist; or `path` itself, which is the one or the other at any
        moment.

    Raises
    ------
    ModelFileError
        If `path` is no whole model file.
    FileExistsError
        If there is another file at `out`.
    ValueError
        If the card is that of other networks.
    """
    _check(path, card)
    is_copy = out != path
    if is_copy:
        _check_free(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(out) as partial:
        _copy(path, card, partial)
        if is_copy:
            _check_free(out)  # made meanwhile


def _check(path: Path, card: ModelCard) -> None:
    own = read_card(path)  # also checks that the header is whole
    words = {name: getattr(card, name) for name in _WORDS}
    if replace(own, **words) != card:
        raise ValueError("The card describes another model than the file; change its words only.")


def _check_free(out: Path) -> None:
    if out.exists():
        raise FileExistsError(f"There is a file {out} already; choose another name.")


def _copy(path: Path, card: ModelCard, out: Path) -> None:
    with path.open("rb") as source, out.open("wb") as copy:
        n_header = int.from_bytes(source.read(_LENGTH_BYTES), "little")
        header: dict[str, Any] = json.loads(source.read(n_header))
        header["__metadata__"] = {**header["__metadata__"], METADATA_KEY: card.to_json()}
        text = json.dumps(header, separators=(",", ":")).encode()
        text += b" " * (-len(text) % _ALIGNED_BYTES)
        copy.write(len(text).to_bytes(_LENGTH_BYTES, "little"))
        copy.write(text)
        shutil.copyfileobj(source, copy)
    read_card(out)


def own_model_path(name: str, folder: Path) -> Path:
    """Return where a model of the user's is saved under a name.

    Parameters
    ----------
    name
        As people write it.
    folder
        Of the user's models.

    Raises
    ------
    ValueError
        If it is no name of a file, or one that is taken.
    """
    name = name.strip()
    unfit = _UNFIT.search(name)
    if not name:
        raise ValueError("The model has no name; give it one to choose it by.")
    if unfit is not None:
        raise ValueError(f"The name {name!r} holds {unfit[0]!r}, which files cannot; leave it out.")
    if name.startswith(".") or name.endswith("."):
        raise ValueError(f"The name {name!r} begins or ends with a dot; leave it out.")
    if len(name) > 100:
        raise ValueError(f"The name has {len(name)} letters; take at most 100.")
    path = folder / f"{name}.safetensors"
    if path.exists():
        raise ValueError(f"There is a model {name!r} of yours already; choose another name.")
    if (bundled_folder() / path.name).exists():
        raise ValueError(f"A model that comes with the plugin is called {name!r}; choose another.")
    return path
