"""Several images with the same choices, one after another."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_unit import translate

pytestmark = pytest.mark.qt


def run_batch(at: Any) -> None:
    assert at.widget.run_button.isEnabled(), at.said()
    at.click(at.widget.run_button)
    at.wait_for_end()


def test_all_selected_layers_are_translated(samples: Any, desk: Any, models: Any) -> None:
    layers = [samples.image_layer(samples.pixels(64, 48, seed=i), f"cells {i}") for i in range(3)]
    at = desk(*layers)
    at.click(at.form.fold_button)
    at.viewer.layers.selection = {layers[0], layers[2]}
    at.pick(at.form.images_fields.choice, "All selected layers")
    run_batch(at)
    assert at.said() == ("done", "Translated 2 of 2 images.")
    path = models.bundled / "nuclei.safetensors"
    for number in (0, 2):
        made = at.viewer.layers[f"cells {number} [synthetic → real]"]
        expected = translate(layers[number], path, "real", progress=False)
        np.testing.assert_array_equal(made.data, expected.data)


def test_a_folder_goes_to_files_and_one_bad_file_stops_nothing(
    samples: Any, desk: Any, models: Any, tmp_path: Path
) -> None:
    images, out = tmp_path / "in", tmp_path / "out"
    images.mkdir()
    out.mkdir()
    for i in range(3):
        tifffile.imwrite(images / f"{i}.tif", samples.pixels(64, 48, seed=i))
    (images / "1.tif").write_bytes(b"no image")
    (images / "notes.txt").write_text("not an image")
    at = desk(samples.gray())
    at.click(at.form.fold_button)
    at.pick(at.form.images_fields.choice, "A folder of files")
    assert "to files; choose a file under Result" in at.said()[1]
    at.pick(at.form.output.choice, "OME-TIFF file")
    assert at.said()[1] == "Choose the folder with the images."
    at.qtbot.keyClicks(at.form.images_fields.folder.edit, str(images))
    at.form.output.file.edit.clear()
    at.qtbot.keyClicks(at.form.output.file.edit, str(tmp_path / "nowhere"))
    assert "There is no folder" in at.said()[1]
    at.form.output.file.edit.clear()
    at.qtbot.keyClicks(at.form.output.file.edit, str(out))
    run_batch(at)
    kind, sentence = at.said()
    assert kind == "error"
    assert sentence.startswith("Translated 2 of 3 images. 1.tif: ")
    assert sorted(p.name for p in out.glob("*.ome.tif")) == ["0 real.ome.tif", "2 real.ome.tif"]
    path = models.bundled / "nuclei.safetensors"
    expected = translate(images / "2.tif", path, "real", progress=False)
    np.testing.assert_allclose(
        tifffile.imread(out / "2 real.ome.tif"), expected, rtol=0, atol=1e-4 * 255
    )


def test_canceling_stops_all(samples: Any, desk: Any, gate: Any) -> None:
    layers = [samples.image_layer(samples.pixels(64, 48, seed=i), f"cells {i}") for i in range(3)]
    at = desk(*layers)
    at.viewer.layers.selection = set(layers)
    at.click(at.form.fold_button)
    at.pick(at.form.images_fields.choice, "All selected layers")
    at.click(at.widget.run_button)
    at.wait(gate.reached.is_set)
    at.click(at.widget.cancel_button)
    gate.opened.set()
    at.wait_for_end()
    assert len(at.viewer.layers) == 3
    assert at.said()[1] == "Canceled after 0 of 3 images."


def test_a_layer_that_does_not_fit_is_said_before_anything_runs(samples: Any, desk: Any) -> None:
    at = desk(samples.rgb(), samples.image_layer(samples.pixels(64, 48), "gray"))
    at.pick(at.form.layer_choice, "gray")
    at.viewer.layers.selection = set(at.viewer.layers)
    at.click(at.form.fold_button)
    at.pick(at.form.images_fields.choice, "All selected layers")
    at.click(at.widget.run_button)
    assert at.said()[0] == "error"
    assert "the layer 'cells' has 3 channels" in at.said()[1]
    assert len(at.viewer.layers) == 2
    at.viewer.layers.selection.clear()
    assert not at.widget.run_button.isEnabled()
    assert "No image layer is selected" in at.form.reason()
