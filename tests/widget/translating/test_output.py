"""Results in memory, lazy ones, and files."""

from pathlib import Path
from typing import Any

import dask.array
import numpy as np
import pytest
import tifffile
import zarr

from napari_unit import translate

pytestmark = pytest.mark.qt


@pytest.mark.parametrize("kind", ["OME-Zarr file", "OME-TIFF file"])
def test_a_file_is_written_and_opened_where_the_layer_stands(
    samples: Any, desk: Any, models: Any, tmp_path: Path, kind: str
) -> None:
    at = desk(samples.stack())
    source = at.viewer.layers[0]
    at.pick(at.form.output.choice, kind)
    ending = at.form.output.kind
    path = tmp_path / f"mine{ending}"
    at.form.output.file.edit.clear()
    at.qtbot.keyClicks(at.form.output.file.edit, str(path))
    result = at.run()
    assert result is not None, at.said()
    assert at.said()[0] == "done"
    assert str(path) in at.said()[1]
    expected = translate(source, models.bundled / "nuclei.safetensors", "real", progress=False)
    np.testing.assert_allclose(np.asarray(result.data), expected.data, rtol=0, atol=1e-4 * 255)
    written = (
        np.asarray(zarr.open_group(path, mode="r")["0"])
        if ending == ".ome.zarr"
        else tifffile.imread(path)
    )
    np.testing.assert_array_equal(np.asarray(result.data), written)
    np.testing.assert_allclose(result.extent.world, source.extent.world)
    # the next one gets another name
    assert at.form.output.path != path
    assert not at.form.output.path.exists()


def test_names_are_suggested_and_what_exists_is_said(
    samples: Any, desk: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from qtpy.QtWidgets import QFileDialog

    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    at = desk(samples.image_layer(samples.pixels(64, 64), "a/b: c"))
    assert not at.form.output.file.edit.isVisibleTo(at.widget)
    at.pick(at.form.output.choice, "OME-TIFF file")
    assert at.form.output.path == tmp_path / "a b c real.ome.tif"
    at.pick(at.form.output.choice, "OME-Zarr file")
    assert at.form.output.path == tmp_path / "a b c real.ome.zarr"
    there = tmp_path / "there.tif"
    there.write_bytes(b"precious")
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(there), ""))
    at.click(at.form.output.file.browse_button)
    assert "exists already" in at.said()[1]
    assert not at.widget.run_button.isEnabled()
    at.pick(at.form.output.choice, "New layer")
    assert at.said() == (None, "")
    assert at.run() is not None
    assert there.read_bytes() == b"precious"


def test_a_lazy_layer_is_there_at_once_and_shows_the_eager_pixels(
    samples: Any, desk: Any, models: Any
) -> None:
    at = desk(samples.gray())
    source = at.viewer.layers[0]
    at.pick(at.form.output.choice, "New layer, computed where one looks")
    result = at.run()
    assert result is not None, at.said()
    at.wait(lambda: result.visible)
    data = result.data[0] if result.multiscale else result.data
    assert isinstance(data, dask.array.Array)
    expected = translate(source, models.bundled / "nuclei.safetensors", "real", progress=False)
    np.testing.assert_allclose(np.asarray(data), expected.data, rtol=0, atol=1e-4 * 255)
    np.testing.assert_allclose(result.extent.world, source.extent.world)


def test_a_canceled_file_is_gone_on_with(
    samples: Any, desk: Any, gate: Any, tmp_path: Path
) -> None:
    at = desk(samples.stack())
    at.pick(at.form.output.choice, "OME-Zarr file")
    path = tmp_path / "slow.ome.zarr"
    at.form.output.file.edit.clear()
    at.qtbot.keyClicks(at.form.output.file.edit, str(path))
    at.click(at.widget.run_button)
    at.wait(gate.reached.is_set)
    at.click(at.widget.cancel_button)
    gate.opened.set()
    at.wait_for_end()
    assert not path.exists()
    assert path.with_name(path.name + ".partial").is_dir()
    assert len(at.viewer.layers) == 1
    assert at.run() is not None, at.said()
    assert path.is_dir()
