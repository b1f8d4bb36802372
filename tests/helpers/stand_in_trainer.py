"""A process that does in a run's folder what the trainer does there, without learning anything.

It tells the same events, holds the same lock and does what it is asked between two steps, and it
starts in a tenth of the time. For tests of those who start trainings and watch them.
"""

import argparse
import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock

from napari_unit.runs.control import Control
from napari_unit.runs.event_lines import to_json_line
from napari_unit.runs.events import (
    CheckpointSaved,
    Event,
    Finished,
    Paused,
    Progress,
    Started,
    Stopped,
    WentOn,
)
from napari_unit.runs.files import RunFiles
from napari_unit.runs.inspection import DomainInspection

STEP_S = 0.02
LOG_EVERY = 20


def command() -> list[str]:
    """Return what takes the place of ``python -m napari_unit train``."""
    return [sys.executable, "-P", __file__]


def main() -> None:
    """Do what the options say."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path)
    parser.add_argument("--inspect", action="store_true")
    given, _ = parser.parse_known_args()
    files = RunFiles(given.out)
    asked = json.loads(files.asked_path.read_text("utf-8"))
    names = tuple(asked[f"domain_{letter}"]["name"] for letter in "ab")
    if given.inspect:
        for letter, name in zip("ab", names, strict=True):
            found = DomainInspection(letter, name, 1, 1, 1, (96, 96), (80, 80), ("uint16",), ("x",))
            print(found.to_json())
        return
    with FileLock(files.lock_path):
        _run(files, names, int(asked["images_total"]))


def _run(files: RunFiles, names: tuple[str, str], total: int) -> None:
    def tell(event: Event) -> None:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        with files.events_path.open("a", encoding="utf-8") as file:
            file.write(to_json_line(event, now) + "\n")

    control, state = Control(files.control), files.checkpoints / "seen"
    control.forget_old()
    seen = int(state.read_text()) if state.is_file() else 0
    for path in (files.settings_path, files.data_path):
        path.write_text("{}", "utf-8")
    files.checkpoints.mkdir(exist_ok=True)
    tell(Started(seen, total, "cpu", "float32", names, (3, 2), ()))
    while seen < total:
        time.sleep(STEP_S)
        seen += 1
        if seen % LOG_EVERY == 0 or seen == total:
            losses = {"cycle_a": 0.5, "cycle_b": 0.5}
            tell(Progress(seen, total, losses, 1e-4, 5.0, (total - seen) / 5, 10**9))
        if control.asks_for("checkpoint"):
            state.write_text(str(seen))
            tell(CheckpointSaved(seen, state))
            control.obeyed("checkpoint")
        if control.asks_for("pause"):
            tell(Paused(seen))
            while control.asks_for("pause") and not control.asks_for("stop"):
                time.sleep(STEP_S)
            tell(WentOn(seen))
        if control.asks_for("stop"):
            state.write_text(str(seen))
            tell(CheckpointSaved(seen, state))
            control.obeyed("stop")
            tell(Stopped(seen))
            return
    tell(Finished(seen, files.last_model_path))


if __name__ == "__main__":
    main()
