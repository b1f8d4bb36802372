import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from napari_unit.runs.event_lines import to_json_line
from napari_unit.runs.events import (
    OPEN_END,
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
from napari_unit.runs.sentences import without_folders
from napari_unit_training.report.record import Record, number, read_record
from napari_unit_training.run_folder import RunFolder

START = Started(0, 100, "cpu", "float32", ("left", "right"), (3, 2), ("a note",))
REPORT = Progress(50, 100, {"cycle_a": 0.5, "kl": 2.0}, 1e-4, 5.0, 10.0)
EVENTS: list[Event] = [
    START,
    REPORT,
    PreviewWritten(50, Path("x/previews/images-50.png")),
    QualityMeasured(50, ({"source": "left", "distance": 0.5, "untranslated": None},), 0.5, True),
    CheckpointSaved(50, Path("x.pt")),
    Paused(50),
    WentOn(50),
    Stopped(50),
    WentBack(60, 40, "black", 1, 3),
    GaveUp(60, "Gone wrong."),
    Finished(100, Path("m.safetensors")),
]


def record(*events: Event, settings: dict[str, object] | None = None) -> Record:
    return Record(events, settings or {}, {}, "", "")


def test_what_a_run_logs_is_read_back(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    for event in EVENTS:
        folder.log(event)
    found = read_record(folder)
    assert list(found.events) == EVENTS
    now = f"{datetime.now(UTC):%Y-%m-%d}"  # a run at midnight is asked for nothing else
    assert found.began.endswith(" UTC")
    assert found.began.startswith(now) or found.told_last.startswith(now)


@pytest.mark.parametrize("time", ["", "7", "yesterday", None, [], "9999-99-99"])
def test_a_time_that_is_none_is_left_out(tmp_path: Path, time: object) -> None:
    folder = RunFolder(tmp_path)
    line = {"event": "Stopped", "time": time, "images_seen": 4}
    folder.events_path.write_text(json.dumps(line))
    assert read_record(folder).events == (Stopped(4),)
    assert read_record(folder).began == ""


@pytest.mark.parametrize(
    "line",
    [
        '{"event": "Progr',
        "[]",
        "7",
        '{"event": "Unheard", "images_seen": 4}',
        '{"event": "Stopped"}',
        '{"event": "Stopped", "images_seen": "4"}',
        '{"event": "Stopped", "images_seen": true}',
        '{"event": "Stopped", "images_seen": -1}',
        '{"event": "Stopped", "images_seen": 1' + "0" * 400 + "}",
        '{"event": ["Stopped"], "images_seen": 4}',
        to_json_line(START).replace('"left", ', ""),
        to_json_line(REPORT).replace("0.5", '"much"'),
        "[" * 100_000,
    ],
)
def test_what_is_no_event_is_passed_over(tmp_path: Path, line: str) -> None:
    (tmp_path / "events.jsonl").write_text(f"{line}\n{to_json_line(START)}\n")
    assert read_record(RunFolder(tmp_path)).events == (START,)


def test_keys_of_later_versions_are_passed_over(tmp_path: Path) -> None:
    values = {**json.loads(to_json_line(Stopped(4))), "reason": "tired"}
    (tmp_path / "events.jsonl").write_text(json.dumps(values))
    assert read_record(RunFolder(tmp_path)).events == (Stopped(4),)


@pytest.mark.parametrize("text", ["", "{", "[1]", "\N{BOM}{}"])
def test_settings_that_cannot_be_read_are_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "settings.json").write_text(text, "utf-8")
    assert read_record(RunFolder(tmp_path)).settings == {}


def test_how_far_a_run_is_follows_its_returns() -> None:
    assert record().images_seen == 0
    assert record(START, REPORT).images_seen == 50
    assert record(START, REPORT, WentBack(60, 40, "black", 1, 3)).images_seen == 40
    assert record(START, REPORT, Finished(100, Path("m"))).images_seen == 100


def test_a_run_that_has_a_time_has_no_total_until_it_is_known() -> None:
    assert record(replace(START, images_total=OPEN_END)).images_total is None
    assert record(replace(START, images_total=OPEN_END), REPORT).images_total == 100


def test_breaks_do_not_count_as_computing_time() -> None:
    after = [replace(START, images_seen=80), replace(REPORT, images_seen=100)]
    assert record(START, REPORT, *after).seconds == 50 / 5 + 20 / 5
    assert record(replace(REPORT, images_per_second=0.0)).seconds == 0


def test_domains_are_called_as_the_run_or_its_settings_call_them() -> None:
    named = {"domain_a": {"name": "dapi"}, "domain_b": {"name": ""}}
    assert record(START, settings=named).domains == ("left", "right")
    assert record(settings=named).domains == ("dapi", "b")
    assert record(settings={"domain_a": 4}).domains == ("a", "b")


@pytest.mark.parametrize("value", [None, "4", True, float("nan"), float("inf"), 10**400, []])
def test_what_is_no_finite_number_is_none(value: object) -> None:
    assert number(value) is None
    assert number(4) == 4.0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("one in /home/jane/data/a; all", "one in …/a; all"),
        ("one in /home/jane/my data/a and /x/b.", "one in …/a and …/b."),
        (r"in C:\Users\jane\b (ZYX)", "in …/b (ZYX)"),
        (r"in \\server\share\b", "in …/b"),
        ("8/16 bit and/or a/b/c.tif", "8/16 bit and/or a/b/c.tif"),
    ],
)
def test_folders_of_absolute_paths_are_left_out(text: str, expected: str) -> None:
    assert without_folders(text) == expected
