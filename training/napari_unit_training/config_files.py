"""Settings from presets, TOML files and the settings.json of a run; unknown keys raise."""

import difflib
import json
import tomllib
import types
from collections.abc import Mapping
from dataclasses import is_dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from napari_unit_training.config import TrainSettings
from napari_unit_training.errors import TrainingError

_Table = TypeVar("_Table")


def preset_names() -> tuple[str, ...]:
    """Return the names of the bundled presets."""
    folder = files("napari_unit_training") / "presets"
    return tuple(sorted(Path(f.name).stem for f in folder.iterdir() if f.name.endswith(".toml")))


def read_preset(name: str) -> dict[str, Any]:
    """Return the values that a bundled preset sets.

    Raises
    ------
    TrainingError
        If there is no such preset.
    """
    if name not in preset_names():
        raise TrainingError(
            f"There is no preset {name!r}; the presets are {', '.join(preset_names())}."
        )
    resource = files("napari_unit_training") / "presets" / f"{name}.toml"
    return tomllib.loads(resource.read_text("utf-8"))


def read_config(path: Path) -> dict[str, Any]:
    """Return the values that a TOML file, or the ``settings.json`` of a run, sets.

    Raises
    ------
    TrainingError
        If the file is missing or is neither.
    """
    try:
        text = path.read_text("utf-8")
        values = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except (OSError, UnicodeDecodeError) as error:
        raise TrainingError(f"The settings {path} cannot be read: {error}.") from error
    except (tomllib.TOMLDecodeError, json.JSONDecodeError) as error:
        raise TrainingError(f"The settings {path} are not valid: {error}.") from error
    if not isinstance(values, dict):
        raise TrainingError(f"The settings {path} are no table of names and values.")
    return values


def merge(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Lay tables of settings over each other, later ones on top, nested tables too."""
    merged: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            below = merged.get(key)
            if isinstance(value, Mapping) and isinstance(below, Mapping):
                merged[key] = merge(below, value)
            else:
                merged[key] = value
    return merged


def settings_from(values: Mapping[str, Any]) -> TrainSettings:
    """Make settings of plain values; what is left out keeps its default.

    Raises
    ------
    TrainingError
        If a key is unknown, or a value has another type or lies outside its bounds.
    """
    return table_from(TrainSettings, values)


def table_from(kind: type[_Table], values: Mapping[str, Any]) -> _Table:
    """Make a dataclass of settings of plain values, nested as they are.

    Raises
    ------
    TrainingError
        If a key is unknown, or a value has another type or lies outside its bounds.
    """
    made: _Table = _read(kind, values, "")
    return made


def _read(kind: Any, values: Any, where: str) -> Any:
    if not isinstance(values, Mapping):
        raise TrainingError(f"The setting {where} is {values!r}; it must be a table.")
    hints = get_type_hints(kind)
    prefix = f"{where}." if where else ""
    made: dict[str, Any] = {}
    for key, value in values.items():
        if key not in hints:
            near = difflib.get_close_matches(str(key), hints, 1, 0.0)[0]
            raise TrainingError(
                f"There is no setting {prefix}{key}; the nearest is {prefix}{near}."
            )
        made[key] = _value(hints[key], value, f"{prefix}{key}")
    return kind(**made)


def _value(kind: Any, value: Any, where: str) -> Any:
    """Check one value against its annotation; TOML arrays become tuples, integers floats."""
    if is_dataclass(kind):
        return _read(kind, value, where)
    if get_origin(kind) is Literal:
        if value not in get_args(kind):
            allowed = " or ".join(repr(a) for a in get_args(kind))
            raise TrainingError(f"The setting {where} is {value!r}; it must be {allowed}.")
        return value
    if get_origin(kind) is tuple:
        parts = get_args(kind)
        open_ended = len(parts) == 2 and isinstance(parts[1], types.EllipsisType)
        if not isinstance(value, list | tuple) or not (open_ended or len(value) == len(parts)):
            wanted = "a list" if open_ended else f"a list of {len(parts)} numbers"
            raise TrainingError(f"The setting {where} is {value!r}; it must be {wanted}.")
        return tuple(_value(parts[0], v, f"{where}[{i}]") for i, v in enumerate(value))
    allowed_kinds = (int, float) if kind is float else (kind,)
    if not isinstance(value, allowed_kinds) or (isinstance(value, bool) and kind is not bool):
        names = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}
        raise TrainingError(f"The setting {where} is {value!r}; it must be {names[kind]}.")
    return kind(value)
