"""Trainings that are deleted, with the question that is asked before."""

import pytest
from filelock import FileLock
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication, QMessageBox
from run_folders import END, REPORT, START, write_run

from napari_unit._widget.training import deleting

pytestmark = pytest.mark.qt


@pytest.fixture
def two(bench, root):
    """Return a function that sits down before two trainings that have ended, at the first."""

    def sit_down():
        for name in ("one", "other"):
            write_run(root / name, START, REPORT, END)
        (root / "one" / "last.safetensors").write_bytes(b"x" * 2_500_000)
        at = bench()
        at.wait(lambda: len(at.panel.run_list.views) == 2)
        assert at.panel.run_list.choose(root / "one")
        return at

    return sit_down


def question(at):
    """Wait for the question; return it and its buttons by name."""
    at.wait(lambda: at.widget.findChildren(QMessageBox))
    (box,) = at.widget.findChildren(QMessageBox)
    return box, {button.text().replace("&", ""): button for button in box.buttons()}


def names(at):
    return [view.name for view in at.panel.run_list.views]


def test_a_training_is_deleted_after_a_question_that_names_it(two, root):
    at = two()
    at.click(at.panel.delete_button)
    box, buttons = question(at)
    assert box.text() == "Delete the training 'one'?"
    assert f"The folder {root / 'one'} and all that is in it, 3 MB, are removed" in (
        box.informativeText()
    )
    assert (root / "one").is_dir(), "removed before the answer"
    at.click(buttons["Delete"])
    at.wait(lambda: names(at) == ["other"])
    assert [path.name for path in root.iterdir()] == ["other"]
    assert at.view.name == "other"
    assert at.panel.run_list.count() == 1
    at.wait(lambda: not at.widget.findChildren(QMessageBox))


def test_without_a_yes_everything_stays(two, root):
    at = two()
    for leave in (
        lambda box, buttons: at.click(buttons["Cancel"]),
        lambda box, buttons: at.qtbot.keyClick(box, Qt.Key.Key_Escape),
        lambda box, buttons: at.qtbot.keyClick(box, Qt.Key.Key_Return),  # the default
        lambda box, buttons: box.close(),
    ):
        at.click(at.panel.delete_button)
        leave(*question(at))
        at.wait(lambda: not at.widget.findChildren(QMessageBox))
        at.qtbot.wait(50)
        assert (root / "one" / "last.safetensors").is_file()
    assert sorted(names(at)) == ["one", "other"]


def test_it_is_done_with_the_keyboard_alone(two, root):
    at = two()
    at.qtbot.keyClick(at.panel.run_list, Qt.Key.Key_Delete)
    _, buttons = question(at)
    assert buttons["Delete"].focusPolicy() & Qt.FocusPolicy.TabFocus
    at.qtbot.keyClick(buttons["Delete"], Qt.Key.Key_Space)
    at.wait(lambda: names(at) == ["other"])
    assert at.panel.use_button.nextInFocusChain() is at.panel.delete_button
    assert at.panel.delete_button.focusPolicy() & Qt.FocusPolicy.TabFocus
    at.qtbot.keyClick(at.panel.delete_button, Qt.Key.Key_Return)
    _, buttons = question(at)
    at.qtbot.keyClick(buttons["Delete"], Qt.Key.Key_Return)
    at.wait(lambda: names(at) == [])
    assert list(root.iterdir()) == []
    assert not at.panel.empty_note.isHidden()
    assert not at.panel.delete_button.isEnabled()


def test_one_that_runs_is_not_deleted(two, root):
    at = two()
    with FileLock(root / "one" / ".lock"):
        at.wait(lambda: at.view.is_at_work)
        assert not at.panel.delete_button.isEnabled()
        at.qtbot.keyClick(at.panel.run_list, Qt.Key.Key_Delete)
        at.qtbot.wait(50)
        assert not at.widget.findChildren(QMessageBox)
    at.wait(at.panel.delete_button.isEnabled)


def test_one_that_was_resumed_while_the_question_was_open_stays(two, root):
    at = two()
    at.click(at.panel.delete_button)
    _, buttons = question(at)
    with FileLock(root / "one" / ".lock"):
        at.click(buttons["Delete"])
        at.wait(lambda: at.widget.runs.status.kind == "error")
    assert at.widget.runs.status.message.text() == "The training 'one' runs; stop it first."
    assert (root / "one" / "last.safetensors").is_file()


def test_a_training_in_another_folder_is_refused_without_a_question(bench, tmp_path):
    files = write_run(tmp_path / "elsewhere", START, REPORT, END)
    at = bench()
    at.widget.runs._runs.open(files.path)
    at.wait(lambda: at.view is not None)
    at.click(at.panel.delete_button)
    at.wait(lambda: at.widget.runs.status.kind == "error")
    assert "Only trainings that lie in" in at.widget.runs.status.message.text()
    assert not at.widget.findChildren(QMessageBox)
    assert files.settings_path.is_file()


def test_the_viewer_is_free_meanwhile_and_a_second_click_asks_nothing(two, monkeypatch):
    at = two()
    asked = []

    def measured(files, root):
        asked.append(files)
        return 5

    monkeypatch.setattr(deleting, "_measured", measured)
    at.click(at.panel.delete_button)
    at.click(at.panel.delete_button)
    _, buttons = question(at)
    assert len(asked) == 1
    at.click(buttons["Cancel"])


def test_a_dock_that_is_closed_meanwhile_asks_nothing(two, root):
    at = two()
    at.click(at.panel.delete_button)
    at.close_dock()
    at.qtbot.wait(200)
    assert not [box for box in QApplication.topLevelWidgets() if isinstance(box, QMessageBox)]
    assert (root / "one").is_dir()
