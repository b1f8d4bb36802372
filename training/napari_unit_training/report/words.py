"""What a run's events come to, in words and tables."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from napari_unit.runs.events import (
    Finished,
    Paused,
    QualityMeasured,
    Started,
    Stopped,
    WentBack,
    WentOn,
)
from napari_unit.runs.sentences import inversions, without_folders
from napari_unit_training.config import TrainSettings
from napari_unit_training.report.record import Record, name_of, number

_LITTLE_OF_THE_WAY = 0.2
_MISSING = "–"
_COLUMNS = {
    "distance": "distance to real",
    "untranslated": "untranslated",
    "real": "real to real",
    "intensity_distance": "intensities off by",
    "sharpness": "sharpness",
    "content_agreement": "content agreement",
    "cycle_error": "cycle error",
}
_PAIRED_COLUMNS = {"psnr_db": "PSNR in dB", "ssim": "SSIM", "accuracy": "accuracy"}


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under a head; the first entry of a row names it."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def state_of(record: Record) -> str:
    """Return how a run stands, as the end of its title."""
    if record.gave_up:
        return "gave up"
    for event in reversed(record.events):
        match event:
            case Finished():
                return "finished"
            case Stopped():
                return "stopped"
            case Paused():
                return "paused"
            case Started() | WentOn():
                break
    return "not finished" if record.events else "not begun"


def facts_of(record: Record) -> list[tuple[str, str]]:
    """Return what a run was, each with its name."""
    total = record.images_total
    of_all = f" of {total:,}" if total is not None else ", of a number that its time will decide"
    facts = [("Images seen", f"{record.images_seen:,}{of_all} (crops of each domain)")]
    if record.starts:
        last = record.starts[-1]
        facts.append(("Images to learn from", _numbers_of_images(last)))
        facts.append(("Computed on", f"{last.device} in {last.precision}"))
    if record.seconds:
        facts.append(("Computing time", f"about {_clock(record.seconds)}"))
    if record.began:
        facts.append(("Begun", record.began))
    if record.told_last:
        facts.append(("Last sign of life", record.told_last))
    return facts


def quality_table(record: Record) -> Table | None:
    """Return the best and the last quality of both directions; None if none was measured."""
    if not record.measured:
        return None
    last, best = record.measured[-1], record.best
    if best is None or best is last:
        shown = [("last" if best is None else "last and best", last)]
    else:
        shown = [("best", best), ("last", last)]
    lines = [(name, event, values) for name, event in shown for values in event.directions]
    order = [direction_of(values) for values in last.directions]
    lines = [line for name in order for line in lines if direction_of(line[2]) == name]
    pairs = [_paired(values) for _, _, values in lines]
    more = [key for key in _PAIRED_COLUMNS if any(number(pair.get(key)) for pair in pairs)]
    rows = []
    for (name, event, values), pair in zip(lines, pairs, strict=True):
        found = [_shown(values.get(key)) for key in _COLUMNS]
        found += [_shown(pair.get(key)) for key in more]
        rows.append((direction_of(values), name, f"{event.images_seen:,}", *found))
    names = [_PAIRED_COLUMNS[key] for key in more]
    head = ("direction", "model", "after images", *_COLUMNS.values(), *names)
    return Table(head, tuple(rows))


def verdicts_of(record: Record) -> list[str]:
    """Return a sentence per direction, what they do not see, and which model is the best."""
    event = record.best or (record.measured[-1] if record.measured else None)
    if event is None:
        return []
    said = [_verdict(values) for values in event.directions]
    said += inversions(event.directions)
    if record.best is not None and record.best is not record.measured[-1]:
        said.append(
            f"The best model is not the last: it was measured after {event.images_seen:,} images."
        )
    return said


def direction_of(values: Mapping[str, Any]) -> str:
    """Return a direction's domains, with an arrow."""
    return f"{values.get('source', '?')} → {values.get('target', '?')}"


def values_over_time(
    measured: list[QualityMeasured], direction: str, key: str
) -> list[tuple[int, float]]:
    """Return a measure of one direction over images seen."""
    found = [
        (event.images_seen, number(values.get(key)))
        for event in measured
        for values in event.directions
        if direction_of(values) == direction
    ]
    return [(seen, value) for seen, value in found if value is not None]


def happenings_of(record: Record) -> list[tuple[str, str]]:
    """Return what happened to a run: after how many images, and a sentence."""
    told = []
    is_first = True
    for event in record.events:
        match event:
            case Started():
                how = f"{'Started' if is_first else 'Went on after a break'} on {event.device}"
                told.append((event.images_seen, f"{how} in {event.precision}."))
                is_first = False
            case WentBack():
                returns = f"{event.n_returns} of {event.max_returns} times"
                sentence = (
                    f"Went back to {event.to_images_seen:,} images, with lower learning rates "
                    f"({returns}): {without_folders(event.trouble)}."
                )
                told.append((event.images_seen, sentence))
            case Paused():
                told.append((event.images_seen, "Paused, as it was asked to."))
            case WentOn():
                told.append((event.images_seen, "Went on after the pause."))
            case Stopped():
                told.append((event.images_seen, "Stopped, as it was asked to."))
            case Finished():
                told.append((event.images_seen, f"Finished: {name_of(event.model_path)}"))
    return [(f"{seen:,}", sentence) for seen, sentence in told]


def settings_tables(record: Record) -> tuple[Table, Table]:
    """Return the settings that differ from their defaults, beside these, and all of them."""
    defaults = dict(_flat(TrainSettings().to_mapping()))
    rows = [
        (name, without_folders(value), defaults.get(name, _MISSING))
        for name, value in _flat(record.settings)
    ]
    differing = tuple(row for row in rows if row[1] != row[2])
    head = ("setting", "value", "default")
    return Table(head, differing), Table(head, tuple(rows))


def _verdict(values: Mapping[str, Any]) -> str:
    distance, real = number(values.get("distance")), number(values.get("real"))
    untranslated = number(values.get("untranslated"))
    name = direction_of(values)
    if distance is None or real is None:
        return f"{name}: no distance to real images could be measured."
    said = f"{name}: the distance to real images is {distance:.3f}; "
    if untranslated is None or untranslated <= real:
        return f"{said}a perfect translation would have about {real:.3f}."
    way = (untranslated - distance) / (untranslated - real)
    said += f"untranslated images have {untranslated:.3f}, real ones to each other {real:.3f}. "
    if way <= 0:
        return f"{said}Translations are no nearer to real images than untranslated ones."
    if way < _LITTLE_OF_THE_WAY:
        return f"{said}That is only {way:.0%} of the way from untranslated to real."
    return f"{said}That is {min(way, 1.0):.0%} of the way from untranslated to real."


def _paired(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what pairs of images say, where there were some."""
    pair = values.get("paired")
    return pair if isinstance(pair, Mapping) else {}


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        elif isinstance(value, list):
            yield f"{prefix}{key}", ", ".join(map(str, value)) or _MISSING
        else:
            yield f"{prefix}{key}", str(value).lower() if isinstance(value, bool) else str(value)


def _numbers_of_images(event: Started) -> str:
    pairs = zip(event.n_images, event.domains, strict=True)
    return ", ".join(f"{n:,} of {name}" for n, name in pairs)


def _shown(value: Any) -> str:
    found = number(value)
    return _MISSING if found is None else f"{found:.3f}"


def _clock(seconds: float) -> str:
    minutes = math.ceil(seconds / 60)
    return f"{minutes // 60}:{minutes % 60:02d} h" if minutes >= 60 else f"{minutes} min"
