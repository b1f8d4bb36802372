import io
import subprocess
import sys
from pathlib import Path

import pytest

from napari_unit.terminal import print_anything

NARROW = {"PYTHONIOENCODING": "cp1252", "PYTHONUTF8": "0"}


def test_what_a_pipe_cannot_take_becomes_a_question_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(taken, "cp1252"))
    with pytest.raises(UnicodeEncodeError):
        print("a → b")
    print_anything()
    print("a → b × 2", flush=True)
    assert taken.getvalue().decode("cp1252").splitlines() == ["a ? b × 2"]


def test_streams_of_other_kinds_are_left_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    monkeypatch.setattr(sys, "stderr", None)  # so it is in programs without a console
    print_anything()


@pytest.mark.parametrize(
    "command", [["models"], ["models", "nuclei"], ["translate", "no.tif", "o"]]
)
def test_the_command_line_speaks_on_windows_pipes(command: list[str], tmp_path: Path) -> None:
    import os

    run = subprocess.run(
        [sys.executable, "-m", "napari_unit", *command], env=os.environ | NARROW, cwd=tmp_path,
        capture_output=True, check=False,
    )  # fmt: skip
    assert b"Traceback" not in run.stderr, run.stderr.decode("cp1252")
    assert run.stdout or run.stderr
