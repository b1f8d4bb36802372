from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("engine_ours", reason="benchmarks/ is in the repository only")

from engine_case import Case, write_case
from engine_ours import Mirrored, Nowhere, prepare_lazily, prepare_ours
from engine_reference import prepare_reference

from napari_unit.geometry.regions import Region, whole
from napari_unit.geometry.tiling import Span

IMAGE = np.random.default_rng(0).integers(0, 255, (2, 20, 30), dtype=np.uint8)


def test_a_mirrored_plane_goes_on_without_a_jump() -> None:
    planes = Mirrored(IMAGE, 100)
    all_of_it = planes.read(0, whole((100, 100)))
    mirrored = np.pad(IMAGE, ((0, 0), (0, 80), (0, 70)), mode="symmetric")
    np.testing.assert_array_equal(all_of_it, mirrored)
    part = Region(Span(33, 47), Span(55, 96))
    np.testing.assert_array_equal(planes.read(0, part), mirrored[:, 33:47, 55:96])


def test_our_translation_is_the_reference(tmp_path: Path) -> None:
    shape = (2, 90, 101)
    image = np.random.default_rng(0).integers(0, 60000, shape, dtype=np.uint16)
    write_case(tmp_path, Case("image", shape, "uint16", None, 2, 0, "a", "b"), image)
    ours = prepare_ours(tmp_path, "whole")
    found = ours.unit(ours.run())
    with torch.inference_mode():
        np.testing.assert_allclose(found, prepare_reference(tmp_path).run(), atol=1e-4)
    assert ours.borders[0][0] == 0
    assert set(ours.facts["phase_seconds"]) == {"intensities", "statistics", "tiles"}


def test_a_lazy_image_leaves_nothing(tmp_path: Path) -> None:
    write_case(tmp_path, Case("image", IMAGE.shape, "uint8", None, 2, 0, "a", "b"), IMAGE)
    lazy = prepare_lazily(tmp_path, "image", 64)
    assert lazy.run().size == 0
    assert lazy.facts["n_px"] == 64**2
    assert Nowhere().written(0, whole((4, 4))) is None
