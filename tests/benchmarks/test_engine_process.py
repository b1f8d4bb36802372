from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("engine_process", reason="benchmarks/ is in the repository only")

from engine_case import Case, write_case
from engine_process import Order, measure, prepare

SHAPE = (1, 64, 64)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    image = np.random.default_rng(0).integers(0, 255, SHAPE, dtype=np.uint8)
    write_case(tmp_path, Case("image", SHAPE, "uint8", None, 2, 0, "a", "b"), image)
    return tmp_path


def test_a_process_reports_what_it_took_and_leaves_its_pixels(folder: Path) -> None:
    made = measure(Order(str(folder), "loop 256", 1, str(folder / "found.npy")))
    assert made["seconds"] > 0
    assert made["peak_bytes"] >= 0
    assert made["borders"] == [[0], [0]]
    assert np.load(folder / "found.npy").shape == SHAPE


def test_a_method_that_fails_ends_the_benchmark(folder: Path) -> None:
    with pytest.raises(SystemExit, match="loop 256 has failed"):
        measure(Order(str(folder / "nowhere"), "loop 256", 1))
    with pytest.raises(SystemExit, match="There is no method 'ours, best'"):
        prepare(Order(str(folder), "ours, best", 1))
