"""The folder beside an output in which it is made: what is finished there outlives the process.

All is written by renaming whole files, so a killed process leaves nothing that looks finished and
is not. That does not hold for a computer that loses power: nothing waits for the disk here.
"""

import errno
import json
import os
import re
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_unit.atomic import put_in_place

if TYPE_CHECKING:
    from filelock import BaseFileLock

Identity = Mapping[str, Any]
"""What a result depends on: plain JSON values by names as users read them."""

_FORMAT = 1
_ENDING = ".partial"
_LOCK = ".lock"
_JOB = "job.json"
_UNFINISHED = ".unfinished-"
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")
_SHOWN = 40
"""Characters of a value in a sentence; a hash has more."""
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NOT_ALLOWED = (errno.EACCES, errno.EPERM, errno.EROFS)


class WorkFolder:
    """The state of one job: its identity, named blobs, records of what is done, and pixels.

    Holds nothing but the path: any process may put and mark in the folder of a job that another
    one has claimed.

    Parameters
    ----------
    path
        Of the folder; made by `claimed`.

    Attributes
    ----------
    store_path, file_path
        Where in it a folder or a file is made that is then renamed to be the output.
    scratch_path
        Folder for what is of use to the next process, but not to the output.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.store_path = path / "image"
        self.file_path = path / "file"
        self.scratch_path = path / "scratch"
        self._blobs = path / "blobs"
        self._records = path / "done"

    @classmethod
    def beside(cls, output: Path) -> "WorkFolder":
        """Return the folder in which an output is made."""
        return cls(output.with_name(output.name + _ENDING))

    @property
    def has_progress(self) -> bool:
        """Tell whether anything is finished in it."""
        return any(
            not entry.name.startswith(_UNFINISHED)
            for folder in (self._blobs, self._records, self.scratch_path)
            if folder.is_dir()
            for entry in folder.iterdir()
        )

    @property
    def n_bytes(self) -> int:
        """Size of what is there of the output."""
        files = [self.file_path, *self.store_path.rglob("*")]
        return sum(file.stat().st_size for file in files if file.is_file())

    def begun_with(self) -> Identity | None:
        """Return the identity of the job that was begun here; None if there is none.

        Raises
        ------
        FileExistsError
            If the folder, or a file of this name, is something else.
        OSError
            If the file that holds the identity cannot be read.
        """
        if not self.path.exists():
            return None
        if not self.path.is_dir():
            raise FileExistsError(
                f"{self.path} is a file, and the work goes into a folder of this name; remove it "
                "or give another name."
            )
        try:
            found = json.loads((self.path / _JOB).read_text("utf-8"))
        except FileNotFoundError:
            if all(entry.name.startswith((_LOCK, _UNFINISHED)) for entry in self.path.iterdir()):
                return None  # killed at the very start
            raise FileExistsError(
                f"The folder {self.path} holds something else than a translation; remove it or "
                "give another name."
            ) from None
        except (OSError, ValueError, RecursionError) as error:
            raise self._damaged(f"{type(error).__name__}") from error
        version = found.get("format") if isinstance(found, dict) else None
        if version != _FORMAT or not isinstance(found.get("identity"), dict):
            raise self._damaged(f"it is not of format {_FORMAT}")
        identity: dict[str, Any] = found["identity"]
        return identity

    def _damaged(self, why: str) -> OSError:
        return OSError(
            f"The file {self.path / _JOB} cannot be read ({why}); remove its folder to start "
            "anew, or give another name."
        )

    @contextmanager
    def claimed(self, identity: Identity) -> Iterator[None]:
        """Begin a job or go on with it; no other process can claim it meanwhile.

        At the end of the block a folder in which nothing is finished is removed. Another job of
        which nothing was finished, as after a kill at its start, gives way.

        Raises
        ------
        FileExistsError
            If the folder is something else, or another process is at it.
        ValueError
            If the job that was begun here is another one.
        OSError
            If it cannot be read or written.
        """
        wanted = json.loads(json.dumps(identity))
        self.begun_with()  # touch nothing that is not ours
        self.path.mkdir(exist_ok=True)
        lock = self._locked()
        is_ours = False
        try:
            begun = self.begun_with()
            if begun not in (None, wanted) and self.has_progress:
                raise ValueError(self._refusal(begun or {}, wanted))
            is_ours = True
            if begun != wanted:
                self.remove()
                content = json.dumps({"format": _FORMAT, "identity": wanted}, indent=2)
                _write(self.path / _JOB, content.encode())
            yield
        finally:
            if is_ours and not self.has_progress:
                self.remove()
            if os.name == "nt":
                lock.release()  # Windows removes no file that is open
            if not (self.path / _JOB).exists():
                (self.path / _LOCK).unlink(missing_ok=True)
                with suppress(OSError):  # what others have put there stays
                    self.path.rmdir()
            lock.release()

    def _locked(self) -> "BaseFileLock":
        from filelock import FileLock, Timeout  # takes a tenth of a second

        # a generator may be closed by another thread than the one that began it
        lock = FileLock(self.path / _LOCK, thread_local=False)
        try:
            lock.acquire(blocking=False)
        except Timeout as error:
            raise FileExistsError(
                f"Another process is writing to {self.path}; wait for it, or give another name."
            ) from error
        except OSError as error:
            if error.errno in (*_NO_ROOM, *_NOT_ALLOWED):
                raise
            raise OSError(
                f"The folder {self.path} cannot be locked ({error.strerror}); write to another "
                "disk."
            ) from error
        return lock

    def _refusal(self, begun: Identity, wanted: Identity) -> str:
        differing = [
            f"{name} {_shown(begun.get(name))}, not {_shown(wanted.get(name))}"
            for name in {**begun, **wanted}
            if begun.get(name) != wanted.get(name)
        ]
        return (
            f"The translation in {self.path} was begun with {'; '.join(differing)}; give the same "
            "to go on, remove the folder, or give another name."
        )

    def remove(self) -> None:
        """Remove what is in it; the folder itself goes when its job lets go of it."""
        for folder in (self._records, self._blobs, self.scratch_path, self.store_path):
            shutil.rmtree(folder, ignore_errors=True)
        self.file_path.unlink(missing_ok=True)
        for unfinished in self.path.glob(f"{_UNFINISHED}*"):
            unfinished.unlink(missing_ok=True)
        # last: without it, the rest would be taken for something else
        (self.path / _JOB).unlink(missing_ok=True)

    def put(self, name: str, content: bytes) -> None:
        """Keep a blob, in place of an earlier one of this name."""
        self._blobs.mkdir(exist_ok=True)
        _write(self._blobs / _checked(name), content)

    def get(self, name: str) -> bytes | None:
        """Return a blob; None where there is none."""
        try:
            return (self._blobs / _checked(name)).read_bytes()
        except FileNotFoundError:
            return None

    def mark(self, name: str, record: Mapping[str, Any]) -> None:
        """Record that something is done. Call it when what it stands for has been written."""
        self._records.mkdir(exist_ok=True)
        _write(self._records / _checked(name), json.dumps(dict(record)).encode())

    def record(self, name: str) -> dict[str, Any] | None:
        """Return the record of what is done; None where it is not, or its record is damaged."""
        path = self._records / _checked(name)
        try:
            found = json.loads(path.read_bytes())
        except (OSError, ValueError, RecursionError):
            return None
        return found if isinstance(found, dict) else None

    def forget_records(self) -> None:
        """Take all for not done."""
        shutil.rmtree(self._records, ignore_errors=True)

    @contextmanager
    def full_disk_told(self) -> Iterator[None]:
        """Say in a sentence that the disk is full or write-protected, and what is left to do.

        Raises
        ------
        OSError
            With that sentence; all other errors pass as they are.
        """
        try:
            yield
        except OSError as error:
            advice = (
                f"what is finished is kept in {self.path}, and the same call or command goes on"
                if self.has_progress
                else "nothing was finished yet"
            )
            if error.errno in _NO_ROOM:
                raise OSError(
                    f"There is no room left in {self.path.parent} ({error.strerror}): make room; "
                    f"{advice}."
                ) from error
            if error.errno in _NOT_ALLOWED and self._concerns(error.filename):
                raise PermissionError(
                    f"Nothing may be written to {error.filename} ({error.strerror}): allow it; "
                    f"{advice}."
                ) from error
            raise

    def _concerns(self, filename: Any) -> bool:
        return isinstance(filename, str | os.PathLike) and Path(filename).is_relative_to(
            self.path.parent
        )


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError(f"The name {name!r} must be lower case letters, digits, '.', '_', '-'.")
    return name


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _write(path: Path, content: bytes) -> None:
    unfinished = path.with_name(f"{_UNFINISHED}{uuid.uuid4().hex}")
    try:
        unfinished.write_bytes(content)
        put_in_place(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)
