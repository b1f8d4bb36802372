from hypothesis import given
from hypothesis import strategies as st

from napari_unit._widget.pace import Pace, duration_in_words


def paced(*notes: tuple[str, int, float]) -> Pace:
    pace = Pace()
    for note in notes:
        pace.take_note(*note)
    return pace


def test_speed_and_time_left_follow_from_what_was_done_since_the_phase_began() -> None:
    pace = paced(("tiles", 1, 10.0), ("tiles", 21, 20.0))
    assert pace.rate == 2.0
    assert pace.steps_in_words(101) == "21 of 101 tiles, 2.0 tiles/s"
    assert pace.time_left_in_words(101) == "40 s left"


def test_a_new_phase_starts_the_measurement_anew() -> None:
    pace = paced(("statistics", 1, 0.0), ("statistics", 50, 1.0), ("tiles", 1, 2.0))
    assert pace.rate is None
    assert pace.steps_in_words(9) == "1 of 9 tiles"
    assert pace.time_left_in_words(9) == ""


def test_no_time_is_left_at_the_end() -> None:
    assert paced(("tiles", 0, 0.0), ("tiles", 9, 9.0)).time_left_in_words(9) == ""


def test_nothing_is_divided_by_a_time_of_zero() -> None:
    assert paced(("tiles", 0, 5.0), ("tiles", 9, 5.0)).rate is None


@given(st.floats(0.0, 1e6))
def test_a_duration_in_words_is_near_the_duration(seconds: float) -> None:
    number = {"s": 1, "min": 60, "h": 3600}
    parts = duration_in_words(seconds).split()
    told = sum(int(n) * number[unit] for n, unit in zip(parts[::2], parts[1::2], strict=True))
    assert abs(told - seconds) <= (60 if "h" in parts else 1)
