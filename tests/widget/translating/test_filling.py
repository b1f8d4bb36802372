"""Tiles appear in a layer as they are finished; nothing unfinished is left."""

from typing import Any

import numpy as np
import pytest

from napari_unit._widget.translating import filling

pytestmark = pytest.mark.qt


@pytest.fixture
def small_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    from napari_unit.engine import memory

    monkeypatch.setattr(memory, "TILE_SIZES_PX", (32,))


@pytest.mark.usefixtures("small_tiles")
def test_tiles_appear_as_they_are_finished(samples: Any, desk: Any, gate: Any) -> None:
    at = desk(samples.gray())
    at.click(at.widget.run_button)
    at.wait(gate.reached.is_set)
    at.wait(lambda: len(at.viewer.layers) == 2)
    layer = at.viewer.layers[1]
    assert layer.name == "cells [synthetic → real] (unfinished)"
    assert layer.metadata["napari_unit"]["unfinished"]
    done = np.asarray(layer.data) != 0
    assert 0.05 < done.mean() < 0.9
    gate.opened.set()
    at.wait_for_end()
    assert at.viewer.layers[1] is layer
    assert layer.name == "cells [synthetic → real]"
    assert (np.asarray(layer.data) != 0).mean() > 0.99
    assert "unfinished" not in layer.metadata["napari_unit"]


@pytest.mark.usefixtures("small_tiles")
def test_canceling_takes_it_away(samples: Any, desk: Any, gate: Any) -> None:
    at = desk(samples.gray())
    at.click(at.widget.run_button)
    at.wait(gate.reached.is_set)
    at.wait(lambda: len(at.viewer.layers) == 2)
    at.click(at.widget.cancel_button)
    gate.opened.set()
    at.wait_for_end()
    assert [layer.name for layer in at.viewer.layers] == ["cells"]
    assert "Canceled" in at.said()[1]


def test_one_that_was_deleted_meanwhile_comes_when_it_is_whole(
    samples: Any, desk: Any, gate: Any
) -> None:
    at = desk(samples.gray())
    at.click(at.widget.run_button)
    at.wait(gate.reached.is_set)
    at.wait(lambda: len(at.viewer.layers) == 2)
    at.viewer.layers.pop(1)
    gate.opened.set()
    at.wait_for_end()
    assert at.viewer.layers[1].name == "cells [synthetic → real]"


def test_a_name_that_a_person_gave_stays(samples: Any, desk: Any, gate: Any) -> None:
    at = desk(samples.gray())
    at.click(at.widget.run_button)
    at.wait(gate.reached.is_set)
    at.wait(lambda: len(at.viewer.layers) == 2)
    at.viewer.layers[1].name = "mine"
    gate.opened.set()
    at.wait_for_end()
    assert at.viewer.layers[1].name == "mine"


@pytest.mark.parametrize("kind", ["gray", "rgb", "multiscale"])
def test_large_results_fill_as_levels_and_end_as_their_source(
    samples: Any, desk: Any, gate: Any, models: Any, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(filling, "_LARGEST_PX", 40)
    at = desk(getattr(samples, kind)(), model=kind != "rgb")
    if kind == "rgb":
        models.add("colour", a=("H&E", 3), b=("IHC", 3))
        at.form.model_choice.reload()
        for choice in at.form.mapping.channel_choices:
            assert choice.value is not None
    at.click(at.widget.run_button)
    at.wait(gate.reached.is_set)
    at.wait(lambda: len(at.viewer.layers) == 2)
    assert at.viewer.layers[1].multiscale
    assert max(at.viewer.layers[1].data[-1].shape) <= 45
    gate.opened.set()
    at.wait_for_end()
    result, source = at.viewer.layers[1], at.viewer.layers[0]
    assert (result.multiscale, result.rgb) == (source.multiscale, source.rgb)
    np.testing.assert_allclose(result.extent.world, source.extent.world)
