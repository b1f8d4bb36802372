import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_unit_training.schedule import learning_rate_factor


@given(st.integers(0, 1000), st.floats(0, 1))
def test_the_learning_rate_is_constant_and_then_falls_in_a_line(seen, fraction):
    factor = learning_rate_factor(seen, 1000, fraction)
    left, falling = 1000 - seen, fraction * 1000
    if left >= falling:
        assert factor == 1.0
    else:
        assert factor == pytest.approx(left / falling)


def test_learning_rates_are_halved_again_and_again():
    factors = [learning_rate_factor(seen, 1000, 0.0, 300) for seen in (0, 299, 300, 899, 900)]
    assert factors == [1.0, 1.0, 0.5, 0.25, 0.125]
    assert learning_rate_factor(900, 1000, 0.5, 300) == pytest.approx(0.125 * 0.2)
