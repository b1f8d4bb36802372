import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

pytest.importorskip("tiled_vs_whole", reason="benchmarks/ is in the repository only")

from tiled_vs_whole import main, mosaic, network_gflop_per_px, random_network


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    for index in range(3):
        pixels = random.integers(0, 80, (40, 50), dtype=np.uint8)
        pixels[10 + index : 30, 20:35] += 150
        Image.fromarray(pixels).save(tmp_path / f"{index}.png")
    (tmp_path / "notes.txt").write_text("no image")
    return tmp_path


def test_a_mosaic_is_the_folders_images_in_order(folder: Path) -> None:
    made = mosaic(folder, (70, 90))
    first, second = (np.asarray(Image.open(folder / f"{index}.png")) for index in (0, 1))
    assert made.shape == (1, 70, 90)
    np.testing.assert_array_equal(made[0, :40, :50], first)
    np.testing.assert_array_equal(made[0, :40, 50:], second[:, :40])


def test_the_result_tells_exact_tiles_from_others(folder: Path, tmp_path: Path) -> None:
    threads = torch.get_num_threads()
    out = tmp_path / "result.json"
    try:
        arguments = f"--size 90 101 --width 2 --tiles 32 48 --threads 1 --out {out}"
        main(["--folder", str(folder), *arguments.split()])
    finally:
        torch.set_num_threads(threads)
    result = json.loads(out.read_text())
    assert result["settings"]["shape"] == [1, 90, 101]
    for mode in ("whole", "image"):
        for numbers in result["differences"][mode]["tiles"].values():
            assert numbers["max_difference"] <= 1e-4
        assert result["differences"][mode]["spread_between_tile_sizes"] <= 1e-4
    alone = result["differences"]["tile"]["tiles"].values()
    assert all(numbers["max_difference"] > 1e-2 for numbers in alone)


def test_the_arithmetic_is_the_papers() -> None:
    # counted on the authors' network: 71.03 GMAC for 256 x 256 px of 3 channels
    per_px = network_gflop_per_px(random_network(3, 64, 0), "a", "b")
    assert per_px * 256**2 / 2 == pytest.approx(71.03, rel=1e-3)
