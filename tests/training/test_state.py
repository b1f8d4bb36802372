import subprocess
import sys
from pathlib import Path

import pytest
import torch

from napari_unit_training import state as state_module
from napari_unit_training.errors import TrainingError
from napari_unit_training.state import (
    checkpoint_path,
    forget_after,
    latest_images_seen,
    load_latest,
    save_checkpoint,
)

CPU = torch.device("cpu")


def _state(images_seen: int) -> dict:
    return {"images_seen": images_seen, "networks": {"w": torch.full((5,), float(images_seen))}}


def test_what_is_saved_is_loaded(tmp_path):
    save_checkpoint(tmp_path, _state(8))
    loaded = load_latest(tmp_path, CPU)
    assert loaded is not None
    assert loaded["images_seen"] == 8
    assert torch.equal(loaded["networks"]["w"], torch.full((5,), 8.0))
    assert "format_version" not in loaded


def test_nothing_saved_is_none(tmp_path):
    assert load_latest(tmp_path / "none", CPU) is None
    assert latest_images_seen(tmp_path / "none") == 0


def test_how_far_the_newest_is_needs_no_reading(tmp_path):
    save_checkpoint(tmp_path, _state(8))
    save_checkpoint(tmp_path, _state(12), is_good=False)
    assert latest_images_seen(tmp_path) == 12


def test_the_last_two_are_kept_in_the_order_of_time(tmp_path):
    for seen in (900, 1000, 20_000):
        save_checkpoint(tmp_path, _state(seen))
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        checkpoint_path(tmp_path, seen).name for seen in (1000, 20_000)
    ]
    assert load_latest(tmp_path, CPU)["images_seen"] == 20_000


def test_a_failed_write_leaves_the_previous_one(tmp_path, monkeypatch):
    save_checkpoint(tmp_path, _state(4))

    def fill_the_disk(_state, path):
        path.write_bytes(b"half of it")
        raise OSError("No space left on device")

    monkeypatch.setattr(torch, "save", fill_the_disk)
    with pytest.raises(OSError, match="No space"):
        save_checkpoint(tmp_path, _state(8))
    assert [p.name for p in tmp_path.iterdir()] == [checkpoint_path(tmp_path, 4).name]
    assert load_latest(tmp_path, CPU)["images_seen"] == 4


KILLED = """
import os, sys, torch
from pathlib import Path
from napari_unit_training.state import save_checkpoint
folder = Path(sys.argv[1])
save_checkpoint(folder, {"images_seen": 4})
whole = torch.save
def half(state, path):
    whole(state, path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    os._exit(9)
torch.save = half
save_checkpoint(folder, {"images_seen": 8})
"""


def test_a_kill_in_the_middle_of_a_write_leaves_the_previous_one(tmp_path):
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    assert done.returncode == 9
    assert len(list(tmp_path.iterdir())) == 2  # the whole one and the half of the other
    assert load_latest(tmp_path, CPU) == {"images_seen": 4}


def test_a_damaged_file_falls_back_to_the_one_before(tmp_path):
    save_checkpoint(tmp_path, _state(4))
    newest = save_checkpoint(tmp_path, _state(8))
    newest.write_bytes(newest.read_bytes()[:-300])
    assert load_latest(tmp_path, CPU)["images_seen"] == 4


def test_only_damaged_files_raise_a_sentence(tmp_path):
    save_checkpoint(tmp_path, _state(4)).write_bytes(b"")
    with pytest.raises(TrainingError, match=r"No checkpoint in .* can be read: images-0000000004"):
        load_latest(tmp_path, CPU)


class Mischief:
    def __reduce__(self):
        return (print, ("executed",))


def test_loading_executes_nothing(tmp_path, capsys):
    path = checkpoint_path(tmp_path, 4)
    torch.save({"format_version": 1, "images_seen": Mischief()}, path)
    with pytest.raises(TrainingError, match="can be read"):
        load_latest(tmp_path, CPU)
    assert "executed" not in capsys.readouterr().out


def test_another_format_version_is_refused(tmp_path):
    torch.save({"format_version": 99}, checkpoint_path(tmp_path, 4))
    with pytest.raises(TrainingError, match="not a checkpoint of this version"):
        load_latest(tmp_path, CPU)


def test_the_last_good_one_is_kept_beside_the_last_two(tmp_path):
    save_checkpoint(tmp_path, {"images_seen": 1})
    save_checkpoint(tmp_path, {"images_seen": 2})
    for seen in (3, 4, 5):
        save_checkpoint(tmp_path, {"images_seen": seen}, is_good=False)
    assert len(list(tmp_path.iterdir())) == 3
    assert load_latest(tmp_path, CPU)["images_seen"] == 5
    assert load_latest(tmp_path, CPU, good_only=True)["images_seen"] == 2
    forget_after(tmp_path, 2)
    assert load_latest(tmp_path, CPU)["images_seen"] == 2


def test_what_is_forgotten_is_later_or_doubtful(tmp_path):
    for seen, is_good in ((8, True), (12, False), (16, False)):
        save_checkpoint(tmp_path, {"images_seen": seen}, is_good=is_good)
    save_checkpoint(tmp_path, {"images_seen": 8})  # where the run has gone back to
    forget_after(tmp_path, 8)
    assert [path.name for path in tmp_path.iterdir()] == ["images-0000000008.pt"]
    checkpoint_path(tmp_path, 8, is_good=False).write_text("")
    forget_after(tmp_path, 8)
    assert [path.name for path in tmp_path.iterdir()] == ["images-0000000008.pt"]


def test_what_was_just_written_is_kept_whatever_else_there_is(tmp_path):
    save_checkpoint(tmp_path, {"images_seen": 4})
    for seen, is_good in ((8, True), (12, False), (16, False)):
        checkpoint_path(tmp_path, seen, is_good=is_good).write_text("damaged")
    save_checkpoint(tmp_path, {"images_seen": 4})
    assert load_latest(tmp_path, CPU, good_only=True)["images_seen"] == 4


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a disk that is full")
def test_a_full_disk_is_a_sentence(tmp_path, monkeypatch):
    save = torch.save
    monkeypatch.setattr(state_module.torch, "save", lambda state, _: save(state, "/dev/full"))
    with pytest.raises(OSError, match=r"checkpoint images-.* cannot be written .*; make room"):
        save_checkpoint(tmp_path, _state(4))
    assert list(tmp_path.iterdir()) == []
