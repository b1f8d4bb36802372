"""Layers saved as OME-Zarr as a person does it: through napari, in a real viewer."""

import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dask.array
import numpy as np
import pytest
import zarr
from napari.utils.notifications import notification_manager
from ome_zarr.io import parse_url
from ome_zarr.reader import Reader

import napari_unit
from napari_unit._widget.saving import write_ome_zarr

pytestmark = pytest.mark.qt
MANIFEST = Path(napari_unit.__file__).with_name("napari.yaml")
NAME = "UNIT unpaired translation OME-Zarr"


@pytest.fixture
def viewer(npe2pm: Any, make_napari_viewer: Any) -> Iterator[Any]:
    """Give a viewer that knows this plugin and napari's own."""
    with npe2pm.tmp_plugin(manifest=str(MANIFEST)), npe2pm.tmp_plugin(package="napari"):
        yield make_napari_viewer()


@pytest.mark.parametrize("kind", ["gray", "rgb", "multiscale", "lazy", "stack"])
def test_a_layer_is_saved_and_found_again_where_it_was(
    kind: str, samples: Any, viewer: Any, tmp_path: Path
) -> None:
    layer = viewer.add_layer(getattr(samples, kind)())
    for name in ("rotate", "shear"):
        setattr(layer, name, np.eye(layer.ndim))
    layer.affine = np.eye(layer.ndim + 1)
    path = tmp_path / "a.ome.zarr"
    assert viewer.layers.save(str(path)) == [str(path)]
    location = parse_url(path)
    assert location is not None
    (node, *_) = list(Reader(location)())
    full = np.asarray(layer.data[0] if layer.multiscale else layer.data)
    stored = node.data[0].compute()
    np.testing.assert_array_equal(stored, full.transpose(2, 0, 1) if layer.rgb else full)
    scale, translation = node.metadata["coordinateTransformations"][0]
    np.testing.assert_allclose(scale["scale"][-layer.ndim :], layer.scale)
    np.testing.assert_allclose(translation["translation"][-layer.ndim :], layer.translate)
    units = [axis.get("unit") for axis in node.metadata["axes"]]
    assert units[-2:] == ["micrometer", "micrometer"]
    if layer.multiscale:
        assert [level.shape for level in node.data] == [level.shape for level in layer.data]
    # napari's own reader finds the levels and nothing of where they are
    (opened,) = viewer.open(str(path), plugin="napari")
    np.testing.assert_array_equal(
        np.asarray(opened.data[0] if opened.multiscale else opened.data), stored
    )


def test_it_is_offered_in_the_dialog_and_saves_what_a_person_has_named(
    samples: Any, viewer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    viewer.add_layer(samples.gray())
    qt_viewer = viewer.window._qt_viewer
    offered: list[str] = []

    class Dialog:
        def __init__(self, *_: Any) -> None: ...

        def setHistory(self, _: Any) -> None: ...

        def getSaveFileName(self, *_: Any, **options: Any) -> tuple[str, str]:
            offered.extend(options["filter"].split(";;"))
            (ours,) = (entry for entry in offered if entry.startswith(NAME))
            return str(tmp_path / "cells"), ours

        class Option:
            DontUseNativeDialog = None

            def __new__(cls, *_: Any) -> Any: ...

        Options = Option  # as older versions of napari say it

    monkeypatch.setattr("napari._qt.qt_viewer.QFileDialog", Dialog)
    qt_viewer._save_layers_dialog(selected=True)
    assert f"{NAME} (*.ome.zarr *.zarr)" in offered
    assert os.listdir(tmp_path) == ["cells.ome.zarr"]


def test_what_an_ome_zarr_cannot_hold_is_told(samples: Any, viewer: Any, tmp_path: Path) -> None:
    layer = viewer.add_layer(samples.gray())
    before = len(notification_manager.records)
    viewer.layers.save(str(tmp_path / "a.zarr"))
    told = [record.message for record in list(notification_manager.records)[before:]]
    (sentence,) = told
    assert sentence == (
        "An OME-Zarr holds scale and translation only: a.zarr lacks its rotation, its shear, its "
        "affine transform."
    )
    pixels = zarr.open_group(tmp_path / "a.zarr", mode="r")["0"][...]
    np.testing.assert_array_equal(pixels, layer.data)


def test_without_a_window_it_is_a_warning(
    samples: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notification_manager, "notification_ready", SimpleNamespace(callbacks=()))
    data, state, _ = samples.gray().as_layer_data_tuple()
    with pytest.warns(UserWarning, match="a.zarr lacks its rotation, its shear"):
        write_ome_zarr(str(tmp_path / "a.zarr"), data, state)


def test_a_path_that_is_there_is_an_error_that_napari_passes_on(
    samples: Any, viewer: Any, tmp_path: Path
) -> None:
    viewer.add_layer(samples.image_layer(samples.pixels(20, 20)))
    viewer.layers.save(str(tmp_path / "a.zarr"))
    before = (tmp_path / "a.zarr" / "zarr.json").stat().st_mtime_ns
    with pytest.raises(FileExistsError, match=r"a\.zarr exists already; remove it or give another"):
        viewer.layers.save(str(tmp_path / "a.zarr"))
    assert (tmp_path / "a.zarr" / "zarr.json").stat().st_mtime_ns == before


def test_an_array_that_lies_is_an_error_that_napari_passes_on(tmp_path: Path) -> None:
    """Napari takes a ValueError for a plugin that does not write such files."""

    class Lying:
        shape, dtype, ndim = (20, 20), np.dtype("u1"), 2

        def __getitem__(self, index: Any) -> np.ndarray:
            return np.full((20, 20), 0.5)

    with pytest.raises(OSError, match="says that it holds uint8; give it the right dtype"):
        write_ome_zarr(str(tmp_path / "a.zarr"), Lying(), {"name": "a"})
    assert os.listdir(tmp_path) == []


def test_the_activity_dock_shows_how_far_it_is(
    viewer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari.utils import progress

    seen: list[tuple[int, int]] = []
    update = progress.update

    def noted(bar: Any, n: int = 1) -> None:
        update(bar, n)
        seen.append((bar.n, bar.total))

    monkeypatch.setattr(progress, "update", noted)
    viewer.add_image(dask.array.zeros((5, 40, 40), chunks=(1, 40, 40)), contrast_limits=(0, 1))
    viewer.layers.save(str(tmp_path / "a.zarr"))
    assert seen == [(done, 5) for done in range(1, 6)]
    assert not list(progress._all_instances)
