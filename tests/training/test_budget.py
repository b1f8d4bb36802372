import pytest

from napari_unit_training import budget
from napari_unit_training.budget import TimeBudget


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr(budget.time, "monotonic", lambda: now[0])
    return now


def settled(made: TimeBudget, clock: list[float], first_s: float, step_s: float) -> tuple[int, int]:
    """Step in batches of 2 until the length is known; return it and the images seen."""
    seen = 0
    while True:
        clock[0] += first_s if seen < 4 else step_s
        seen += 2
        total = made.images_in_all(seen, 2)
        if total is not None:
            return total, seen


def test_the_length_follows_from_the_speed_without_the_slow_first_steps(clock) -> None:
    total, seen = settled(TimeBudget(10), clock, first_s=20.0, step_s=0.5)
    # 40 s for the first two steps, then 2 images per 0.5 s until 600 s are over
    assert total == pytest.approx(4 + 560 / 0.5 * 2, abs=4)
    assert seen < 0.1 * total
    assert total % 2 == 0


def test_a_time_that_is_over_at_once_ends_the_run(clock) -> None:
    assert settled(TimeBudget(0.01), clock, first_s=20.0, step_s=0.5) == (2, 2)


def test_time_before_an_interruption_counts(clock) -> None:
    whole, _ = settled(TimeBudget(10), clock, first_s=0.5, step_s=0.5)
    half, _ = settled(TimeBudget(10, spent_s=300.0), clock, first_s=0.5, step_s=0.5)
    assert half == pytest.approx(whole / 2, rel=0.02)


def test_a_pause_is_not_counted(clock) -> None:
    made = TimeBudget(10)
    for seen in (2, 4, 6):
        clock[0] += 1.0
        assert made.images_in_all(seen, 2) is None
    clock[0] += 400.0
    made.leave_out(400.0)
    total, _ = settled(made, clock, first_s=1.0, step_s=1.0)
    assert total == pytest.approx(2 * 597, rel=0.02)
