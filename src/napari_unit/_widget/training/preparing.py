"""What is done before a training starts: layers become files, images are looked at."""

import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from napari_unit._widget.errands import Step
from napari_unit.images.copying import copy_to_tiff, is_same_as_file
from napari_unit.images.source_image import SourceImage
from napari_unit.runs.deleting import DELETED_PREFIX
from napari_unit.runs.files import RunFiles
from napari_unit.runs.inspection import DomainInspection
from napari_unit.runs.sources import RunSources
from napari_unit.runs.starting import (
    TrainingRequest,
    inspection_command,
    make_run_folder,
    start_training,
)

_POLL_S = 0.05
_PREFIX = ".prepared-"

Part = Path | SourceImage
"""Images of a domain: a file or folder, or a layer as it was when it was asked for."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A training as a person has put it together.

    Parameters
    ----------
    a, b
        Images of the two domains.
    preset
        Name of the trainer's settings to begin with.
    settings
        Over those, nested as in the trainer's settings files.
    """

    a: tuple[Part, ...]
    b: tuple[Part, ...]
    preset: str
    settings: Mapping[str, Any]

    @property
    def names(self) -> tuple[str, str]:
        """Of the domains."""
        a, b = (self.settings[f"domain_{letter}"]["name"] for letter in "ab")
        return a, b


@dataclass(frozen=True, slots=True)
class Checked:
    """Images that are ready to be learned from, and what they were taken for.

    Parameters
    ----------
    folder
        Where layers were written to; belongs to whoever holds this.
    sources
        Where all images are.
    found
        Of domain a and b.
    """

    folder: Path
    sources: RunSources
    found: tuple[DomainInspection, ...]

    @property
    def problems(self) -> tuple[str, ...]:
        """Why no training can start, in sentences."""
        return tuple(problem for domain in self.found for problem in domain.problems)

    def discard(self) -> None:
        """Remove what was written."""
        shutil.rmtree(self.folder, ignore_errors=True)


def check(wanted: Wanted, root: Path) -> Generator[Any, None, Checked]:
    """Write layers to files where they are in none, and look at the images as a training would.

    Parameters
    ----------
    wanted
        What is to be trained.
    root
        Folder of the trainings.

    Yields
    ------
    `Step` while layers are written, then each `DomainInspection`; None while there is no news.

    Raises
    ------
    ValueError
        If settings or layers cannot be used, with the sentence that says why.
    OSError
        If layers cannot be written.
    """
    root.mkdir(parents=True, exist_ok=True)
    forget_old(root)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=root))
    try:
        a = yield from _as_paths(wanted.a, folder / "images" / "a")
        b = yield from _as_paths(wanted.b, folder / "images" / "b")
        sources = RunSources(a, b)
        request = TrainingRequest(sources, wanted.preset, wanted.settings)
        found = yield from _inspect(request, folder)
    except BaseException:  # canceled as well
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return Checked(folder, sources, found)


def start(checked: Checked, wanted: Wanted, root: Path) -> RunFiles:
    """Start a training with images that were checked.

    Returns
    -------
    The files of the training; what was written of layers is among them.

    Raises
    ------
    OSError
        If there can be no such folder or process; nothing of it stays then.
    """
    try:
        files = make_run_folder(root, " to ".join(wanted.names))
        try:
            _start_in(files, checked, wanted)
        except BaseException:
            shutil.rmtree(files.path, ignore_errors=True)
            raise
    finally:
        checked.discard()
    return files


def _start_in(files: RunFiles, checked: Checked, wanted: Wanted) -> None:
    written = checked.folder / "images"
    if written.is_dir():
        written.rename(files.images)
    sources = replace(
        checked.sources,
        a=_moved(checked.sources.a, written, files.images),
        b=_moved(checked.sources.b, written, files.images),
    )
    start_training(TrainingRequest(sources, wanted.preset, wanted.settings), files)


def forget_old(root: Path, age_s: float = 86_400.0) -> None:
    """Remove what was prepared, or being deleted, by programs that have since crashed."""
    for prefix in (_PREFIX, DELETED_PREFIX):
        for folder in root.glob(f"{prefix}*"):
            with suppress(OSError):
                if time.time() - folder.stat().st_mtime > age_s:
                    shutil.rmtree(folder, ignore_errors=True)


def _moved(paths: tuple[str, ...], old: Path, new: Path) -> tuple[str, ...]:
    return tuple(
        str(new / Path(path).relative_to(old)) if Path(path).is_relative_to(old) else path
        for path in paths
    )


def _as_paths(parts: tuple[Part, ...], folder: Path) -> Generator[Any, None, tuple[str, ...]]:
    """Return paths of all parts; layers are written unless a file is known to hold the same."""
    paths = []
    for number, part in enumerate(parts):
        if isinstance(part, Path):
            paths.append(str(part))
            continue
        if (yield from _is_in_its_file(part)):
            paths.append(str(part.path))
            continue
        folder.mkdir(parents=True, exist_ok=True)
        plain = re.sub(r"[^\w-]+", "-", part.name).strip("-")[:60] or "layer"
        path = folder / f"{number:03d}-{plain}.ome.tif"
        with closing(copy_to_tiff(part, path)) as steps:
            for done, total in steps:
                yield Step(f"Writing {part.name!r} to a file", done, total)
        paths.append(str(path))
    return tuple(paths)


def _is_in_its_file(image: SourceImage) -> Generator[Any, None, bool]:
    found = [False]
    with closing(is_same_as_file(image)) as parts:
        for found[0] in parts:
            yield None
    return found[0]


def _inspect(
    request: TrainingRequest, folder: Path
) -> Generator[Any, None, tuple[DomainInspection, ...]]:
    """Let the trainer say what it takes the images for, in a process that can be ended."""
    command = inspection_command(request, folder)
    answers_path, complaints_path = folder / "answers", folder / "complaints"
    with answers_path.open("wb") as answers, complaints_path.open("wb") as complaints:
        child = subprocess.Popen(  # noqa: S603  our own module
            command,
            stdin=subprocess.DEVNULL,
            stdout=answers,
            stderr=complaints,
            cwd=folder,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),  # there is one on Windows
        )
    found: list[DomainInspection] = []
    read = _reader(answers_path)
    try:
        while child.poll() is None:
            yield None
            for one in read():
                found.append(one)
                yield one
            time.sleep(_POLL_S)
    finally:
        child.kill()
        child.wait()
    for one in read():
        found.append(one)
        yield one
    if len(found) < 2:
        told = complaints_path.read_text("utf-8", errors="replace").strip().splitlines()
        last = told[-1] if told else f"exit status {child.returncode}"
        prefix = "napari-unit train: "
        if last.startswith(prefix):
            raise ValueError(last.removeprefix(prefix))
        raise ValueError(f"The images could not be looked at ({last}).")
    return tuple(found)


def _reader(path: Path) -> Callable[[], list[DomainInspection]]:
    """Return a function that reads the lines that are whole and new."""
    offset = 0

    def read() -> list[DomainInspection]:
        nonlocal offset
        content = path.read_bytes()[offset:]
        whole = content[: content.rfind(b"\n") + 1]
        offset += len(whole)
        return [DomainInspection.from_json(line) for line in whole.decode().splitlines()]

    return read
