import pytest

pytest.importorskip("results_file", reason="benchmarks/ is in the repository only")

import results_file


def test_spread_is_median_and_range() -> None:
    assert results_file.spread([0.1, 0.3, 0.2]) == "0.200 (0.100–0.300)"
    assert results_file.spread([0.25], 2) == "0.25"
