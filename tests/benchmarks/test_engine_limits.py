import json
from pathlib import Path

import engine_limits
import numpy as np
import pytest
import zarr


def test_equal_chunks_are_one_file_and_the_far_ends_are_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_limits, "CHUNK_PX", 64)
    monkeypatch.setattr(engine_limits, "N_SCENES", 3)
    path = engine_limits.generated(tmp_path / "a.zarr", 420)
    image = zarr.open_array(path, mode="r")
    assert image.shape == (420, 420)
    chunks = [image[r : r + 64, c : c + 64] for r in range(0, 384, 64) for c in range(0, 384, 64)]
    assert len({chunk.tobytes() for chunk in chunks}) == 3
    files = [file for file in (path / "c").rglob("*") if file.is_file()]
    assert len(files) == 7 * 7
    assert len({file.stat().st_ino for file in files}) < 7
    assert np.ptp(image[400:, 400:]) > 0


def test_a_file_is_translated_and_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_limits, "CHUNK_PX", 128)
    monkeypatch.setattr(engine_limits, "VIEW_PX", 100)
    out = tmp_path / "result.json"
    engine_limits.main(
        ["--work", str(tmp_path / "work"), "--side", "300", "--lazy-side", "0", "--out", str(out)]
    )
    found = json.loads(out.read_text())
    # what the tiles promise, in grey levels of a range of 255
    assert found["file"]["largest_difference_to_lazy"] <= 1e-4 * 255 / 2
    assert 10**8 < found["file"]["peak_bytes"] < 4 * 10**9
    assert found["file"]["seconds"] > 0
