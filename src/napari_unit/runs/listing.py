"""Which trainings there are, and in what state each is."""

import json
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from napari_unit.runs.control import Control
from napari_unit.runs.event_lines import Told
from napari_unit.runs.events import Finished, Stopped
from napari_unit.runs.files import RunFiles
from napari_unit.runs.following import Follower, is_at_work
from napari_unit.runs.starting import complaint, exit_code, is_own_child, last_begun
from napari_unit.runs.story import Story

State = Literal[
    "starting", "running", "paused", "stopping", "stopped", "finished", "failed", "interrupted"
]
AT_WORK: tuple[State, ...] = ("starting", "running", "paused", "stopping")
"""States of a training that has a process."""
_STARTING_S = 60.0
"""Until it shows a sign of life, a training of another program is taken for starting."""


@dataclass(frozen=True, slots=True)
class RunView:
    """A training as it is at one moment.

    Parameters
    ----------
    files
        Of its folder.
    state
        ``"failed"``: it could not start, or gave up. ``"interrupted"``: its process was killed.
    domains
        Names of domain a and b.
    story
        What it has told.
    told_last
        When it last told something, as in the events; empty where it has told nothing.
    sentence
        What went wrong; empty where nothing did, or where nobody knows.
    can_resume
        Whether it can be gone on with.
    has_model
        Whether there is a model to use.
    """

    files: RunFiles
    state: State
    domains: tuple[str, str]
    story: Story
    told_last: str
    sentence: str
    can_resume: bool
    has_model: bool

    @property
    def name(self) -> str:
        """Of its folder."""
        return self.files.path.name

    @property
    def is_at_work(self) -> bool:
        """Whether it has a process."""
        return self.state in AT_WORK


@dataclass
class WatchedRun:
    """One training, looked at again and again; only what is new is read each time.

    Parameters
    ----------
    files
        Of its folder.
    """

    files: RunFiles
    _told: list[Told] = field(default_factory=list)
    _story: Story = field(default_factory=Story)

    def __post_init__(self) -> None:
        self._follower = Follower(self.files.events_path)

    def look(self) -> RunView:
        """Return the training as it is now.

        Raises
        ------
        OSError
            If its folder cannot be read.
        """
        # first: a process that ends in between has told everything then
        works = is_own_child(self.files) or is_at_work(self.files.lock_path)
        news = self._follower.read()
        if news.starts_over:
            self._told.clear()
        self._told += news.told
        if news.told or news.starts_over:
            self._story = Story(tuple(told.event for told in self._told))
        story, has_model = self._story, self.files.model_path.is_file()
        state = self._state(works)
        is_begun = self.files.data_path.is_file()
        return RunView(
            self.files,
            state,
            self._domains(),
            story,
            self._told[-1].time if self._told else "",
            self._sentence(state),
            state in ("stopped", "interrupted", "failed") and is_begun and not story.gave_up,
            has_model,
        )

    def _state(self, works: bool) -> State:
        story = self._story
        if works:
            return self._state_at_work()
        if isinstance(story.ending, Finished):
            return "finished"
        if isinstance(story.ending, Stopped):
            return "stopped"
        if story.gave_up:
            return "failed"
        if story.starts:
            return "interrupted"
        return "starting" if self._is_new() else "failed"

    def _state_at_work(self) -> State:
        story = self._story
        if Control(self.files.control).asks_for("stop"):
            return "stopping"
        if story.ending is not None:  # it says that it ends before it does
            return "starting" if last_begun(self.files) >= self._told[-1].time else "stopping"
        if not story.starts:
            return "starting"
        return "paused" if story.is_paused else "running"

    def _is_new(self) -> bool:
        if exit_code(self.files) is not None:
            return False
        try:
            return time.time() - self.files.log_path.stat().st_mtime < _STARTING_S and not (
                complaint(self.files)
            )
        except OSError:
            return False

    def _sentence(self, state: State) -> str:
        if self._story.gave_up:
            return self._story.gave_up
        failed_to_go_on = state == "stopped" and bool(exit_code(self.files))
        if state in ("failed", "interrupted") or failed_to_go_on:
            return complaint(self.files)
        return ""

    def _domains(self) -> tuple[str, str]:
        if self._story.starts:
            return self._story.starts[-1].domains
        try:
            asked = json.loads(self.files.asked_path.read_text("utf-8"))
            a, b = (str(asked[f"domain_{letter}"]["name"]) for letter in "ab")
        except (OSError, ValueError, KeyError, TypeError):
            return ("A", "B")
        return (a or "A", b or "B")


class RunList:
    """The trainings in a folder, and others that were opened.

    Parameters
    ----------
    root
        Folder of the trainings; it need not exist.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._opened: list[Path] = []
        self._watched: dict[Path, WatchedRun] = {}

    def open(self, path: Path) -> None:
        """Add a training that is elsewhere.

        Raises
        ------
        ValueError
            If there is none.
        """
        if not is_run(path):
            raise ValueError(
                f"There is no training in {path}; choose a folder that 'napari-unit train' or this "
                "widget has written."
            )
        if path.parent != self.root and path not in self._opened:
            self._opened.append(path)

    def look(self) -> Sequence[RunView]:
        """Return all trainings as they are now, those that told something last first."""
        found = [*self._opened]
        with suppress(OSError):  # there is no such folder yet
            found += self.root.iterdir()
        paths = [path for path in found if is_run(path)]
        self._watched = {path: self._watched.get(path) or self._watch(path) for path in paths}
        views = []
        for watched in self._watched.values():
            try:
                views.append(watched.look())
            except OSError:  # it is being removed
                continue
        return sorted(views, key=_when, reverse=True)

    def _watch(self, path: Path) -> WatchedRun:
        return WatchedRun(RunFiles(path))


def is_run(path: Path) -> bool:
    """Tell whether a folder is that of a training; not of one that may not be looked into."""
    files = RunFiles(path)
    try:
        return files.settings_path.is_file() or (
            files.sources_path.is_file() and files.log_path.is_file()
        )
    except OSError:
        return False


def _when(view: RunView) -> tuple[bool, float]:
    """Order trainings: those at work first, then by the time of their last change."""
    for path in (view.files.events_path, view.files.log_path, view.files.path):
        try:
            return view.is_at_work, path.stat().st_mtime
        except OSError:
            continue
    return view.is_at_work, 0.0
