"""The image and its translation beside each other, and everything as it was afterwards."""

from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.qt


def grid_of(at: Any) -> Any:
    return getattr(at.viewer, "canvas", at.viewer).grid


def test_they_stand_beside_each_other_and_go_back(samples: Any, desk: Any) -> None:
    at = desk(samples.gray(), samples.image_layer(samples.pixels(64, 48), "other"), show=True)
    at.pick(at.form.layer_choice, "cells")
    assert not at.widget.compare_button.isEnabled()
    result = at.run()
    at.viewer.layers["other"].visible = False
    assert at.widget.compare_button.isEnabled()
    at.click(at.widget.compare_button)
    grid = grid_of(at)
    assert grid.enabled
    # before napari 0.9 a grid counts layers, those that are hidden, too
    counts_hidden = not hasattr(at.viewer, "canvas")
    if counts_hidden:
        at.viewer.layers.remove("other")
    among = len(at.viewer.layers) if counts_hidden else at.viewer.layers
    assert grid.actual_shape(among) == (1, 2)
    places = {layer.name: grid.position(i, among) for i, layer in enumerate(at.viewer.layers)}
    assert places["cells"] == (0, 0)
    assert places[result.name] == (0, 1)
    at.viewer.reset_view()
    shot = at.viewer.screenshot(canvas_only=True, flash=False)[..., :3].astype(float)
    half = shot.shape[1] // 2
    assert shot[:, :half].std() > 5
    assert shot[:, half:].std() > 5
    at.click(at.widget.compare_button)
    assert not grid.enabled
    assert at.viewer.layers["cells"].visible
    assert result.visible
    assert counts_hidden or not at.viewer.layers["other"].visible


def test_deleting_one_ends_it(samples: Any, desk: Any) -> None:
    at = desk(samples.gray())
    result = at.run()
    at.click(at.widget.compare_button)
    at.viewer.layers.remove(result)
    assert not grid_of(at).enabled
    assert not at.widget.compare_button.isEnabled()
    assert at.viewer.layers["cells"].visible
    np.testing.assert_array_equal(at.viewer.layers["cells"].data.shape, (90, 70))


def test_an_image_that_is_gone_when_its_translation_is_done_has_no_pair(
    samples: Any, desk: Any, gate: Any
) -> None:
    at = desk(samples.gray(), samples.image_layer(samples.pixels(64, 48), "other"))
    at.pick(at.form.layer_choice, "cells")
    at.click(at.widget.run_button)
    at.wait(gate.reached.is_set)
    at.viewer.layers.remove("cells")
    gate.opened.set()
    at.wait_for_end()
    assert [layer.name for layer in at.viewer.layers][-1].startswith("cells")
    assert not at.widget.compare_button.isEnabled()
