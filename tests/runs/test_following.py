import os
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock, Timeout
from hypothesis import given
from hypothesis import strategies as st

from napari_unit.runs.event_lines import to_json_line
from napari_unit.runs.events import Progress, Started, Stopped
from napari_unit.runs.following import Follower, is_at_work


def line(seen: int) -> bytes:
    return to_json_line(Stopped(seen)).encode() + b"\n"


def seen(news):
    return [told.event.images_seen for told in news.told]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.jsonl"


def test_before_anything_is_told_there_is_no_news(path):
    news = Follower(path).read()
    assert (news.told, news.starts_over) == ((), False)


def test_each_event_is_read_once(path):
    follower = Follower(path)
    path.write_bytes(line(1) + line(2))
    assert seen(follower.read()) == [1, 2]
    assert seen(follower.read()) == []
    with path.open("ab") as file:
        file.write(line(3))
    assert seen(follower.read()) == [3]


@given(cuts=st.lists(st.integers(0, 300), max_size=6))
def test_however_a_file_grows_its_events_come_once_and_in_order(tmp_path_factory, cuts):
    path = tmp_path_factory.mktemp("run") / "events.jsonl"
    whole = b"".join(map(line, range(7)))
    follower, found = Follower(path), []
    for end in [*sorted(cuts), len(whole)]:
        path.write_bytes(whole[:end])  # the last line is torn as it is while it is written
        news = follower.read()
        assert not news.starts_over
        found += seen(news)
    assert found == list(range(7))


def test_a_torn_line_in_the_middle_is_passed_over(path):
    path.write_bytes(line(1) + b'{"event": "Prog' + b"\n" + line(2))
    assert seen(Follower(path).read()) == [1, 2]


@pytest.mark.parametrize(
    "after",
    [
        line(1),  # cut off
        line(1) + line(5) + line(6) + line(7) + line(8),  # longer than before, and other
        b"",
    ],
)
def test_a_run_that_is_taken_back_starts_over(path, after):
    follower = Follower(path)
    path.write_bytes(line(1) + line(2) + line(3))
    follower.read()
    rewound = path.with_name("partial")
    rewound.write_bytes(after)
    os.replace(rewound, path)
    news = follower.read()
    assert news.starts_over
    assert seen(news) == seen(Follower(path).read())


def test_a_file_that_is_removed_starts_over_once(path):
    follower = Follower(path)
    path.write_bytes(line(1))
    follower.read()
    path.unlink()
    assert follower.read().starts_over
    assert not follower.read().starts_over
    path.write_bytes(line(4))
    assert seen(follower.read()) == [4]


def test_names_of_any_letters_come_through(path):
    started = Started(0, 9, "cpu", "float32", ("Färbung", "蛍光"), (1, 2), ())
    path.write_text(to_json_line(started) + "\n", "utf-8")
    (told,) = Follower(path).read().told
    assert told.event.domains == ("Färbung", "蛍光")


def test_reading_a_long_story_piece_by_piece_reads_each_byte_about_once(path, monkeypatch):
    report = to_json_line(Progress(4, 9, {"cycle_a": 0.5}, 1e-4, 2.0, 2.5)).encode() + b"\n"
    follower, sizes = Follower(path), []
    for _ in range(50):
        with path.open("ab") as file:
            file.write(report)
        sizes.append(len(follower.read().told))
    assert sizes == [1] * 50
    assert follower._offset == path.stat().st_size


# -- whether a process is at it -----------------------------------------------------------------

HOLD = """
import sys
from filelock import FileLock
lock = FileLock(sys.argv[1])
lock.acquire()
print("held", flush=True)
sys.stdin.read()
"""


def test_nobody_is_at_work_where_there_is_no_lock(tmp_path):
    assert not is_at_work(tmp_path / ".lock")
    assert not (tmp_path / ".lock").exists(), "looking made a file"


def test_a_lock_is_seen_while_its_process_lives_and_no_longer(tmp_path):
    lock = tmp_path / ".lock"
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(lock)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"held\n"
        assert is_at_work(lock)
        assert is_at_work(lock), "looking let go of it"
        with pytest.raises(Timeout):
            FileLock(lock).acquire(blocking=False)
        child.kill()
    assert not is_at_work(lock)


def test_looking_takes_nothing_away(tmp_path):
    lock = FileLock(tmp_path / ".lock")
    lock.acquire()
    lock.release()
    assert not is_at_work(tmp_path / ".lock")
    lock.acquire(blocking=False)
    assert is_at_work(tmp_path / ".lock")
    lock.release()
