"""What scripts/demo and scripts/test do before the program runs, without installing anything."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the scripts are POSIX shell")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout of its own, at a path with a space, whose .venv is the Python that runs this."""
    made = tmp_path / "my checkout"
    shutil.copytree(ROOT / "scripts", made / "scripts")
    for name in ("constraints.txt", "pyproject.toml"):
        shutil.copy(ROOT / name, made)
    python = made / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    return made


def stand_in(folder: Path, name: str, program: str) -> None:
    """Put a command before the system's one of that name."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{program}\n")
    (folder / name).chmod(0o755)


def shell(checkout: Path, *lines: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run lines of shell after scripts/environment.sh."""
    program = ["set -eu", f"repository='{checkout}'", f". '{checkout}/scripts/environment.sh'"]
    return subprocess.run(
        ["sh", "-c", "\n".join([*program, *lines])],
        env=os.environ | variables, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


@pytest.mark.parametrize("name", ["scripts/demo", "scripts/test", "scripts/lock", ".ci/run"])
def test_commands_can_be_run(name: str) -> None:
    if not (ROOT / name).exists():
        pytest.skip(f"{name} is not part of the sdist")
    assert os.access(ROOT / name, os.X_OK)


@pytest.mark.parametrize("name", ["demo", "test"])
def test_help_says_how_to_use_it_and_installs_nothing(checkout: Path, name: str) -> None:
    shutil.rmtree(checkout / ".venv")
    run = subprocess.run(
        [checkout / "scripts" / name, "--help"], capture_output=True, text=True, check=True
    )
    assert f"scripts/{name} [-- ARGUMENTS]" in run.stdout
    assert not (checkout / ".venv").exists()


def test_without_a_suitable_python_there_is_a_sentence(checkout: Path) -> None:
    shutil.rmtree(checkout / ".venv")
    run = shell(checkout, "usable_python", PYTHON="/bin/false")
    assert run.returncode == 1
    assert "there is no Python 3.11 to 3.14 here (tried: /bin/false)" in run.stderr
    assert not (checkout / ".venv").exists()


def test_an_old_python_is_passed_over(checkout: Path, tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    stand_in(old, "python3", "exit 1")
    stand_in(new, "python3.12", f"exec '{sys.executable}' \"$@\"")
    run = shell(checkout, "find_python", PATH=f"{old}:{new}:/usr/bin:/bin")
    assert run.stdout.strip() in ("python3.13", "python3.14", "python3.12")


def test_what_is_installed_is_not_installed_again(checkout: Path) -> None:
    """Until one of the files that say what belongs there has changed."""
    stamp = checkout / ".venv" / ".installed-core"
    install = 'pip_install() { say "pip runs"; }; install_into_venv core --editable .'
    assert "pip runs" in shell(checkout, install).stdout
    assert stamp.exists()
    assert shell(checkout, install).stdout == ""
    with (checkout / "constraints.txt").open("a") as constraints:
        constraints.write("six==1.17.0\n")
    assert "pip runs" in shell(checkout, install).stdout


def test_an_installation_that_failed_is_tried_again(checkout: Path) -> None:
    failing = shell(checkout, "pip_install() { return 1; }; install_into_venv core --editable .")
    assert failing.returncode == 1
    assert "pip could not install" in failing.stderr
    assert not (checkout / ".venv" / ".installed-core").exists()


def test_every_installation_is_also_the_core(checkout: Path) -> None:
    shell(checkout, "pip_install() { :; }; install_into_venv test --editable .")
    assert shell(checkout, "install_into_venv core --no-such-option").returncode == 0


def test_who_is_not_root_is_told_the_one_line(checkout: Path, tmp_path: Path) -> None:
    commands = tmp_path / "bin"
    stand_in(commands, "id", "echo 1000")
    stand_in(commands, "apt-get", "exit 99")
    run = shell(
        checkout,
        "apt_install xvfb libegl1 || echo refused",
        PATH=f"{commands}:{os.environ['PATH']}",
    )
    assert "sudo apt-get update && sudo apt-get install -y xvfb libegl1" in run.stderr
    assert run.stdout.strip() == "refused"


def test_torch_is_the_cpu_build_unless_there_is_a_gpu(checkout: Path) -> None:
    """And where PyTorch's index does not answer, pip is left to find it, within seconds."""
    lines = (
        "uname() { echo Linux; }",
        'venv_python=false; pip_install() { say "pip: $*"; }',
        'answers() { [ "$ONLINE" = yes ]; }; has_nvidia_gpu() { [ "$GPU" = yes ]; }',
        "install_cpu_torch",
    )
    cpu = shell(checkout, *lines, ONLINE="yes", GPU="no").stdout
    assert cpu == "pip: --no-deps --index-url https://download.pytorch.org/whl/cpu torch\n"
    assert "pip:" not in shell(checkout, *lines, ONLINE="no", GPU="no").stdout
    assert "comes with CUDA" in shell(checkout, *lines, ONLINE="yes", GPU="yes").stdout


def test_an_index_that_never_answers_is_given_up(checkout: Path) -> None:
    """A server that takes the connection and says nothing."""
    import socket
    import time

    with socket.create_server(("127.0.0.1", 0)) as silent:
        began_s = time.monotonic()
        run = shell(
            checkout,
            f"answers http://127.0.0.1:{silent.getsockname()[1]}/ && echo answered || echo silent",
            no_proxy="127.0.0.1",
        )
    assert run.stdout == "silent\n"
    assert time.monotonic() - began_s < 8
