"""What the files of a run tell of it, whatever else may be in them."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from napari_unit.models.card import ModelFileError, read_card
from napari_unit.runs.event_lines import from_json_line
from napari_unit.runs.events import Event
from napari_unit.runs.story import Story
from napari_unit_training.run_folder import RunFolder


@dataclass(frozen=True)
class Record(Story):
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

    settings: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, Any] = field(default_factory=dict)
    began: str = ""
    told_last: str = ""

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


def _events(path: Path) -> list[tuple[str, Event]]:
    """Return events with their times."""
    if not path.is_file():
        return []
    told = map(from_json_line, path.read_text("utf-8", errors="replace").split("\n"))
    return [(_time_of(one.time), one.event) for one in told if one is not None]


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
