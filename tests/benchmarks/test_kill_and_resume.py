"""The benchmark itself in small; the figures are in ``benchmarks/results``."""

import subprocess
from pathlib import Path

from kill_and_resume import command, differences, killed_run, prepare, told


def test_a_run_that_is_killed_ends_as_if_nothing_had_happened(tmp_path: Path) -> None:
    prepare(tmp_path)
    subprocess.run(command(tmp_path, tmp_path / "whole", 240), check=True, capture_output=True)
    outcome = killed_run(tmp_path, tmp_path / "killed", 240, n_kills=2, seed=1)
    assert outcome.n_kills >= 1
    assert differences(tmp_path / "whole", tmp_path / "killed") == []
    assert len(told(tmp_path / "whole", "Progress", "losses")) == 40
    assert len(told(tmp_path / "whole", "QualityMeasured", "score")) == 6
    other = tmp_path / "other"
    subprocess.run(command(tmp_path, other, 120), check=True, capture_output=True)
    assert differences(tmp_path / "whole", other) == [
        "losses", "quality", "last checkpoint", "last model", "best model",
    ]  # fmt: skip
