import pytest
import torch

pytest.importorskip("matrix_rate", reason="benchmarks/ is in the repository only")

from matrix_rate import matrix_rate


def test_the_rate_is_one_of_a_computer() -> None:
    rate = matrix_rate(torch.device("cpu"), torch.float32, seconds=0.05)
    assert 0.1 < rate < 1e6
