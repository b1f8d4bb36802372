from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("engine_scaling", reason="benchmarks/ is in the repository only")

import engine_scaling
from engine_process import Order


def test_sizes_are_measured_in_turn_and_their_growth_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, int]] = []

    def measure(order: Order) -> dict[str, Any]:
        asked.append((order.method, order.side))
        if order.method == "ours, whole" and order.side > 200:
            return {"left_out": "Too little memory."}
        return {"seconds": order.side**2 * 1e-6, "peak_bytes": 3e8}

    monkeypatch.setattr(engine_scaling, "measure", measure)
    found = engine_scaling.measure_scaling(tmp_path, [0.04, 0.16], ["image", "whole"], 2, 1)
    assert asked[0] == ("ours, image", 200)
    assert [side for _, side in asked] == [200, 200, 400, 400, 400, 400, 200, 200]
    assert found["image"]["growth_of_seconds"]["exponent"] == pytest.approx(1.0)
    assert found["image"]["growth_of_peak_bytes"]["exponent"] == pytest.approx(0.0, abs=1e-9)
    assert "growth_of_seconds" not in found["whole"]
    table = engine_scaling.scaling_table(found)
    assert "| `image` | 0.2 | 0.2 (0.2–0.2) | 1.000 (1.000–1.000) | 0.30 |" in table
    assert "Too little memory." in table
    assert "`image`: time grows with the 1.00th power" in table
