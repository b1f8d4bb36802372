"""The whole story in one: from sample data to a translated file that lies where its image lies."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ome_zarr.io import parse_url
from ome_zarr.reader import Reader
from qtpy.QtCore import Qt

from napari_unit._widget.model_dialog import ModelDialog

pytestmark = pytest.mark.qt
LONG = 100_000
A, B = "fluorescence", "absorption"


def test_train_on_sample_data_use_the_model_and_find_the_result_again(
    make_napari_viewer: Any, bench_at: Any, qtbot: Any, models: Any, tmp_path: Path
) -> None:
    viewer = make_napari_viewer(show=True)
    viewer.open_sample("napari-unit", "two-domains")
    _, train = viewer.window.add_plugin_dock_widget("napari-unit", "Train")
    _, translate = viewer.window.add_plugin_dock_widget("napari-unit", "Translate", tabify=True)
    at = bench_at(viewer, train)

    # train on the two layers; watch previews change; stop; resume
    at.fill(viewer.layers[A], viewer.layers[B], images=LONG)
    at.start()
    at.wait(at.panel.preview_button.isEnabled)
    at.click(at.panel.preview_button)
    at.wait(lambda: f"{A} → {B}" in viewer.layers)
    preview = viewer.layers[f"{A} → {B}"]
    first = np.array(preview.data)
    at.wait(lambda: not np.array_equal(preview.data, first))
    at.click(at.panel.stop_button)
    at.wait_for_state("stopped")
    at.click(at.panel.resume_button)
    at.wait_for_state("running")
    at.click(at.panel.stop_button)
    at.wait_for_state("stopped")
    at.click(at.panel.preview_button)
    assert f"{A} → {B}" not in viewer.layers

    # use the model
    at.click(at.panel.use_button)
    dialog = train.findChild(ModelDialog)
    dialog.name_edit.setText("mine")
    at.click(dialog.save_button)
    at.wait(lambda: translate.form.model_choice.currentText() == "mine")
    assert (models.user / "mine.safetensors").is_file()

    # translate a layer
    choice = translate.form.layer_choice
    choice.setCurrentIndex(choice.findText(B))
    translate.form.direction_choice.setCurrentIndex(1)
    assert translate.form.direction_choice.currentText() == f"{B} → {A}"
    assert translate.run_button.isEnabled(), translate.status.message.text()
    qtbot.mouseClick(translate.run_button, Qt.MouseButton.LeftButton)
    at.wait(lambda: not translate.queue.is_running)
    assert translate.status.kind == "done", translate.status.message.text()
    result = viewer.layers[f"{B} [{B} → {A}]"]
    np.testing.assert_allclose(result.extent.world, viewer.layers[B].extent.world)

    # save it as OME-Zarr, and find it where it was
    path = tmp_path / "result.ome.zarr"
    viewer.layers.selection = {result}
    viewer.layers.save(str(path), selected=True, plugin="napari-unit")
    location = parse_url(path)
    assert location is not None
    (node, *_) = list(Reader(location)())
    np.testing.assert_array_equal(node.data[0].compute(), result.data)
    scale, translation = node.metadata["coordinateTransformations"][0]
    np.testing.assert_allclose(scale["scale"], viewer.layers[B].scale)
    np.testing.assert_allclose(translation["translation"], viewer.layers[B].translate)
