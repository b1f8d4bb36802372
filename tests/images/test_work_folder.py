import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from napari_unit.images.work_folder import WorkFolder

JOB = {"model": "ab" * 32, "statistics": "image", "shape": [3, 60, 52], "seed": 0}


@pytest.fixture
def work(tmp_path: Path) -> WorkFolder:
    return WorkFolder.beside(tmp_path / "out.ome.zarr")


def begin(work: WorkFolder, **changes: object) -> None:
    with work.claimed({**JOB, **changes}):
        work.put("calibration.safetensors", b"measured")
        work.mark("unit-0", {"n_saturated": 3})


def test_what_is_finished_is_there_for_the_next_process(work: WorkFolder) -> None:
    assert work.path.name == "out.ome.zarr.partial"
    assert work.begun_with() is None
    begin(work)
    assert work.begun_with() == JOB
    with work.claimed({**JOB, "shape": (3, 60, 52)}):  # JSON has no tuples
        assert work.get("calibration.safetensors") == b"measured"
        assert work.record("unit-0") == {"n_saturated": 3}
        assert (work.get("other"), work.record("unit-1")) == (None, None)
        work.forget_records()
        assert work.record("unit-0") is None
    assert work.has_progress
    assert work.n_bytes == 0
    work.file_path.write_bytes(b"half")
    work.store_path.mkdir()
    (work.store_path / "zarr.json").write_bytes(b"{}")
    assert work.n_bytes == 6


def test_scratch_files_outlive_a_process_too(work: WorkFolder) -> None:
    with work.claimed(JOB):
        work.scratch_path.mkdir()
    assert not work.path.exists()
    with work.claimed(JOB):
        work.scratch_path.mkdir()
        (work.scratch_path / "maps").write_bytes(b"maps")
    assert work.begun_with() == JOB
    with work.claimed(JOB):
        work.remove()
    assert not work.path.exists()


def test_a_folder_with_nothing_finished_is_removed(work: WorkFolder) -> None:
    with pytest.raises(KeyboardInterrupt), work.claimed(JOB):
        raise KeyboardInterrupt(work.path.stat())
    assert not work.path.exists()
    begin(work)
    with work.claimed(JOB):
        work.store_path.mkdir()
        work.file_path.write_text("half")
        work.remove()
    assert os.listdir(work.path.parent) == []


def test_another_job_is_refused_with_what_differs(work: WorkFolder) -> None:
    begin(work)
    changed = {"statistics": "whole", "model": "cd" * 32, "tile": 512}
    with pytest.raises(ValueError, match="was begun with") as caught, work.claimed(JOB | changed):
        pass
    told = str(caught.value)
    assert "statistics 'image', not 'whole'" in told
    assert "model 'abab" in told
    assert "tile None, not 512" in told
    assert "seed" not in told
    assert told.endswith("give the same to go on, remove the folder, or give another name.")
    assert work.record("unit-0") == {"n_saturated": 3}


