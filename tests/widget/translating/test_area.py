"""Only a part is translated: what is seen, or what a rectangle is drawn around."""

from typing import Any

import numpy as np
import pytest

from napari_unit import translate
from napari_unit._widget.translating.seen import canvas_size

pytestmark = pytest.mark.qt
TOLERANCE = 1e-4 * 127.5


def whole(at: Any, models: Any) -> np.ndarray:
    path = models.bundled / "nuclei.safetensors"
    made = translate(at.viewer.layers["cells"], path, "real", progress=False)
    return np.asarray(made.data[0] if made.multiscale else made.data)


def check(at: Any, result: Any, expected: np.ndarray, part: dict[str, list[int]]) -> None:
    """The result is the part, with the pixels of the whole, where it was."""
    source = at.viewer.layers["cells"]
    letters = "ZYX"[-expected.ndim :]
    ranges = [part.get(a, [0, n]) for a, n in zip(letters, expected.shape, strict=True)]
    assert result.metadata["napari_unit"]["part"] == part
    np.testing.assert_allclose(
        result.data, expected[tuple(slice(*r) for r in ranges)], rtol=0, atol=TOLERANCE
    )
    np.testing.assert_allclose(
        result.data_to_world([0] * result.ndim), source.data_to_world([r[0] for r in ranges])
    )


def test_the_current_view_is_translated(samples: Any, desk: Any, models: Any) -> None:
    layer = samples.image_layer(samples.pixels(300, 260), scale=(2.0, 2.0), translate=(7.0, 3.0))
    at = desk(layer, show=True)
    expected = whole(at, models)
    at.camera.center = (0.0, 307.0, 263.0)
    at.camera.zoom = 6.0
    at.wait(lambda: layer.corner_pixels[0, 0] > 0)
    at.pick(at.form.area_choice, "Current view")
    height, width = canvas_size(at.viewer)  # what is said below the buttons may widen the dock
    result = at.run()
    assert result is not None, at.said()
    part = result.metadata["napari_unit"]["part"]
    assert abs((part["Y"][1] - part["Y"][0]) - height / 12) <= 3
    assert abs(sum(part["Y"]) / 2 - 150) <= 2
    assert abs((part["X"][1] - part["X"][0]) - min(260, width / 12)) <= 3
    check(at, result, expected, part)


def test_of_a_multiscale_layer_the_view_is_taken_at_full_resolution(
    samples: Any, desk: Any, models: Any
) -> None:
    full = samples.pixels(2000, 1600)
    layer = samples.image_layer([full, full[::4, ::4]], multiscale=True)
    at = desk(layer, show=True)
    at.camera.center = (0.0, 500.0, 400.0)
    at.camera.zoom = 8.0
    at.wait(lambda: layer.data_level == 0)
    at.pick(at.form.area_choice, "Current view")
    result = at.run()
    part = result.metadata["napari_unit"]["part"]
    assert part["Y"][0] <= 500 <= part["Y"][1]
    assert part["Y"][1] - part["Y"][0] < 400
    assert not result.multiscale
    assert result.data.shape == tuple(part[axis][1] - part[axis][0] for axis in "YX")


def test_a_drawn_rectangle_is_translated(samples: Any, desk: Any, models: Any) -> None:
    at = desk(samples.image_layer(samples.pixels(120, 100), scale=(0.5, 0.5)))
    expected = whole(at, models)
    shapes = at.viewer.add_shapes(name="where")
    at.pick(at.form.area_choice, "Rectangle in 'where'")
    assert at.widget.run_button.isEnabled()
    at.click(at.widget.run_button)
    assert at.said()[0] == "error"
    assert "no rectangle in the layer 'where'; draw one" in at.said()[1]
    # corners on the borders of pixels: rows 10 to 39, columns 20 to 79
    shapes.add_rectangles(np.array([[4.75, 9.75], [19.75, 39.75]]))
    result = at.run()
    assert result is not None, at.said()
    check(at, result, expected, {"Y": [10, 40], "X": [20, 80]})
    shapes.add_rectangles(np.array([[100.0, 100.0], [120.0, 120.0]]))
    at.click(at.widget.run_button)
    assert "Nothing of the layer 'cells' lies there" in at.said()[1]
    shapes.selected_data = {0}
    again = at.run()
    np.testing.assert_array_equal(again.data, result.data)
    at.viewer.layers.remove(shapes)
    assert at.form.area_choice.currentText() == "Whole image"


def test_the_current_plane_of_a_stack_is_translated(samples: Any, desk: Any, models: Any) -> None:
    at = desk(samples.stack())
    assert at.form.planes_choice.isVisibleTo(at.widget)
    expected = whole(at, models)
    at.viewer.dims.set_current_step(0, 2)
    at.pick(at.form.planes_choice, "Current plane")
    result = at.run()
    check(at, result, expected, {"Z": [2, 3]})
    at.viewer.add_image(samples.pixels(64, 64), name="flat")
    at.pick(at.form.layer_choice, "flat")
    assert not at.form.planes_choice.isVisibleTo(at.widget)
    assert at.run().metadata["napari_unit"]["part"] is None


def test_views_that_are_none_of_rows_and_columns_are_refused(samples: Any, desk: Any) -> None:
    at = desk(samples.image_layer(samples.pixels(3, 64, 48)))
    at.pick(at.form.area_choice, "Current view")
    at.viewer.dims.ndisplay = 3
    at.click(at.widget.run_button)
    assert "shows three dimensions" in at.said()[1]
    at.viewer.dims.ndisplay = 2
    at.viewer.dims.order = (1, 0, 2)
    at.click(at.widget.run_button)
    assert "shows other axes than the rows and columns" in at.said()[1]
