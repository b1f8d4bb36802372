"""Starts trainings as processes of their own, which outlive the program that started them."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from napari_unit.atomic import written_whole
from napari_unit.runs.files import RunFiles
from napari_unit.runs.following import is_at_work
from napari_unit.runs.sources import RunSources, absolute

_WINDOWS = sys.platform == "win32"
_CHILDREN: dict[Path, "subprocess.Popen[bytes]"] = {}
"""Trainings that this process has started, by their folders; those that have ended, too."""
_COMPLAINT = "napari-unit train: "


@dataclass(frozen=True, slots=True)
class TrainingRequest:
    """What a training is started with.

    Parameters
    ----------
    sources
        Where its images are.
    preset
        Name of the trainer's settings to begin with.
    settings
        Over those, nested as in the trainer's settings files.
    """

    sources: RunSources
    preset: str
    settings: Mapping[str, Any] = field(default_factory=dict)


def runs_root() -> Path:
    """Return the folder in which trainings are begun; it need not exist."""
    from platformdirs import user_data_path

    return user_data_path("napari-unit") / "runs"


def make_run_folder(root: Path, name: str) -> RunFiles:
    """Make a new folder for a training.

    Parameters
    ----------
    root
        In which it is made.
    name
        What it is to be called, in any letters; a number is added where it is taken.
    """
    # Windows leaves out what a name ends in of these: the folder would be called otherwise
    plain = re.sub(r"[^\w .-]+", "-", name).lstrip(" .-")[:60].rstrip(" .-") or "training"
    root.mkdir(parents=True, exist_ok=True)
    number = 1
    while True:
        path = root / (plain if number == 1 else f"{plain} {number}")
        try:
            path.mkdir()
        except FileExistsError:
            number += 1
        else:
            return RunFiles(path)


def inspection_command(request: TrainingRequest, folder: Path) -> list[str]:
    """Return the command that says what a training would take its images for.

    Parameters
    ----------
    request
        Of the training.
    folder
        To write the request to, which may be longer than a command line; not the training's.
    """
    return [*_begun(request, RunFiles(folder)), "--inspect"]


def start_training(request: TrainingRequest, files: RunFiles) -> None:
    """Start a training in a process of its own, which goes on when this one ends.

    Parameters
    ----------
    request
        Of the training.
    files
        Its folder, from `make_run_folder`; there may be images in it.

    Raises
    ------
    OSError
        If there can be no such file or process.
    """
    _start([*_begun(request, files), "--fit"], files)


def resume_training(files: RunFiles) -> None:
    """Go on with a training that was stopped or killed, in a process of its own.

    Raises
    ------
    ValueError
        If a process is at it, or its folder does not say where the images are.
    OSError
        If there can be no such process.
    """
    if is_own_child(files) or is_at_work(files.lock_path):
        raise ValueError(f"The training {files.path.name!r} runs already; stop it first.")
    RunSources.read(files.sources_path)
    _start([*_trainer(), "--out", str(files.path)], files)


def exit_code(files: RunFiles) -> int | None:
    """Return how the training in a folder ended; None while it runs, or where others started it.

    Looking lets the system forget the process, which would be kept as a zombie otherwise.
    """
    child = _CHILDREN.get(files.path)
    return None if child is None else child.poll()


def is_own_child(files: RunFiles) -> bool:
    """Tell whether this process has started the training in a folder, and it is still at work."""
    return files.path in _CHILDREN and exit_code(files) is None


def forget(files: RunFiles) -> None:
    """Know no more how the training in a folder has ended: the folder is gone, its name is free."""
    if not is_own_child(files):
        _CHILDREN.pop(files.path, None)


def complaint(files: RunFiles) -> str:
    """Return why the last start of a training came to nothing, as it said; empty where it did not.

    Without a sentence of the trainer it is the last line that it wrote, such as an error of Python.
    """
    lines = log_lines(files)
    for line in reversed(lines):
        if line.startswith(_COMPLAINT):
            return line.removeprefix(_COMPLAINT)
    is_crash = any(line.startswith("Traceback (") for line in lines)
    return f"The training failed unexpectedly ({lines[-1]})." if is_crash else ""


def last_begun(files: RunFiles) -> str:
    """Return when a training was last started from a program such as napari, as events have it.

    Empty where it never was: a command line leaves no log.
    """
    try:
        with files.log_path.open("rb") as log:
            return log.readline(100).decode("utf-8", "replace").strip()
    except OSError:
        return ""


def log_lines(files: RunFiles) -> list[str]:
    """Return the last lines that a training wrote."""
    try:
        with files.log_path.open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - 20_000))
            text = log.read().decode("utf-8", "replace")
    except OSError:
        return []
    return [line for line in map(str.rstrip, text.splitlines()) if line]


def _begun(request: TrainingRequest, files: RunFiles) -> list[str]:
    """Write what is asked for to the folder; return the command that reads it there."""
    sources = request.sources
    RunSources(
        absolute(sources.a),
        absolute(sources.b),
        absolute(sources.val_a),
        absolute(sources.val_b),
        val_paired=sources.val_paired,
    ).write(files.sources_path)
    with written_whole(files.asked_path) as partial:
        partial.write_text(json.dumps(dict(request.settings), indent=2) + "\n", "utf-8")
    given = ["--preset", request.preset, "--config", str(files.asked_path)]
    return [*_trainer(), "--out", str(files.path), *given]


def _trainer() -> list[str]:
    # -P: a module that lies in the working directory by chance is none of ours
    return [sys.executable, "-P", "-m", "napari_unit", "train"]


def _start(command: Sequence[str], files: RunFiles) -> None:
    with files.log_path.open("wb") as log:
        log.write(f"{datetime.now(UTC).isoformat(timespec='seconds')}\n".encode())
        log.flush()  # before the other process writes there, too
        _CHILDREN[files.path] = _detached(command, files.path, log.fileno())


def _detached(command: Sequence[str], folder: Path, log: int) -> "subprocess.Popen[bytes]":
    """Start a process that neither a closed terminal nor the end of this one ends."""
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"}

    def start(flags: int) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(  # noqa: S603  our own module
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=environment,
            start_new_session=not _WINDOWS,
            creationflags=flags,
        )

    if not _WINDOWS:
        return start(0)
    # a console that nobody sees, and not none: what it starts would open one each
    flags = int(getattr(subprocess, "CREATE_NO_WINDOW", 0))
    flags |= int(getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0))
    with suppress(OSError):  # some jobs, such as those of a remote desktop, let nobody out
        return start(flags | int(getattr(subprocess, "CREATE_BREAKAWAY_FROM_JOB", 0)))
    return start(flags)
