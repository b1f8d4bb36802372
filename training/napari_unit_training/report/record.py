"""What the files of a run tell of it, whatever else may be in them."""

import json
import math
import re
import types
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from napari_unit.models.card import ModelFileError, read_card
from napari_unit_training.config import OPEN_END
from napari_unit_training.events import (
    CheckpointSaved,
    Event,
    Finished,
    GaveUp,
    Paused,
    PreviewWritten,
    Progress,
    QualityMeasured,
    Started,
    Stopped,
    WentBack,
    WentOn,
)
from napari_unit_training.run_folder import RunFolder

_LOGGED: dict[str, type[Event]] = {
    kind.__name__: kind
    for kind in (
        Started, Progress, PreviewWritten, QualityMeasured, CheckpointSaved, Paused, WentOn,
        Stopped, WentBack, GaveUp, Finished,
    )
}  # fmt: skip
_TELLING = (Started, Progress, CheckpointSaved, Stopped, GaveUp, Finished)
"""Events that tell how many images were seen."""
_MOST_IMAGES = 10**15
# names of folders may hold spaces, but do not end in one: what does is the text between two paths
_FOLDERS = re.compile(r"(?<![\w.…])(?:[A-Za-z]:)?[\\/]{1,2}(?:[^\\/;,:()\n]*[^\\/;,:()\s][\\/])+")


@dataclass(frozen=True)
class Record:
    """What is known of a run.

    Parameters
    ----------
    events
        Those that could be read, in their order.
    settings
        Of ``settings.json``; empty where there is none.
    versions
        Of the programs that trained, as the model file says; empty where there is none.
    began, told_last
        When the run was begun and when it last told something, UTC; empty where unknown.
    """

    events: tuple[Event, ...]
    settings: Mapping[str, Any]
    versions: Mapping[str, Any]
    began: str = ""
    told_last: str = ""

    @cached_property
    def starts(self) -> list[Started]:
        """The first start, and those after a break."""
        return [event for event in self.events if isinstance(event, Started)]

    @cached_property
    def reports(self) -> list[Progress]:
        """Reports of the losses."""
        return [event for event in self.events if isinstance(event, Progress)]

    @cached_property
    def measured(self) -> list[QualityMeasured]:
        """Measurements of quality."""
        return [event for event in self.events if isinstance(event, QualityMeasured)]

    @cached_property
    def best(self) -> QualityMeasured | None:
        """The measurement of the best model."""
        return next((event for event in reversed(self.measured) if event.is_best), None)

    @cached_property
    def gave_up(self) -> str:
        """Why a run gave up; empty where it did not, or has gone on since."""
        for event in reversed(self.events):
            if isinstance(event, GaveUp):
                return event.reason
            if isinstance(event, Started):
                break
        return ""

    @cached_property
    def domains(self) -> tuple[str, str]:
        """Names of domain a and b."""
        if self.starts:
            return self.starts[-1].domains
        given = [self.settings.get(f"domain_{letter}") for letter in "ab"]
        names = [
            str(values.get("name", "")) if isinstance(values, dict) else "" for values in given
        ]
        return (names[0] or "a", names[1] or "b")

    @cached_property
    def images_seen(self) -> int:
        """Crops of each domain so far."""
        for event in reversed(self.events):
            if isinstance(event, WentBack):
                return event.to_images_seen
            if isinstance(
                event, Started | Progress | CheckpointSaved | Stopped | GaveUp | Finished
            ):
                return event.images_seen
        return 0

    @cached_property
    def images_total(self) -> int | None:
        """Crops of each domain in all; None where that is not known yet."""
        totals = [e.images_total for e in self.events if isinstance(e, Started | Progress)]
        return totals[-1] if totals and totals[-1] < OPEN_END else None

    @cached_property
    def seconds(self) -> float:
        """About how long was computed, after the speeds that were reported."""
        total, before = 0.0, 0
        for event in self.events:
            if isinstance(event, Started):
                before = event.images_seen
            elif isinstance(event, Progress):
                if event.images_per_second > 0 and event.images_seen > before:
                    total += (event.images_seen - before) / event.images_per_second
                before = event.images_seen
        return total if math.isfinite(total) else 0.0


def read_record(folder: RunFolder) -> Record:
    """Read what there is; what is torn, of an unknown kind or of other types is passed over."""
    told = _events(folder.events_path)
    times = [time for time, _ in told if time]
    return Record(
        events=tuple(event for _, event in told),
        settings=_settings(folder.settings_path),
        versions=_versions(folder),
        began=times[0] if times else "",
        told_last=times[-1] if times else "",
    )


def number(value: Any) -> float | None:
    """Return a finite number as a float, and None for everything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


def name_of(path: Path) -> str:
    """Return the file name of a path that any system may have written."""
    return str(path).replace("\\", "/").rpartition("/")[2]


def without_folders(text: str) -> str:
    """Take the folders out of absolute paths in a text: a report may be shown to others."""
    return _FOLDERS.sub("…/", text)


def _events(path: Path) -> list[tuple[str, Event]]:
    """Return events with their times."""
    if not path.is_file():
        return []
    found = []
    for line in path.read_text("utf-8", errors="replace").split("\n"):
        try:
            values = json.loads(line)
            kind = _LOGGED[values["event"]]
            hints = get_type_hints(kind)
            event = kind(**{f.name: _as(hints[f.name], values[f.name]) for f in fields(kind)})
            found.append((_time_of(values.get("time")), event))
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
            continue
    return found


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
    if origin is tuple and isinstance(value, list):
        if isinstance(parts[-1], types.EllipsisType):
            parts = parts[:1] * len(value)
        return tuple(_as(part, v) for part, v in zip(parts, value, strict=True))
    if origin is Mapping and isinstance(value, dict):
        return {key: _as(parts[1], v) for key, v in value.items()}
    if kind is int and type(value) is int and 0 <= value <= _MOST_IMAGES:
        return value
    if kind is float and type(value) in (int, float):
        return float(value)
    if kind is bool and isinstance(value, bool):
        return value
    if kind in (str, Path) and isinstance(value, str):
        return kind(value)
    raise TypeError


def _settings(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}


def _versions(folder: RunFolder) -> dict[str, Any]:
    for path in (folder.last_model_path, folder.best_model_path):
        try:
            versions = read_card(path).training.get("versions")
        except ModelFileError:
            continue
        if isinstance(versions, dict):
            return versions
    return {}


def _time_of(value: Any) -> str:
    try:
        return f"{datetime.fromisoformat(value).astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    except (TypeError, ValueError, OverflowError):
        return ""
