import pytest

from napari_unit.pace import Pace, duration_in_words, phase_in_words


def paced(*notes: tuple[str, int, float], total: int = 101_000_000) -> Pace:
    pace = Pace()
    for phase, done, now_s in notes:
        pace.take_note(phase, done, total, now_s)
    return pace


def test_the_rate_is_that_of_the_phase() -> None:
    pace = paced(("tiles", 1_000_000, 10.0), ("tiles", 21_000_000, 20.0))
    assert pace.rate_px == 2e6
    assert pace.left_s == 40.0
    assert pace.in_words() == "21 of 101 Mpx, 2.00 Mpx/s"
    assert pace.left_in_words() == "40 s left"


def test_another_phase_starts_anew() -> None:
    pace = paced(("statistics", 1, 0.0), ("statistics", 50, 1.0), ("tiles", 100, 2.0), total=9000)
    assert pace.rate_px is None
    assert pace.in_words() == "0.000 of 0.009 Mpx"
    assert pace.left_in_words() == ""


def test_what_an_earlier_run_has_done_is_no_speed() -> None:
    pace = paced(("tiles", 90_000_000, 0.0), ("tiles", 91_000_000, 1.0))
    assert pace.rate_px == 1e6


def test_nothing_is_left_in_the_end() -> None:
    assert paced(("tiles", 0, 0.0), ("tiles", 9, 9.0), total=9).left_in_words() == ""


@pytest.mark.parametrize("notes", [[("tiles", 0, 5.0), ("tiles", 9, 5.0)], [("tiles", 5, 1.0)]])
def test_no_time_is_no_rate(notes: list[tuple[str, int, float]]) -> None:
    assert paced(*notes).rate_px is None


def test_durations_need_no_more_than_two_units() -> None:
    assert duration_in_words(59.4) == "59 s"
    assert duration_in_words(3599) == "59 min 59 s"


def test_phases_have_names() -> None:
    assert phase_in_words("tiles") == "Translating"
    assert phase_in_words("another") == "another"
