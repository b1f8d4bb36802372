import threading

import pytest

from napari_unit._widget.errands import UNDERWAY, Errand, Step, once

pytestmark = pytest.mark.qt


@pytest.fixture
def told(qtbot):
    """Return a function that runs a job to its end: all that it told, in order."""

    def run(job, meanwhile=lambda errand: None):
        found = []
        main = threading.current_thread()

        def hear(kind):
            def note(*values):
                assert threading.current_thread() is main
                found.append((kind, *values))

            return note

        errand = Errand(job)
        for kind in ("told", "succeeded", "failed", "ended"):
            getattr(errand, kind).connect(hear(kind))
        errand.start()
        meanwhile(errand)
        qtbot.waitUntil(lambda: errand not in UNDERWAY, timeout=10_000)
        return found

    return run


def test_what_it_returns_comes_before_its_end(told):
    assert told(once(lambda: 7)) == [("succeeded", 7), ("ended",)]


def test_it_runs_on_another_thread(told):
    ((_, thread), _) = told(once(threading.current_thread))
    assert thread is not threading.current_thread()


def test_news_come_in_order_and_not_too_often(told):
    def job():
        for n in range(1000):
            yield Step("counting", n, 1000)
            yield None
        yield "a word"

    found = told(job)
    assert found[0] == ("told", Step("counting", 0, 1000))
    assert 3 <= len(found) < 100
    assert found[-3:] == [("told", "a word"), ("succeeded", None), ("ended",)]


@pytest.mark.parametrize("error", [ValueError, OSError, MemoryError])
def test_a_refusal_is_a_sentence(told, error):
    def refuse():
        raise error("There is no such image.")

    ((kind, trouble), end) = told(once(refuse))
    assert (kind, end) == ("failed", ("ended",))
    assert trouble.sentence == "There is no such image."


def test_a_fault_is_told_to_napari_as_well(told, monkeypatch):
    from napari.utils.notifications import notification_manager

    seen = []
    monkeypatch.setattr(notification_manager, "receive_error", lambda kind, *_: seen.append(kind))

    def fail():
        raise KeyError("x")

    ((kind, trouble), _) = told(once(fail))
    assert (kind, seen) == ("failed", [KeyError])
    assert trouble.sentence == "This failed unexpectedly (KeyError: 'x')."


def test_a_canceled_one_ends_and_says_nothing_else(told):
    closed = []
    reached, go_on = threading.Event(), threading.Event()

    def job():
        try:
            yield None
            reached.set()
            assert go_on.wait(10)
            yield "too late"
        finally:
            closed.append(threading.current_thread())

    def cancel(errand):
        assert reached.wait(10)
        errand.cancel()
        go_on.set()

    assert told(job, cancel) == [("told", "too late"), ("ended",)]
    assert closed
    assert closed[0] is not threading.current_thread()


def test_an_abandoned_one_tells_nobody(told):
    assert told(once(lambda: 7), lambda errand: errand.abandon()) == []
