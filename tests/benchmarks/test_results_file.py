import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("results_file", reason="benchmarks/ is in the repository only")

import results_file


def test_spread_is_median_and_range() -> None:
    assert results_file.spread([0.1, 0.3, 0.2]) == "0.200 (0.100–0.300)"
    assert results_file.spread([0.25], 2) == "0.25"


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss has no such trouble elsewhere")
def test_peak_memory_is_that_of_the_process_and_not_of_the_one_that_started_it() -> None:
    ballast = np.ones(50_000_000)
    assert results_file.peak_resident() > ballast.nbytes
    told = subprocess.run(
        [sys.executable, "-c", "from results_file import peak_resident; print(peak_resident())"],
        capture_output=True,
        check=True,
        cwd=Path(results_file.__file__).parent,
    )
    assert 1_000_000 < int(told.stdout) < ballast.nbytes
