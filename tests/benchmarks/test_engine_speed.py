import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

pytest.importorskip("engine_speed", reason="benchmarks/ is in the repository only")

import engine_speed
from engine_process import carry_out
from engine_speed import main


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows, columns = np.mgrid[:400, :300]
    pixels = 120 + 80 * np.sin(rows / 25) * np.cos(columns / 40)
    pixels[:200] *= np.random.default_rng(0).uniform(0.8, 1.2, (200, 300))
    (tmp_path / "images").mkdir()
    Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / "images" / "0.png")
    return tmp_path


@pytest.fixture(autouse=True)
def threads_again() -> Iterator[None]:
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def test_our_tiles_equal_the_whole_image_and_a_loops_do_not(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # without a process for each, which would wait for its imports; those are tested elsewhere
    monkeypatch.setattr(engine_speed, "measure", carry_out)
    out = folder / "result.json"
    arguments = f"--folder {folder / 'images'} --widths 2 --sizes 288 --rounds 1 --threads 1"
    methods = ["--statistics", "whole", "--methods", "loop 256"]
    main([*arguments.split(), *methods, "--out", str(out)])
    (case,) = json.loads(out.read_text())["cases"]
    assert case["shape"] == [1, 288, 288]
    ours, loop = case["methods"]["ours, whole"], case["methods"]["loop 256"]
    assert ours["max_error"] <= 1e-4
    assert loop["max_error"] > 0.1
    assert loop["seam_excess"] > 5 * abs(ours["seam_excess"] or 0.0)
    assert len(ours["rounds"]) == len(loop["rounds"]) == 1
    assert "| loop 256 |" in capsys.readouterr().out


def test_it_asks_for_an_image() -> None:
    with pytest.raises(SystemExit, match="Give --image, --folder, or both"):
        main(["--threads", "1"])
    with pytest.raises(SystemExit, match="one for each width"):
        main(["--folder", "x", "--widths", "2", "4", "8", "--sizes", "64", "128"])
