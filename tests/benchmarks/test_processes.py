import pytest
from processes import largest_differences, table


def test_differences_are_relative_and_the_largest_per_step() -> None:
    one = [{"kl_a": 1.0, "cycle_a": 0.5}, {"kl_a": 2.0, "cycle_a": 0.5}]
    other = [{"kl_a": 1.0, "cycle_a": 0.4}, {"kl_a": 1.0, "cycle_a": 0.5}]
    assert largest_differences(one, one) == [0, 0]
    assert largest_differences(one, other) == pytest.approx([0.2, 0.5])


def test_the_table_has_a_row_per_step() -> None:
    assert table({"two": [1e-7, 0.5], "thread": [0.0, 2e-3]}).splitlines()[2:] == [
        "| 1 | 1.0e-07 | 0.0e+00 |",
        "| 2 | 5.0e-01 | 2.0e-03 |",
    ]
