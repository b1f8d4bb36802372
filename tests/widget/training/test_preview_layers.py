"""Previews as layers, from files as the trainer writes them."""

import gc
from itertools import pairwise

import numpy as np
import pytest
import torch
from run_folders import REPORT, write_run

from napari_unit.runs.events import Started
from napari_unit.runs.files import RunFiles
from napari_unit_training.preview import write_preview_arrays

pytestmark = pytest.mark.qt
DOMAINS = ("dark", "bright")
NAMES = [
    "dark (preview)", "dark → bright", "dark → bright → dark",
    "bright (preview)", "bright → dark", "bright → dark → bright",
]  # fmt: skip
COLUMNS = ("a", "a_to_a", "a_to_b", "a_to_b_to_a", "b", "b_to_b", "b_to_a", "b_to_a_to_b")


def write_preview(files: RunFiles, images_seen: int) -> None:
    """Write what a training would: the same crops each time, and other translations."""
    crops, made = (torch.Generator().manual_seed(seed) for seed in (0, images_seen))
    shape = (4, 1, 64, 64)
    columns = {
        name: torch.rand(shape, generator=crops if name in "ab" else made) * 2 - 1
        for name in COLUMNS
    }
    write_preview_arrays(files.latest_preview_path, columns, DOMAINS, images_seen)


def preview_names(at):
    return [layer.name for layer in at.viewer.layers if "napari_unit_preview" in layer.metadata]


def test_previews_change_in_place_and_stay_away_when_removed(bench, samples, root):
    start = Started(0, 100, "cpu", "float32", DOMAINS, (3, 2), ())
    files = write_run(root / "dark to bright", start, REPORT)
    at = bench(samples.image_layer(samples.pixels(96, 80), "mine", scale=(0.5, 0.5)))
    at.wait(lambda: at.view is not None)
    assert not at.panel.preview_button.isEnabled(), "there is none yet"
    write_preview(files, 20)
    at.wait(at.panel.preview_button.isEnabled)
    at.click(at.panel.preview_button)
    at.wait(lambda: len(preview_names(at)) == 6)
    assert preview_names(at) == NAMES
    layers = {name: at.viewer.layers[name] for name in NAMES}
    columns = [layer.extent.world[:, 1] for layer in layers.values()]
    assert all(left[1] < right[0] for left, right in pairwise(columns))
    top = min(layer.extent.world[0, 0] for layer in layers.values())
    assert top > at.viewer.layers["mine"].extent.world[1, 0]
    assert all(tuple(layer.contrast_limits) == (-1, 1) for layer in layers.values())
    there, crops = layers["dark → bright"].data, layers["dark (preview)"].data
    write_preview(files, 40)
    at.wait(lambda: not np.array_equal(layers["dark → bright"].data, there))
    np.testing.assert_array_equal(layers["dark (preview)"].data, crops)
    assert [layer for layer in at.viewer.layers if layer.name == "dark → bright"] == [
        layers["dark → bright"]
    ], "another layer instead of other pixels"

    at.viewer.layers.remove("bright → dark")
    now = layers["dark → bright"].data
    write_preview(files, 60)
    at.wait(lambda: not np.array_equal(layers["dark → bright"].data, now))
    assert "bright → dark" not in preview_names(at)
    for name in preview_names(at):
        at.viewer.layers.remove(name)
    at.wait(lambda: not at.panel.preview_button.isChecked())
    assert preview_names(at) == []
    at.click(at.panel.preview_button)
    at.wait(lambda: len(preview_names(at)) == 6)
    at.click(at.panel.preview_button)
    assert preview_names(at) == []


def test_the_window_does_not_stand_still_for_each_of_them(bench, root):
    """Each time that napari collects garbage takes it some tenths of a second."""
    start = Started(0, 100, "cpu", "float32", DOMAINS, (3, 2), ())
    write_preview(write_run(root / "dark to bright", start, REPORT), 20)
    at = bench()
    if not hasattr(at.viewer.layers, "batched_update"):
        pytest.skip("this napari takes layers away one by one")
    at.wait(at.panel.preview_button.isEnabled)
    at.click(at.panel.preview_button)
    at.wait(lambda: len(preview_names(at)) == 6)
    collected = []

    def take_note(phase, info):
        if (phase, info["generation"]) == ("start", 2):
            collected.append(info)

    gc.callbacks.append(take_note)
    try:
        at.click(at.panel.preview_button)
    finally:
        gc.callbacks.remove(take_note)
    assert preview_names(at) == []
    assert len(collected) <= 2
