import os
from pathlib import Path

import pytest

from napari_unit import atomic
from napari_unit.atomic import written_whole


def test_a_file_appears_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    with written_whole(path) as partial:
        partial.write_bytes(b"1")
        assert not path.exists()
    assert path.read_bytes() == b"1"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")

    def fail() -> None:
        with written_whole(path) as partial:
            partial.write_bytes(b"ne")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_another_program_has_open_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So it is on Windows alone; elsewhere there is nothing to wait for."""
    replace, refused = Path.replace, []

    def held(self: Path, target: Path) -> Path:
        if len(refused) < 2:
            refused.append(target)
            raise PermissionError(13, "Access is denied", str(target))
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", held)
    path = tmp_path / "a.txt"
    if os.name != "nt":
        with pytest.raises(PermissionError), written_whole(path) as partial:
            partial.write_text("new", "utf-8")
        assert os.listdir(tmp_path) == []
        refused.clear()
    monkeypatch.setattr(atomic, "_WAITS_S", (0.0, 0.0, 0.0))
    with written_whole(path) as partial:
        partial.write_text("new", "utf-8")
    assert path.read_text("utf-8") == "new"
    assert len(refused) == 2
    refused.clear()
    monkeypatch.setattr(atomic, "_WAITS_S", (0.0,))
    with pytest.raises(PermissionError), written_whole(path) as partial:
        partial.write_text("newer", "utf-8")
    assert path.read_text("utf-8") == "new"
    assert os.listdir(tmp_path) == ["a.txt"]
