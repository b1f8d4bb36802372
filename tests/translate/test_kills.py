"""Processes that are killed, and disks that are full: real ones."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr

import napari_unit

PATIENCE_S = 60.0

CALIBRATION = "calibration.safetensors"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file of planes enough to be killed amid them."""
    path = tmp_path_factory.mktemp("stack") / "in.tif"
    image = np.random.default_rng(0).integers(0, 60000, (24, 200, 180)).astype("u2")
    tifffile.imwrite(path, image, metadata={"axes": "ZYX"})
    return path


@pytest.fixture(scope="module")
def expected(stack: Path, nuclei: Path) -> np.ndarray:
    made: np.ndarray = napari_unit.translate(stack, nuclei, "real", tile=32)
    return made


def command(stack: Path, out: Path, model: Path) -> list[str]:
    settings = ["--model", str(model), "--to", "real", "--tile", "32", "--quiet"]
    return [sys.executable, "-m", "napari_unit", "translate", str(stack), str(out), *settings]


def n_done(out: Path) -> int:
    return len(list(out.parent.glob(f"{out.name}.partial/done/unit-*")))


def read(out: Path) -> np.ndarray:
    if out.is_file():
        return tifffile.imread(out)
    return np.asarray(zarr.open_array(out / "0", mode="r")[...])


def run(stack: Path, out: Path, model: Path) -> tuple[int, str]:
    done = subprocess.run(
        command(stack, out, model), capture_output=True, text=True, check=False, timeout=100
    )
    return done.returncode, done.stderr


def kill_when(is_time: Callable[[], bool], arguments: list[str]) -> None:
    process = subprocess.Popen(arguments, stderr=subprocess.DEVNULL)
    deadline_s = time.monotonic() + PATIENCE_S
    while not is_time() and process.poll() is None and time.monotonic() < deadline_s:
        time.sleep(0.002)
    assert process.poll() is None
    process.kill()
    process.wait()


def test_the_same_command_goes_on_after_kills(
    stack: Path, expected: np.ndarray, nuclei: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.ome.zarr"
    finished = 0
    # as soon as there is a folder, then amid the units
    for is_time in ((tmp_path / "out.ome.zarr.partial").is_dir, lambda: n_done(out) >= 9):
        kill_when(is_time, command(stack, out, nuclei))
        assert not out.exists()
        assert n_done(out) >= finished
        finished = n_done(out)
    assert 9 <= finished < 24
    assert run(stack, out, nuclei) == (0, "")
    assert np.array_equal(read(out), expected)
    assert sorted(os.listdir(tmp_path)) == [out.name, f"{out.name}.{CALIBRATION}"]


SUICIDE = """
import os, sys
from napari_unit import cli, progress

def listen(news):
    if news.phase == "writing" and news.done > 0.2 * news.total:
        os._exit(9)  # without any tidying up

progress.foreground = lambda: listen
cli.main(sys.argv[1:])
"""


def test_a_kill_while_the_tiff_is_written_costs_its_writing_only(
    stack: Path, expected: np.ndarray, nuclei: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.ome.tif"
    arguments = [word for word in command(stack, out, nuclei)[3:] if word != "--quiet"]
    died = subprocess.run([sys.executable, "-c", SUICIDE, *arguments], check=False, timeout=100)
    assert died.returncode == 9
    assert os.listdir(tmp_path) == ["out.ome.tif.partial"]
    assert n_done(out) == 24
    assert (tmp_path / "out.ome.tif.partial" / "file").exists()
    assert run(stack, out, nuclei) == (0, "")
    assert np.array_equal(read(out), expected)
    assert sorted(os.listdir(tmp_path)) == [out.name, f"{out.name}.{CALIBRATION}"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other signals")
def test_ctrl_c_says_how_to_go_on(stack: Path, nuclei: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.zarr"
    process = subprocess.Popen(command(stack, out, nuclei), stderr=subprocess.PIPE, text=True)
    while n_done(out) < 2 and process.poll() is None:
        time.sleep(0.002)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130
    assert told == (
        f"napari-unit translate: interrupted. What is finished is in {out}.partial; the same "
        "command goes on.\n"
    )


LIMITED = """
import resource, sys
from napari_unit.cli import main
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on file sizes")
def test_a_file_that_cannot_grow_keeps_what_was_translated(
    stack: Path, expected: np.ndarray, nuclei: Path, tmp_path: Path
) -> None:
    """The units fit the limit, the TIFF that is made of them does not."""
    out = tmp_path / "out.tif"
    arguments = command(stack, out, nuclei)[3:]
    limited = subprocess.run(
        [sys.executable, "-c", LIMITED, *arguments],
        capture_output=True, text=True, check=False, timeout=100,
    )  # fmt: skip
    assert limited.returncode == 2
    assert limited.stderr.count("\n") == 1
    assert f"There is no room left in {tmp_path} (File too large): make room" in limited.stderr
    assert limited.stderr.endswith("and the same call or command goes on.\n")
    assert not out.exists()
    assert n_done(out) == 24
    assert run(stack, out, nuclei) == (0, "")
    assert np.array_equal(read(out), expected)


FULL_DISK = """
set -e
mount -t tmpfs -o size=4500k none "$1"
cd "$1"
# takes the room away when the first units are there
( while [ "$(ls out.zarr.partial/done 2>/dev/null | grep -c unit-)" -lt 3 ]; do sleep 0.01; done
  dd if=/dev/zero of=ballast bs=64k 2>/dev/null || true ) &
status=0
"$2" -m napari_unit translate "$3" out.zarr --model "$4" --to real --tile 32 --quiet || status=$?
echo "status $status"
wait
ls
rm ballast
"$2" -m napari_unit translate "$3" out.zarr --model "$4" --to real --tile 32 --quiet
ls
cp -r out.zarr "$5"
"""


def can_mount() -> bool:
    if sys.platform != "linux":
        return False
    try:
        tried = subprocess.run(
            ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c",
             "mount -t tmpfs -o size=1m none /mnt"],
            capture_output=True, check=False,
        )  # fmt: skip
    except OSError:
        return False
    return tried.returncode == 0


def test_a_disk_that_fills_up_keeps_what_was_translated(
    stack: Path, expected: np.ndarray, nuclei: Path, tmp_path: Path
) -> None:
    if not can_mount():
        pytest.skip("this system lets nobody make a small disk")
    disk, copy = tmp_path / "disk", tmp_path / "copy"
    disk.mkdir()
    program = [sys.executable, str(stack), str(nuclei), str(copy)]
    done = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", FULL_DISK, "sh",
         str(disk), *program],
        capture_output=True, text=True, check=False, timeout=100,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    left = ["ballast", "out.zarr.partial", "out.zarr", f"out.zarr.{CALIBRATION}"]
    assert done.stdout.split() == ["status", "2", *left]
    assert done.stderr.count("\n") == 1
    assert "(No space left on device): make room; what is finished is kept in" in done.stderr
    assert np.array_equal(read(copy), expected)
