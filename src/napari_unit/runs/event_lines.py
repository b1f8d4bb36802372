"""Events of a training as lines of JSON, and back."""

import json
import types
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from napari_unit.runs.events import Event

_KINDS: dict[str, type[Event]] = {kind.__name__: kind for kind in get_args(Event)}

_MOST = 10**15
"""Above any number of images or bytes: what is larger is no event of ours."""


@dataclass(frozen=True, slots=True)
class Told:
    """An event as it was read back.

    Parameters
    ----------
    event
        What happened.
    time
        When, as it was written; empty where it was not.
    """

    event: Event
    time: str = ""


def to_json_line(event: Event, time: str = "") -> str:
    """Return an event as one line of JSON; ``event`` is its class, ``time`` what is given."""
    stamp = {"time": time} if time else {}
    return json.dumps({"event": type(event).__name__, **stamp, **asdict(event)}, default=str)


def from_json_line(line: str) -> Told | None:
    """Read an event back; None where the line is torn, of an unknown kind or of other types.

    A field that has a default may be missing: the line is of an earlier version then.
    """
    try:
        values = json.loads(line)
        kind = _KINDS[values["event"]]
        event = kind(**{name: _as(hint, values[name]) for name, hint in _fields(kind, values)})
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None
    time = values.get("time", "")
    return Told(event, time if isinstance(time, str) else "")


def _fields(kind: type[Event], values: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return names and types of the fields that are there, and of those that must be."""
    hints = _hints(kind.__name__)
    return [
        (field.name, hints[field.name])
        for field in fields(kind)
        if field.name in values or field.default is MISSING
    ]


@cache
def _hints(name: str) -> dict[str, Any]:
    return get_type_hints(_KINDS[name])


def _as(kind: Any, value: Any) -> Any:
    """Return a JSON value as its annotation has it.

    Raises
    ------
    TypeError, ValueError, OverflowError
        If it is none of these.
    """
    origin, parts = get_origin(kind), get_args(kind)
    if kind is Any:
        return value
    if origin is types.UnionType:  # of one type and None
        return None if value is None else _as(parts[0], value)
    if origin is tuple and isinstance(value, list):
        if isinstance(parts[-1], types.EllipsisType):
            parts = parts[:1] * len(value)
        return tuple(_as(part, v) for part, v in zip(parts, value, strict=True))
    if origin is Mapping and isinstance(value, dict):
        return {key: _as(parts[1], v) for key, v in value.items()}
    if kind is int and type(value) is int and 0 <= value <= _MOST:
        return value
    if kind is float and type(value) in (int, float):
        return float(value)
    if kind is bool and isinstance(value, bool):
        return value
    if kind in (str, Path) and isinstance(value, str):
        return kind(value)
    raise TypeError
