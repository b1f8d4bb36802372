import time
from pathlib import Path

import fuzz_files
import pytest


def test_damaged_files_are_read_or_refused_in_one_sentence(tmp_path: Path) -> None:
    began = time.monotonic()
    outcomes = list(fuzz_files.fuzz(tmp_path, 320, seed=20))
    found = fuzz_files.summary(outcomes)
    assert found["findings"] == []
    assert found["n_damaged"] == 320
    assert found["outcomes"]["refused"] > found["outcomes"]["read"] > 0
    assert len(found["by_file"]) == 26
    assert [path.name for path in tmp_path.iterdir()] == ["seeds"]
    assert time.monotonic() - began < 200  # 10 s where no one else computes


@pytest.mark.parametrize(
    ("code", "kind"),
    [("raise SystemExit(3)", "crash"), ("time.sleep(60)", "hang")],
)
def test_what_a_worker_does_not_answer_is_a_finding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, kind: str
) -> None:
    script = tmp_path / "worker.py"
    script.write_text(
        "import sys, time, json\n"
        "print(json.dumps(['ready', '', 0]), flush=True)\n"
        f"sys.stdin.readline()\n{code}\n"
    )
    monkeypatch.setattr(fuzz_files, "__file__", str(script))
    monkeypatch.setattr(fuzz_files, "PATIENCE_S", 1.0)
    with fuzz_files.Worker(tmp_path) as worker:
        assert worker.attempt(tmp_path / "a")[0] == kind
        assert worker.attempt(tmp_path / "a")[0] == kind  # a new one was started
