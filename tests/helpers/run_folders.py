"""Folders of trainings as the trainer leaves them, without a training."""

import json
from pathlib import Path

from napari_unit.runs.event_lines import to_json_line
from napari_unit.runs.events import Event, Finished, Progress, Started
from napari_unit.runs.files import RunFiles
from napari_unit.runs.sources import RunSources

START = Started(0, 100, "cpu", "float32", ("left", "right"), (3, 2), ())
REPORT = Progress(50, 100, {"cycle_a": 0.5, "cycle_b": 0.5}, 1e-4, 5.0, 10.0)
END = Finished(100, Path("last.safetensors"))


def write_run(path: Path, *events: Event, begun: bool = True) -> RunFiles:
    """Write the folder of a training that has told some events.

    Parameters
    ----------
    path
        Of the folder.
    events
        In order.
    begun
        Whether it has got as far as to its images.
    """
    files = RunFiles(path)
    path.mkdir(parents=True)
    RunSources(("/a",), ("/b",)).write(files.sources_path)
    asked = {"domain_a": {"name": "dapi"}, "domain_b": {"name": ""}}
    files.asked_path.write_text(json.dumps(asked), "utf-8")
    files.log_path.write_text("", "utf-8")
    if begun:
        files.settings_path.write_text("{}", "utf-8")
        files.data_path.write_text("{}", "utf-8")
    if events:
        lines = "".join(to_json_line(event) + "\n" for event in events)
        files.events_path.write_text(lines, "utf-8")
    return files
