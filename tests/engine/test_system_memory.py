from pathlib import Path

import psutil
import pytest

from napari_unit.engine import system_memory
from napari_unit.engine.system_memory import available_system_bytes, process_bytes


def test_memory_is_known_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    known = available_system_bytes()
    assert known is not None
    assert known > 0
    monkeypatch.setattr(system_memory, "_system_bytes", lambda: 500)
    monkeypatch.setattr(system_memory, "_cgroup_bytes", lambda: 300)
    assert available_system_bytes() == 300
    monkeypatch.setattr(system_memory, "_cgroup_bytes", lambda: None)
    assert available_system_bytes() == 500
    monkeypatch.setattr(system_memory, "_system_bytes", lambda: None)
    assert available_system_bytes() is None


@pytest.mark.parametrize(
    ("files", "left"),
    [
        ({"memory.max": "max\n", "memory.current": "5\n"}, None),
        ({"memory.max": "100\n", "memory.current": "70\n"}, 30),
        # what was read from files can be dropped
        ({"memory.max": "100\n", "memory.current": "95\n",
          "memory.stat": "anon 20\nfile 75\ninactive_file 60\n"}, 65),
        ({"memory.max": "100\n", "memory.current": "170\n", "memory.stat": "anon 1\n"}, 0),
        ({}, None),
    ],
)  # fmt: skip
def test_a_container_tells_what_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], left: int | None
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(system_memory, "CGROUP", tmp_path)
    assert system_memory._cgroup_bytes() == left


def test_where_the_system_tells_nothing_memory_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> str:
        raise OSError

    monkeypatch.setattr(Path, "read_text", refuse)
    monkeypatch.setattr(psutil, "virtual_memory", refuse)
    assert system_memory._system_bytes() is None
    assert system_memory._cgroup_bytes() is None


def test_what_this_process_holds_grows_with_what_it_takes() -> None:
    before = process_bytes()
    assert before is not None
    taken = bytearray(300 << 20)
    taken[:: 1 << 12] = b"x" * len(taken[:: 1 << 12])
    after = process_bytes()
    assert after is not None
    assert after - before > 100 << 20
