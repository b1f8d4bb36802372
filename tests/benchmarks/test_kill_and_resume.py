"""The benchmark itself in small; the figures are in ``benchmarks/results``."""

import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from kill_and_resume import command, differences, killed_run, prepare, told


def test_a_run_that_is_killed_ends_as_if_nothing_had_happened(tmp_path: Path) -> None:
    def train(name: str, n_images: int) -> None:
        words = command(tmp_path, tmp_path / name, n_images)
        subprocess.run(words, check=True, capture_output=True)

    prepare(tmp_path)
    with ThreadPoolExecutor() as beside:  # most of the time they all import torch
        others = [beside.submit(train, "whole", 240), beside.submit(train, "other", 40)]
        outcome = killed_run(tmp_path, tmp_path / "killed", 240, n_kills=2, seed=1)
        for other in others:
            other.result()
    assert outcome.n_kills >= 1
    assert differences(tmp_path / "whole", tmp_path / "killed") == []
    assert len(told(tmp_path / "whole", "Progress", "losses")) == 40
    assert len(told(tmp_path / "whole", "QualityMeasured", "score")) == 6
    assert differences(tmp_path / "whole", tmp_path / "other") == [
        "losses", "quality", "last checkpoint", "last model", "best model",
    ]  # fmt: skip
