from pathlib import Path

import numpy as np
import statistics_pairs
import tifffile


def test_the_measured_scene_has_its_truth_and_no_scene_is_learned_twice(tmp_path: Path) -> None:
    statistics_pairs.main([str(tmp_path), "--scenes", "2", "--side", "64", "--measured-side", "96"])
    scene, truth = (tifffile.imread(tmp_path / f"{name}.tif") for name in ("scene", "truth"))
    assert scene.shape == truth.shape == (96, 96)
    assert np.array_equal(statistics_pairs.absorption(scene), truth)
    # dark becomes bright, and the brightest the darkest
    assert statistics_pairs.absorption(np.array([0, 255], "u1")).tolist() == [255, 13]
    learned = [
        tifffile.imread(path) for name in ("fluorescence", "absorption")
        for path in sorted((tmp_path / name).iterdir())
    ]  # fmt: skip
    assert [image.shape for image in learned] == [(64, 64)] * 4
    for first in learned[:2]:
        for second in learned[2:]:
            assert not np.array_equal(statistics_pairs.absorption(first), second)
