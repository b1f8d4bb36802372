import io
import logging
import time
from collections.abc import Generator

import pytest
import rich.console

from napari_unit import progress
from napari_unit.engine.run import Progress
from napari_unit.progress import Lines, Throttled, carry_out

MPX = 10**6


def job(log: list[str], steps: int = 3) -> Generator[Progress, None, str]:
    try:
        for phase in ("statistics", "tiles"):
            for i in range(steps):
                yield Progress(phase, (i + 1) * MPX, steps * MPX)
        return "result"
    finally:
        log.append("closed")


def test_the_result_comes_back_and_a_listener_hears_every_step() -> None:
    heard: list[Progress] = []
    assert carry_out(job([]), heard.append) == "result"
    assert [(p.phase, p.done) for p in heard][2:4] == [("statistics", 3 * MPX), ("tiles", MPX)]
    assert carry_out(job([]), progress=False) == "result"


def test_where_nobody_sees_the_summary_what_is_doubtful_is_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    said = {"summary": lambda result: f"There is a {result}.", "remarks": lambda _: ["It is dim."]}
    carry_out(job([]), progress=False, **said)
    assert [(r.levelname, r.message) for r in caplog.records] == [("WARNING", "It is dim.")]
    caplog.clear()
    screen = rich.console.Console(file=io.StringIO(), force_terminal=True)
    monkeypatch.setattr(rich.console, "Console", lambda **_: screen)
    carry_out(job([]), progress=True, **said)
    assert caplog.records == []


def test_an_interruption_closes_the_job_at_once() -> None:
    log: list[str] = []

    def interrupt(news: Progress) -> None:
        if news.phase == "tiles":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        carry_out(job(log), interrupt)
    assert log == ["closed"]


def test_anything_else_is_refused() -> None:
    with pytest.raises(TypeError, match="progress is 'yes'; it must be True, False or a function"):
        carry_out(job([]), "yes")  # type: ignore[arg-type]


def test_a_terminal_sees_a_bar_per_phase(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    screen = io.StringIO()
    console = rich.console.Console(file=screen, force_terminal=True, width=120)
    monkeypatch.setattr(rich.console, "Console", lambda **_: console)
    carry_out(job([], 40), progress=True, summary=lambda result: f"There is a {result}.")
    shown = screen.getvalue()
    assert "Measuring statistics" in shown
    assert "40.0 of 40.0 Mpx" in shown
    assert "There is a result." in shown


def test_elsewhere_it_is_silent_but_logged(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "napari_unit.progress"):
        carry_out(job([]), progress=True, summary=lambda result: f"There is a {result}.")
    assert capfd.readouterr() == ("", "")
    assert caplog.messages == ["There is a result."]


def test_a_command_without_a_terminal_prints_lines(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = 100.0

    def tick() -> float:
        nonlocal now_s
        now_s += 2.0
        return now_s

    monkeypatch.setattr(progress.time, "monotonic", tick)
    carry_out(job([], 4), Lines())
    lines = capfd.readouterr().err.splitlines()
    assert lines == [
        "Measuring statistics: 4.00 of 4.00 Mpx, 0.500 Mpx/s",
        "Translating: 4.00 of 4.00 Mpx, 0.500 Mpx/s",
    ]
    carry_out(job([], 9), Lines())
    assert "Translating: 4.00 of 9.00 Mpx, 0.500 Mpx/s, 10 s left" in capfd.readouterr().err


def test_millions_of_tiles_cost_nothing() -> None:
    heard: list[Progress] = []
    listen = Throttled(heard.append, interval_s=0.05)
    began_s = time.monotonic()
    for done in range(1, 10**6 + 1):
        listen(Progress("tiles", done, 10**6))
    passed_s = time.monotonic() - began_s
    assert heard[0].done == 1
    assert heard[-1].done == 10**6
    assert len(heard) <= passed_s / 0.05 + 3


def test_a_phase_is_heard_of_when_it_begins_and_when_it_ends() -> None:
    heard: list[Progress] = []
    listen = Throttled(heard.append, interval_s=1000.0)
    for phase in ("statistics", "tiles"):
        for done in (1, 2, 3, 4):
            listen(Progress(phase, done, 4))
    assert [(p.phase, p.done) for p in heard] == [
        ("statistics", 1), ("statistics", 4), ("tiles", 1), ("tiles", 4),
    ]  # fmt: skip
