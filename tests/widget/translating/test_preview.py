"""The preview shows what is seen, with the pixels that a run gives, and follows."""

from typing import Any

import numpy as np
import pytest

from napari_unit import translate

pytestmark = pytest.mark.qt
TOLERANCE = 1e-4 * 127.5


def preview_of(at: Any) -> Any:
    return at.widget.preview.layer


def is_whole(at: Any) -> bool:
    layer = preview_of(at)
    return layer is not None and bool(np.isfinite(layer.data).all()) and bool(layer.data.size)


def switch_on(at: Any) -> None:
    at.widget.preview_box.click()
    assert at.widget.preview_box.isChecked()
    at.wait(lambda: preview_of(at) is not None)


def check(at: Any, expected: np.ndarray) -> None:
    """Every pixel of the preview is that of the whole at its place in the world."""
    layer, source = preview_of(at), at.viewer.layers["cells"]
    rows, columns = layer.data.shape[-2:]
    for row, column in ((0, 0), (rows - 1, columns - 1), (rows // 2, columns // 3)):
        place = np.zeros(layer.ndim)
        place[-2:] = row, column
        at_source = np.round(source.world_to_data(layer.data_to_world(place))).astype(int)
        inside = (0,) * (layer.ndim - 2) + (row, column)
        assert abs(layer.data[inside] - expected[tuple(at_source)]) < TOLERANCE


def test_it_shows_what_is_seen_and_follows(samples: Any, desk: Any, models: Any) -> None:
    layer = samples.image_layer(samples.pixels(700, 600), scale=(2.0, 2.0), translate=(5.0, 9.0))
    at = desk(layer, show=True)
    path = models.bundled / "nuclei.safetensors"
    expected = np.asarray(translate(layer, path, "real", progress=False).data)
    switch_on(at)
    at.wait(lambda: is_whole(at))
    check(at, expected)
    first = preview_of(at).data.shape
    at.camera.zoom *= 5
    at.camera.center = (0.0, 800.0, 700.0)
    at.wait(lambda: preview_of(at).data.shape != first and is_whole(at))
    assert preview_of(at).data.shape[0] < first[0]
    check(at, expected)
    assert at.viewer.layers.selection.active is layer
    at.widget.preview_box.click()
    assert preview_of(at) is None
    assert [one.name for one in at.viewer.layers] == ["cells"]


def test_it_shows_the_plane_at_which_the_slider_stands(
    samples: Any, desk: Any, models: Any
) -> None:
    at = desk(samples.stack(), show=True)
    path = models.bundled / "nuclei.safetensors"
    expected = np.asarray(translate(at.viewer.layers[0], path, "real", progress=False).data)
    at.viewer.dims.set_current_step(0, 1)
    switch_on(at)
    at.wait(lambda: is_whole(at))
    check(at, expected)
    at.viewer.dims.set_current_step(0, 2)
    world = at.viewer.layers["cells"].data_to_world((2, 0, 0))[0]
    at.wait(lambda: abs(preview_of(at).data_to_world((0, 0, 0))[0] - world) < 0.1 and is_whole(at))
    check(at, expected)


def test_colours_are_clear_where_nothing_is_yet(samples: Any, desk: Any, models: Any) -> None:
    models.add("colour", a=("H&E", 3), b=("IHC", 3))
    at = desk(samples.rgb(), model=False, show=True)
    switch_on(at)
    at.wait(lambda: preview_of(at) is not None and (preview_of(at).data[..., 3] == 1).all())
    assert preview_of(at).rgb
    assert preview_of(at).data[..., :3].std() > 0


def test_another_direction_is_previewed_anew(samples: Any, desk: Any) -> None:
    at = desk(samples.gray(), show=True)
    switch_on(at)
    at.wait(lambda: is_whole(at))
    assert "synthetic → real" in preview_of(at).name
    at.pick(at.form.direction_choice, "real → synthetic")
    at.wait(lambda: preview_of(at) is not None and "real → synthetic" in preview_of(at).name)
    at.wait(lambda: is_whole(at))


def test_a_run_takes_what_the_preview_has_measured(
    samples: Any, desk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = desk(samples.gray(), show=True)
    switch_on(at)
    at.wait(lambda: is_whole(at) and not at.widget.preview_label.text())
    phases: set[str] = set()
    tell = at.widget.status.tell
    monkeypatch.setattr(
        at.widget.status, "tell", lambda news, of: (phases.add(news.phase), tell(news, of))
    )
    result = at.run()
    assert result is not None
    assert phases <= {"tiles"}
    assert not at.widget.preview_box.isChecked()


@pytest.mark.parametrize("gone", ["preview", "source"])
def test_it_ends_with_its_layers(samples: Any, desk: Any, gone: str) -> None:
    at = desk(samples.gray(), show=True)
    switch_on(at)
    at.wait(lambda: is_whole(at))
    at.viewer.layers.remove(preview_of(at) if gone == "preview" else at.viewer.layers["cells"])
    assert not at.widget.preview_box.isChecked()
    assert preview_of(at) is None
    assert len(at.viewer.layers) == (1 if gone == "preview" else 0)


def test_what_cannot_be_measured_is_said(samples: Any, desk: Any) -> None:
    at = desk(samples.image_layer(np.full((64, 64), np.nan, "float32")), show=True)
    at.widget.preview_box.click()
    at.wait(lambda: at.said()[0] == "error")
    assert "NaN or infinite" in at.said()[1]
    assert not at.widget.preview_box.isChecked()
    assert len(at.viewer.layers) == 1


def test_closing_the_dock_while_it_measures_leaves_nothing(samples: Any, desk: Any) -> None:
    at = desk(samples.image_layer(samples.pixels(3000, 3000)), show=True)
    at.widget.preview_box.click()
    at.widget.parent().destroyOnClose()  # what the cross on the dock does
    at.widget.deleteLater()