def test_a_folder_that_is_something_else_is_refused_and_not_touched(work: WorkFolder) -> None:
    work.path.mkdir()
    (work.path / "mine.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="holds something else"), work.claimed(JOB):
        pass
    assert os.listdir(work.path) == ["mine.txt"]
    (work.path / "mine.txt").unlink()
    work.path.rmdir()
    work.path.write_text("mine")
    with pytest.raises(FileExistsError, match="is a file, and the work goes"), work.claimed(JOB):
        pass
    assert work.path.read_text() == "mine"


def test_what_others_put_there_stays(work: WorkFolder) -> None:
    with work.claimed(JOB):
        (work.path / "mine.txt").write_text("mine")
    assert os.listdir(work.path) == ["mine.txt"]


@pytest.mark.parametrize("left", [(), (".lock",), (".lock", ".unfinished-12")])
def test_a_kill_at_the_very_start_is_no_obstacle(work: WorkFolder, left: tuple[str, ...]) -> None:
    work.path.mkdir()
    for name in left:
        (work.path / name).touch()
    begin(work)
    assert work.begun_with() == JOB


def test_another_job_of_which_nothing_is_finished_gives_way(work: WorkFolder) -> None:
    begin(work)
    work.forget_records()
    (work.path / "blobs" / "calibration.safetensors").unlink()
    work.store_path.mkdir()
    begin(work, seed=3)
    assert work.begun_with() == JOB | {"seed": 3}
    assert not work.store_path.exists()


@pytest.mark.parametrize(
    "content",
    [b"", b'{"format": 1, "iden', b"\xff\xfe", b"[" * 100_000, b"[]", b'{"format": 9}',
     b'{"format": 1, "identity": 3}'],
)  # fmt: skip
def test_a_damaged_job_is_told(work: WorkFolder, content: bytes) -> None:
    begin(work)
    (work.path / "job.json").write_bytes(content)
    with pytest.raises(OSError, match=r"job.json cannot be read .*; remove its folder") as caught:
        work.begun_with()
    assert "\n" not in str(caught.value)
    assert work.get("calibration.safetensors") == b"measured"


@pytest.mark.parametrize("content", [b"", b'{"n', b"[1]", b"\xff", b"[" * 100_000])
def test_a_damaged_record_stands_for_nothing(work: WorkFolder, content: bytes) -> None:
    begin(work)
    (work.path / "done" / "unit-0").write_bytes(content)
    assert work.record("unit-0") is None


@pytest.mark.parametrize("name", ["", "..", "../x", "/x", "a/b", ".lock", "A", "a b", "ä", "a\n"])
def test_names_cannot_lead_out(work: WorkFolder, name: str) -> None:
    with work.claimed(JOB):
        for call in (work.get, work.record, lambda n: work.put(n, b""), lambda n: work.mark(n, {})):
            with pytest.raises(ValueError, match="must be lower case letters"):
                call(name)


def test_of_two_processes_one_is_refused(work: WorkFolder) -> None:
    program = (
        "import sys; from pathlib import Path\n"
        "from napari_unit.images.work_folder import WorkFolder\n"
        "try:\n"
        "    with WorkFolder(Path(sys.argv[1])).claimed({}): pass\n"
        "except FileExistsError as error: print(error)\n"
    )
    with work.claimed(JOB):
        work.mark("unit-0", {})
        other = subprocess.run(
            [sys.executable, "-c", program, str(work.path)],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        with pytest.raises(FileExistsError, match="Another process"), work.claimed(JOB):
            pass
        assert work.record("unit-0") == {}
    assert other.stdout.startswith(f"Another process is writing to {work.path}; wait for it")


def told(work: WorkFolder, error: OSError) -> OSError:
    with pytest.raises(type(error)) as caught, work.full_disk_told(), work.claimed(JOB):
        raise error
    return caught.value


def test_a_full_or_protected_disk_is_told_in_a_sentence(work: WorkFolder) -> None:
    full = told(work, OSError(errno.ENOSPC, "No space left on device"))
    assert str(full) == (
        f"There is no room left in {work.path.parent} (No space left on device): make room; "
        "nothing was finished yet."
    )
    begin(work)
    full = told(work, OSError(errno.EDQUOT, "Disk quota exceeded"))
    assert f"what is finished is kept in {work.path}, and the same call" in str(full)
    path = str(work.path / "unit-0")
    protected = told(work, PermissionError(errno.EACCES, "Permission denied", path))
    assert str(protected).startswith(f"Nothing may be written to {path} (Permission denied): allow")
    elsewhere = PermissionError(errno.EACCES, "Permission denied", "/elsewhere/in.tif")
    assert told(work, elsewhere) is elsewhere


def test_the_job_is_plain_json(work: WorkFolder) -> None:
    begin(work)
    assert json.loads((work.path / "job.json").read_text()) == {"format": 1, "identity": JOB}
