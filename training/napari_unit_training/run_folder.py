"""What is where in a run's folder, and whether a run may go on in it."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from napari_unit.atomic import written_whole
from napari_unit.runs.event_lines import to_json_line
from napari_unit.runs.events import Event
from napari_unit.runs.files import RunFiles
from napari_unit.runs.sources import RunSources
from napari_unit_training.config import TrainSettings
from napari_unit_training.config_files import read_config, settings_from
from napari_unit_training.errors import TrainingError

FORMAT_VERSION = 2
"""Of a run's folder, in ``data.json``."""
_LOOKED_AT_S = 2.0
"""How long others may hold the lock for a moment to see whether a run is at work."""


class RunFolder(RunFiles):
    """The folder of one run, made by `claim`.

    Parameters
    ----------
    path
        Of the folder.
    """

    def check(self, settings: TrainSettings) -> None:
        """Refuse a folder that is another run's or no run's; a missing or empty one is fine.

        Raises
        ------
        TrainingError
            If the folder holds other files, or a run with other settings.
        """
        if self.path.exists() and not self.path.is_dir():
            raise TrainingError(f"The output {self.path} is a file; give a folder for the run.")
        if not self.path.exists() or all(map(self._is_no_run_yet, self.path.iterdir())):
            return
        if not self.settings_path.is_file():
            raise TrainingError(
                f"The folder {self.path} has files but no run in it; give an empty or a new one."
            )
        self._check_version()
        before = settings_from(read_config(self.settings_path))
        differing = _differences(before, settings)
        if differing:
            raise TrainingError(
                f"The run in {self.path} has other settings: {'; '.join(differing)}. "
                "Give the same to go on with it, or another --out."
            )

    def _is_no_run_yet(self, entry: Path) -> bool:
        """Tell what a kill at the very start leaves, and what others put there before a start."""
        return entry.name.startswith(".partial-") or entry in self.before_a_run

    def fitted(self, settings: TrainSettings) -> TrainSettings:
        """Return settings with the batch and crop that the run in this folder was fitted with."""
        if not self.settings_path.is_file():
            return settings
        self._check_version()
        before = settings_from(read_config(self.settings_path))
        return replace(settings, batch_size=before.batch_size, crop_px=before.crop_px)

    def _check_version(self) -> None:
        """Refuse a run that another version of the trainer began; one without images is none yet.

        Raises
        ------
        TrainingError
            With the formats.
        """
        try:
            found = json.loads(self.data_path.read_text("utf-8"))
            version = found.get("format", 0) if isinstance(found, dict) else None
        except FileNotFoundError:
            return
        except (OSError, ValueError) as error:
            raise TrainingError(f"The file {self.data_path} cannot be read: {error}.") from error
        if version == FORMAT_VERSION and not isinstance(found.get("fingerprints"), dict):
            raise TrainingError(
                f"The file {self.data_path} cannot be read: it has no fingerprints of images."
            )
        if version != FORMAT_VERSION:
            raise TrainingError(
                f"The run in {self.path} has format {version} of another version of napari-unit, "
                f"and this one has format {FORMAT_VERSION}: go on with the version that began it, "
                "or give another --out."
            )

    def claim(
        self, settings: TrainSettings, fingerprints: Mapping[str, str], sources: RunSources
    ) -> None:
        """Write settings and fingerprints of the images, or check them against those there.

        Parameters
        ----------
        settings
            Of the run.
        fingerprints
            By what the images are, as in a sentence.
        sources
            Where they are; that may change, as long as they stay the same.

        Raises
        ------
        TrainingError
            As `check`; or if the run was started with other images.
        """
        self.check(settings)
        self.path.mkdir(parents=True, exist_ok=True)
        self.control.mkdir(exist_ok=True)
        # first: a folder without settings is taken for another program's
        _write(self.settings_path, settings.to_mapping())
        if not self.data_path.is_file():
            sources.write(self.sources_path)
            _write(self.data_path, {"format": FORMAT_VERSION, "fingerprints": dict(fingerprints)})
            return
        before = json.loads(self.data_path.read_text("utf-8"))["fingerprints"]
        changed = [
            name
            for name in {**before, **fingerprints}
            if before.get(name) != fingerprints.get(name)
        ]
        if changed:
            raise TrainingError(
                f"The run in {self.path} was started with other images of "
                f"{' and '.join(changed)}; give the same to go on with it, or another --out."
            )
        sources.write(self.sources_path)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from training in this folder; the system lets go of it after a kill.

        Raises
        ------
        TrainingError
            If another process is at it.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.lock_path)
        try:
            lock.acquire(timeout=_LOOKED_AT_S)
        except Timeout as error:
            raise TrainingError(
                f"Another process is training in {self.path}; wait for it, stop it with the file "
                f"{self.control / 'stop'}, or give another --out."
            ) from error
        try:
            yield
        finally:
            lock.release()

    def log(self, event: Event) -> None:
        """Append an event to ``events.jsonl``, with the time in UTC."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        with self.events_path.open("a", encoding="utf-8") as file:
            file.write(to_json_line(event, now) + "\n")

    def tidy(self) -> None:
        """Remove what a kill has left half written; files of their own names are whole."""
        for partial in self.path.rglob(".partial-*"):
            partial.unlink(missing_ok=True)

    def rewind(self, images_seen: int, *, best_at: int = -1) -> None:
        """Take out of ``events.jsonl`` what was told of later images, and a line that is torn.

        A run that was killed goes on from its last checkpoint and tells these again.

        Parameters
        ----------
        images_seen
            Of the checkpoint.
        best_at
            When the best model was measured: a run that has gone back keeps it, and what was told
            of it.
        """
        if not self.events_path.is_file():
            return
        kept, changed = [], False
        for line in self.events_path.read_text("utf-8").splitlines():
            try:
                event = json.loads(line)
                is_kept = (
                    event["event"] in _KEPT_EVENTS
                    or event["images_seen"] <= images_seen
                    or (event.get("is_best") is True and event["images_seen"] == best_at)
                )
            except (ValueError, KeyError, TypeError):
                is_kept = False
            if is_kept:
                kept.append(line)
            changed = changed or not is_kept
        if changed:
            with written_whole(self.events_path) as partial:
                partial.write_text("".join(line + "\n" for line in kept), "utf-8")


_KEPT_EVENTS = ("Started", "WentBack", "GaveUp")
"""What happened to a run, and not how far it was."""


def _differences(before: TrainSettings, now: TrainSettings) -> list[str]:
    """Name the settings that differ, but for those that a result does not depend on."""
    old = replace(before, device=now.device, devices=now.devices, cadence=now.cadence).to_mapping()
    new = now.to_mapping()
    return [f"{key} was {old[key]!r} and is {new[key]!r}" for key in new if old[key] != new[key]]


def _write(path: Path, values: object) -> None:
    with written_whole(path) as partial:
        partial.write_text(json.dumps(values, indent=2) + "\n", "utf-8")
