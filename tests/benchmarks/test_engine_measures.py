from typing import Any

import numpy as np
import pytest

pytest.importorskip("engine_measures", reason="benchmarks/ is in the repository only")

from engine_measures import (
    compare,
    derived,
    folded_gflop_per_px,
    growth,
    speed_table,
    whole_pass_bytes,
    window_borders,
)
from tiled_vs_whole import random_network


def test_the_arithmetic_is_that_counted_by_hand() -> None:
    # stem and head 147 c each, two times 8 c² down, 144 c² in the residual blocks, two times
    # 18 c² up, where four 3x3 stand for 5x5: 53.85 GMAC for 256 x 256 px at c = 64
    for width in (16, 64):
        per_px = folded_gflop_per_px(random_network(3, width, 0).steps("a", "b"))
        assert per_px * 1e9 / 2 == pytest.approx(294 * width + 196 * width**2)
    assert per_px * 256**2 / 2 == pytest.approx(53.85, rel=1e-3)


def test_a_whole_pass_needs_most_in_its_last_upsampling() -> None:
    # 0.5 maps of `width` channels in, 2 upsampled, 2 padded, 2 in the layout of the convolution
    needed = whole_pass_bytes(random_network(3, 16, 0).steps("a", "b"), (512, 512))
    assert needed == 4 * 512**2 * 16 * 6.5


def test_differences_and_seams_are_counted_apart() -> None:
    expected = np.zeros((1, 32, 32), np.float32)
    found = expected.copy()
    found[:, 16:] = 0.5
    numbers = compare(found, expected, ([16], []))
    assert numbers["max_error"] == 0.5
    assert numbers["mean_error"] == 0.25
    assert numbers["seam_excess"] == pytest.approx(0.5 * 127.5)
    assert numbers["seam_of_reference"] == 0.0
    assert compare(found, None, ([], [])) == {"n_not_finite": 0, "seam_excess": None}


def made_round(number: int, seconds: float) -> dict[str, Any]:
    return {
        "round": number, "seconds": seconds, "cpu_seconds": 2 * seconds, "peak_bytes": 5e8,
        "matrix_rates": [40.0, 60.0],
    }  # fmt: skip


def test_methods_are_compared_within_a_round() -> None:
    case: dict[str, Any] = {
        "n_px": 2_000_000,
        "gflop_per_px": 1e-5,
        "methods": {
            "ours": {
                "rounds": [made_round(0, 1.0), made_round(1, 4.0)],
                "max_error": 1e-5,
                "seam_excess": -0.004,
            },
            "MONAI default": {
                "rounds": [made_round(0, 2.0), made_round(1, 4.0)],
                "seam_excess": 3.0,
            },
            "other": {"rounds": [], "left_out": "other is not installed."},
        },
    }
    derived(case)
    assert case["methods"]["ours"]["times_baseline"] == [2.0, 1.0]
    assert case["methods"]["ours"]["mpx_per_second"] == [2.0, 0.5]
    assert case["methods"]["ours"]["share_of_matrix_rate"] == [0.4, 0.1]
    ours, monai, other = speed_table(case).splitlines()[2:]
    assert ours == (
        "| ours | 2.5 (1.0–4.0) | 1.25 (0.5–2) | 1.50 (1.00–2.00) | 25% (10%–40%) | 0.50 | 1e-05 "
        "| -0.00 |"
    )
    assert monai.endswith("| – | +3.00 |")
    assert other.startswith("| other | other is not installed. |")


def test_without_the_baseline_no_ratio_is_shown() -> None:
    method = {"rounds": [made_round(0, 1.0)], "seam_excess": None}
    case: dict[str, Any] = {"n_px": 1_000_000, "gflop_per_px": 1e-5, "methods": {"ours": method}}
    derived(case)
    assert case["methods"]["ours"]["times_baseline"] == []
    assert "| – |" in speed_table(case)


def test_what_is_proportional_to_the_pixels_grows_with_their_first_power() -> None:
    found = growth([(1e6, 2.0), (4e6, 8.0), (16e6, 32.0)])
    assert found["exponent"] == pytest.approx(1.0)
    assert found["per_px"] == pytest.approx(2e-6)
    assert found["largest_deviation"] == pytest.approx(0.0, abs=1e-12)
    assert growth([(1e6, 3.0), (4e6, 3.0)])["exponent"] == pytest.approx(0.0, abs=1e-12)


def test_windows_border_where_they_begin_and_end() -> None:
    assert window_borders([0, 30, 60], 40, 100) == [30, 40, 60, 70]
