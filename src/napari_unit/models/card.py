"""The card of a model file: what the model translates, how it is built, how it was trained.

Reading a card needs no torch, so that a list of models opens at once.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from napari_unit.domains import Domain, IntensityScaling
from napari_unit.models.architecture import Architecture

FORMAT_VERSION = 1
METADATA_KEY = "napari_unit"
STATISTICS_PREFIX = "statistics."
"""Begins the names of the tensors of a model file that are no weights."""


class ModelFileError(ValueError):
    """A file that is no model of this plugin, or a damaged one; the message says which."""


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What a model file says of itself.

    Parameters
    ----------
    name
        Short name, by which users choose the model.
    description
        A sentence or two for users: what it translates and where it holds.
    domains
        The two kinds of image, a and b.
    architecture
        Sizes of the networks.
    training
        How it was trained, as plain JSON values: settings, data, versions, command.
    version
        Version of napari-unit that wrote the file.
    author
        Who is to be named; empty: nobody is.
    license
        Under which others may use it, such as CC-BY-4.0; empty: not said.
    """

    name: str
    description: str
    domains: tuple[Domain, Domain]
    architecture: Architecture
    training: Mapping[str, Any]
    version: str
    author: str = ""
    license: str = ""

    def to_json(self) -> str:
        """Return the card as a JSON object; what is not said of its author is left out."""
        values = asdict(self)
        said = {k: v for k, v in values.items() if v or k not in ("author", "license")}
        return json.dumps({"format_version": FORMAT_VERSION, **said}, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "ModelCard":
        """Read a card back.

        Raises
        ------
        ValueError
            If the text is no JSON object, has another format version, or a key is missing,
            unknown or of another type.
        """
        card = _object(json.loads(text), "the card")
        version = card.pop("format_version", None)
        if version != FORMAT_VERSION:
            raise ValueError(
                f"its card has format version {version!r}, and this napari-unit reads "
                f"{FORMAT_VERSION}; install the version of napari-unit that wrote it"
            )
        domains = _take(card, "domains", list)
        if len(domains) != 2:
            raise ValueError(f"its card has {len(domains)} domains instead of two")
        made = cls(
            name=_take(card, "name", str),
            description=_take(card, "description", str),
            domains=(_domain(domains[0]), _domain(domains[1])),
            architecture=_architecture(_take(card, "architecture", dict)),
            training=_take(card, "training", dict),
            version=_take(card, "version", str),
            author=_take(card, "author", str) if "author" in card else "",
            license=_take(card, "license", str) if "license" in card else "",
        )
        _nothing_left(card, "the card")
        return made


def _object(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{where} is no JSON object")
    return dict(value)


def _take(source: dict[str, Any], key: str, kind: type[Any]) -> Any:
    """Take a value out of a JSON object, so that what is left over is known to be unknown."""
    if key not in source:
        raise ValueError(f"its card lacks {key!r}")
    value = source.pop(key)
    # JSON has one number type and Python's bool is an int
    matches = isinstance(value, (int, float) if kind is float else kind)
    if not matches or (isinstance(value, bool) and kind is not bool):
        raise ValueError(f"its card's {key!r} is {value!r}, not of type {kind.__name__}")
    return value


def _nothing_left(source: dict[str, Any], where: str) -> None:
    if source:
        raise ValueError(f"{where} has unknown entries: {', '.join(sorted(source))}")


def _numbers(source: dict[str, Any], key: str) -> tuple[float, ...]:
    values = _take(source, key, list)
    if not all(isinstance(v, int | float) and not isinstance(v, bool) for v in values):
        raise ValueError(f"its card's {key!r} holds something that is no number")
    return tuple(float(v) for v in values)


def _domain(value: Any) -> Domain:
    source = _object(value, "a domain")
    scaling = _object(_take(source, "scaling", dict), "a scaling")
    channels = _take(source, "channels", list)
    if not all(isinstance(channel, str) for channel in channels):
        raise ValueError("its card's 'channels' holds something that is no name")
    made = Domain(
        name=_take(source, "name", str),
        channels=tuple(channels),
        scaling=IntensityScaling(
            kind=_take(scaling, "kind", str),
            low=float(_take(scaling, "low", float)),
            high=float(_take(scaling, "high", float)),
            typical_low=_numbers(scaling, "typical_low"),
            typical_high=_numbers(scaling, "typical_high"),
        ),
    )
    _nothing_left(scaling, "a scaling")
    _nothing_left(source, "a domain")
    return made


def _architecture(source: dict[str, Any]) -> Architecture:
    made = Architecture(
        width=_take(source, "width", int),
        n_residual=_take(source, "n_residual", int),
        n_shared=_take(source, "n_shared", int),
    )
    _nothing_left(source, "the architecture")
    return made


def read_card(path: Path) -> ModelCard:
    """Read the card of a model file without its weights, and without torch.

    Parameters
    ----------
    path
        A ``.safetensors`` file that `napari_unit.models.file.save_model` wrote.

    Raises
    ------
    ModelFileError
        If there is no such file, it is truncated, or it is no model of this plugin.
    """
    metadata, _ = _header(path)
    if METADATA_KEY not in metadata:
        raise ModelFileError(
            f"{path} is a .safetensors file of another program: it carries no napari-unit card."
        )
    try:
        return ModelCard.from_json(metadata[METADATA_KEY])
    except (ValueError, OverflowError, RecursionError) as error:
        raise ModelFileError(f"{path} cannot be read as a model: {error}.") from error


def has_statistics(path: Path) -> bool:
    """Whether a model file carries normalisation statistics beside its weights; without torch.

    Raises
    ------
    ModelFileError
        If there is no such file, or it is truncated.
    """
    return any(name.startswith(STATISTICS_PREFIX) for name in _header(path)[1])


def _header(path: Path) -> tuple[dict[str, str], list[str]]:
    """Return what a .safetensors file says of itself, and the names of its tensors."""
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise ModelFileError(
            f"There is no model file {path}; give the path of a .safetensors file."
        )
    try:
        with safe_open(path, framework="numpy") as file:
            return file.metadata() or {}, list(file.keys())
    except (SafetensorError, OSError) as error:
        raise ModelFileError(
            f"{path} is not a whole .safetensors file ({error}); copy or export it again."
        ) from error
