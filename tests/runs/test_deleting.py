"""Folders of trainings that are removed, and all that must not be."""

import os
import shutil
from pathlib import Path

import pytest
from filelock import FileLock
from run_folders import END, REPORT, START, write_run

from napari_unit.runs import deleting
from napari_unit.runs.deleting import delete_run, folder_bytes
from napari_unit.runs.events import Stopped
from napari_unit.runs.files import RunFiles
from napari_unit.runs.listing import RunList


@pytest.fixture
def root(tmp_path):
    return tmp_path / "runs"


def everything(folder: Path) -> set[str]:
    """Return what is in a folder, but for locks: Windows removes them with their last holder."""
    found = {str(path.relative_to(folder)) for path in folder.rglob("*")}
    return {name for name in found if not name.endswith(".lock")}


@pytest.mark.parametrize("events", [(START, REPORT, END), (START, REPORT, Stopped(50)), (START,)])
def test_a_training_that_does_not_run_is_removed_and_no_other(root, events):
    files = write_run(root / "one", *events)
    files.checkpoints.mkdir()
    (files.checkpoints / "images-9.pt").write_bytes(b"x" * 1000)
    write_run(root / "other", START)
    others = everything(root / "other")
    delete_run(files, root)
    assert [path.name for path in root.iterdir()] == ["other"]
    assert everything(root / "other") == others
    assert [view.name for view in RunList(root).look()] == ["other"]


def test_one_that_runs_is_refused(root):
    files = write_run(root / "one", START, REPORT)
    before = everything(root)
    with (
        FileLock(files.lock_path),
        pytest.raises(ValueError, match="The training 'one' runs; stop it first"),
    ):
        delete_run(files, root)
    assert everything(root) == before


def test_one_that_is_being_started_is_refused(root):
    files = write_run(root / "one", begun=False)  # by another napari, a moment ago
    with pytest.raises(ValueError, match="The training 'one' runs; stop it first"):
        delete_run(files, root)
    assert files.sources_path.is_file()


def test_one_that_is_started_at_this_moment_is_put_back(root, monkeypatch):
    files = write_run(root / "one", START, REPORT)
    before = everything(root)
    put_in_place, lock = deleting.put_in_place, FileLock(files.lock_path)

    def start_and_move(made, path):
        if not lock.is_locked:
            lock.acquire()
        put_in_place(made, path)

    monkeypatch.setattr(deleting, "put_in_place", start_and_move)
    # Windows does not move a folder with a file that is locked
    with pytest.raises(ValueError, match=r"'one' runs; stop it first|one cannot be deleted"):
        delete_run(files, root)
    lock.release()
    assert everything(root) == before


def test_other_folders_are_refused(root, tmp_path):
    write_run(root / "one", START)
    (root / "holiday").mkdir()
    (root / "holiday" / "beach.tif").write_bytes(b"x")
    elsewhere = write_run(tmp_path / "elsewhere", START).path
    inside = write_run(root / "one" / "images" / "run", START).path
    before = everything(tmp_path)
    for path, sentence in (
        (root / "holiday", "There is no training in"),
        (root / "gone", "There is no training in"),
        (elsewhere, "Only trainings that lie in .* are deleted here"),
        (inside, "Only trainings that lie in"),
        (root, "Only trainings that lie in"),
        (root / "one" / "..", "Only trainings that lie in"),
        (root / ".." / "elsewhere", "Only trainings that lie in"),
    ):
        with pytest.raises(ValueError, match=sentence):
            delete_run(RunFiles(path), root)
    assert everything(tmp_path) == before


def test_links_are_not_followed(root, tmp_path):
    elsewhere = write_run(tmp_path / "elsewhere", START)
    files = write_run(root / "one", START)
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "mine.tif").write_bytes(b"x" * 5000)
    before = folder_bytes(files.path)
    try:
        (root / "link").symlink_to(elsewhere.path, target_is_directory=True)
        (root / "other name").symlink_to(files.path, target_is_directory=True)
        files.images.symlink_to(tmp_path / "images", target_is_directory=True)
        (files.path / "mine.tif").symlink_to(tmp_path / "images" / "mine.tif")
    except OSError:
        pytest.skip("Windows lets not everybody make links")
    assert folder_bytes(files.path) - before < 1000
    for name in ("link", "other name"):
        with pytest.raises(ValueError, match="Only trainings that lie in"):
            delete_run(RunFiles(root / name), root)
    assert elsewhere.settings_path.is_file()
    delete_run(files, root)
    assert not files.path.exists()
    assert (tmp_path / "images" / "mine.tif").stat().st_size == 5000
    assert elsewhere.settings_path.is_file()


def test_the_folder_of_the_trainings_may_be_a_link_itself(root, tmp_path):
    files = write_run(tmp_path / "large disk" / "one", START)
    try:
        root.symlink_to(files.path.parent, target_is_directory=True)
    except OSError:
        pytest.skip("Windows lets not everybody make links")
    delete_run(RunFiles(root / "one"), root)
    assert list(root.iterdir()) == []


def test_a_folder_that_cannot_be_moved_stays_whole(root, monkeypatch):
    files = write_run(root / "one", START)
    before = everything(root)

    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(deleting, "put_in_place", refuse)
    with pytest.raises(
        ValueError, match=r"cannot be deleted .*Permission denied.*; close what has"
    ):
        delete_run(files, root)
    assert everything(root) == before


def test_what_cannot_be_removed_is_named_and_is_no_training_any_more(root, monkeypatch):
    files = write_run(root / "one", START)

    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", refuse)
        with pytest.raises(ValueError, match=r"A part of the training 'one' .* left of it is in"):
            delete_run(files, root)
    (left,) = root.iterdir()
    assert left.name.startswith(deleting.DELETED_PREFIX)
    assert RunList(root).look() == []


def test_a_new_training_may_have_the_name_of_one_that_is_deleted(root, monkeypatch):
    from napari_unit.runs import starting

    class Ended:
        def poll(self):
            return 1

    files = write_run(root / "one", START)
    monkeypatch.setitem(starting._CHILDREN, files.path, Ended())
    delete_run(files, root)
    again = starting.make_run_folder(root, "one")
    assert again.path == files.path
    assert starting.exit_code(again) is None


def test_what_a_folder_holds_is_counted(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "one").write_bytes(b"x" * 10)
    (tmp_path / "a" / "two").write_bytes(b"x" * 5)
    assert folder_bytes(tmp_path) == 15
    assert folder_bytes(tmp_path / "gone") == 0
    assert os.listdir(tmp_path) == ["a"]
