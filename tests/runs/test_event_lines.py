import json
from pathlib import Path

from napari_unit.runs.event_lines import to_json_line
from napari_unit.runs.events import Finished, Progress, Started


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
