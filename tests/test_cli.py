import os
import subprocess
import sys

import pytest

from napari_unit import cli


def test_help_and_version_come_at_once_without_heavy_imports() -> None:
    program = (
        "import sys; from napari_unit.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'numpy', 'napari', 'rich', 'tifffile', 'napari_unit_training'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    for arguments, text in ((["--help"], "translate an image file"), (["--version"], "0.")):
        began = os.times()
        run = subprocess.run(
            [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True
        )
        ended = os.times()
        assert text in run.stdout
        assert run.stdout.endswith("[]\n")
        # not by the clock: the machine may be busy with other tests
        busy_s = ended.children_user + ended.children_system
        assert busy_s - began.children_user - began.children_system < 0.5


def test_train_is_handed_to_the_trainer(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["train", "--help"])
    assert "images of the first domain" in capsys.readouterr().out


def test_a_command_is_needed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main([])
    assert stop.value.code == 2
    assert "COMMAND" in capsys.readouterr().err
