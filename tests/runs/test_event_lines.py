import json
from pathlib import Path
from typing import get_args

import pytest

from napari_unit.runs.event_lines import Told, from_json_line, to_json_line
from napari_unit.runs.events import (
    CheckpointSaved,
    Estimated,
    Event,
    Finished,
    GaveUp,
    ImagesRead,
    MemoryEstimated,
    Paused,
    PreviewWritten,
    Progress,
    QualityMeasured,
    Reading,
    Started,
    Stopped,
    WentBack,
    WentOn,
)


def test_an_event_is_one_line_of_json_with_its_class():
    line = to_json_line(Progress(4, 9, {"cycle_a": 0.5}, 1e-4, 2.0, 2.5))
    assert "\n" not in line
    assert json.loads(line) == {
        "event": "Progress",
        "images_seen": 4,
        "images_total": 9,
        "losses": {"cycle_a": 0.5},
        "learning_rate": 1e-4,
        "images_per_second": 2.0,
        "seconds_left": 2.5,
        "memory_bytes": None,
    }


def test_paths_and_tuples_are_plain():
    assert json.loads(to_json_line(Finished(9, Path("x") / "y")))["model_path"] == str(
        Path("x") / "y"
    )
    started = Started(0, 9, "cpu", "float32", ("a", "b"), (1, 2), ())
    assert json.loads(to_json_line(started))["domains"] == ["a", "b"]


EVERY = [
    Reading("a", "b"),
    ImagesRead(3),
    Started(0, 9, "cpu", "float32", ("a", "b"), (1, 2), ("a note",)),
    MemoryEstimated(5, None, 2, 64),
    Estimated(9, 1.5, 6.0, 5, 7, {"width": 4}),
    Progress(4, 9, {"cycle_a": 0.5}, 1e-4, 2.0, 2.5, 10**9),
    PreviewWritten(4, Path("x.png")),
    QualityMeasured(4, ({"source": "a", "distance": 0.5},), 0.5, True),
    CheckpointSaved(4, Path("x.pt")),
    Paused(4),
    WentOn(4),
    Stopped(4),
    WentBack(6, 4, "black", 1, 3),
    GaveUp(6, "Gone wrong."),
    Finished(9, Path("m.safetensors")),
]


@pytest.mark.parametrize("event", EVERY, ids=lambda event: type(event).__name__)
def test_every_event_comes_back_as_it_was(event):
    assert from_json_line(to_json_line(event, "2026-01-01T00:00:00+00:00")) == Told(
        event, "2026-01-01T00:00:00+00:00"
    )


def test_every_kind_of_event_is_among_those():
    assert {type(event) for event in EVERY} == set(get_args(Event))


def test_a_line_of_an_earlier_version_lacks_what_was_not_told_then():
    values = json.loads(to_json_line(Progress(4, 9, {}, 1e-4, 2.0, 2.5, 7)))
    del values["memory_bytes"]
    told = from_json_line(json.dumps(values))
    assert told is not None
    assert told.event == Progress(4, 9, {}, 1e-4, 2.0, 2.5, None)


@pytest.mark.parametrize(
    "line",
    ["", "{", "[]", '{"event": "Unheard"}', '{"event": "Stopped"}',
     '{"event": "Progress", "images_seen": 4}', '{"event": "Stopped", "images_seen": "4"}'],
)  # fmt: skip
def test_what_is_no_event_is_none(line):
    assert from_json_line(line) is None
