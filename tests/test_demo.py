from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_unit import cli, demo
from napari_unit.demo import DemoSettings, run_demo
from napari_unit.domains import Domain, IntensityScaling
from napari_unit.images.files import open_path
from napari_unit.images.placement import PixelSize
from napari_unit.job import translation_job
from napari_unit.models import zoo
from napari_unit.progress import carry_out
from napari_unit.request import TranslationRequest
from napari_unit.simulate import PIXEL_SIZE_UM

SYNTHETIC = Domain(
    "synthetic", ("dna",), IntensityScaling("percentiles", 0.5, 99.5, (100.0,), (40000.0,))
)
REAL = Domain("real", ("dna",), IntensityScaling("range", 0.0, 255.0))
SIZE = PixelSize(PIXEL_SIZE_UM, PIXEL_SIZE_UM, None, "µm")


@pytest.fixture(autouse=True)
def workplace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, save_tiny_model: Callable[..., Path]
) -> Path:
    """Work in an empty folder, with a bundled model and without a display."""
    bundled, here = tmp_path / "bundled", tmp_path / "here"
    bundled.mkdir()
    here.mkdir()
    save_tiny_model("nuclei", SYNTHETIC, REAL, folder=bundled)
    monkeypatch.setattr(zoo, "bundled_folder", lambda: bundled)
    monkeypatch.chdir(here)
    monkeypatch.setattr(demo, "_has_display", lambda: False)
    return here


def test_the_demo_writes_all_it_promises(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["demo", "--size", "160", "--no-viewer", "--tile", "64"]) == 0
    folder = workplace / "napari-unit-demo"
    names = ["labels.ome.tif", "side_by_side.png", "simulated.ome.tif", "translation.ome.tif"]
    beside = "translation.ome.tif.calibration.safetensors"
    assert sorted(path.name for path in folder.iterdir()) == [*names, beside]
    images = {name: open_path(folder / name) for name in names if name.endswith("tif")}
    assert all(image.shape == (160, 160) for image in images.values())
    assert all(image.pixel_size == SIZE for image in images.values())
    labels = images["labels.ome.tif"].array[:]
    assert labels.dtype == np.int32
    assert labels.max() > 1
    translation = images["translation.ome.tif"].array[:]
    assert 0 <= translation.min() < translation.max() <= 255
    expected = carry_out(
        translation_job(
            open_path(folder / "simulated.ome.tif"), TranslationRequest("nuclei", "real")
        ),
        progress=False,
    )
    assert np.allclose(translation, expected.array, atol=1e-4 * 255 / 2, rtol=0)
    with Image.open(folder / "side_by_side.png") as picture:
        assert min(picture.size) > 900
    out, err = capsys.readouterr()
    for name in (*names, beside):
        assert f"napari-unit-demo/{name}" in out.replace("\\", "/")
    assert "in napari:  napari " in out
    assert "Simulating nuclei on 160 × 160 px" in err
    assert "Translating: 0.026 of 0.026 Mpx" in err


def test_a_second_run_takes_a_fresh_folder(workplace: Path) -> None:
    settings = DemoSettings(size_px=64, viewer=False)
    first, second, third = (run_demo(settings) for _ in range(3))
    assert [f.picture.parent.name for f in (first, second, third)] == [
        "napari-unit-demo", "napari-unit-demo-2", "napari-unit-demo-3",
    ]  # fmt: skip
    assert np.array_equal(tifffile.imread(first.simulated), tifffile.imread(third.simulated))
    other = run_demo(DemoSettings(size_px=64, seed=1, viewer=False))
    assert not np.array_equal(tifffile.imread(first.simulated), tifffile.imread(other.simulated))


def test_a_folder_of_ones_own_must_be_empty(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_demo(DemoSettings(size_px=64, out="new/folder", viewer=False))
    assert cli.main(["demo", "--size", "64", "--out", "new/folder"]) == 2
    assert "is there and not empty; give a new folder as --out" in capsys.readouterr().err


@pytest.mark.parametrize("size", ["8", "-1", "1000000"])
def test_sizes_have_bounds(workplace: Path, size: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["demo", "--size", size]) == 2
    assert f"size is {size} px; it must be from 64 to" in capsys.readouterr().err
    assert list(workplace.iterdir()) == []


def test_the_model_must_take_synthetic_images(
    workplace: Path, save_tiny_model: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    other = Domain("other", ("dna",), IntensityScaling("range", 0.0, 255.0))
    path = save_tiny_model("others", REAL, other)
    assert cli.main(["demo", "--size", "64", "--model", str(path)]) == 2
    assert "needs one with a domain 'synthetic'" in capsys.readouterr().err
    assert cli.main(["demo", "--size", "64", "--model", "cells"]) == 2
    assert list(workplace.iterdir()) == []


def test_without_napari_a_display_gets_a_hint(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "_has_display", lambda: True)
    monkeypatch.setitem(__import__("sys").modules, "napari", None)
    run_demo(DemoSettings(size_px=64))
    assert "install it with: pip install 'napari-unit[all]'" in capsys.readouterr().err


@pytest.mark.qt
def test_a_display_gets_the_layers_one_over_the_other(
    make_napari_viewer: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    import napari

    viewer = make_napari_viewer()
    monkeypatch.setattr(demo, "_has_display", lambda: True)
    monkeypatch.setattr(napari, "Viewer", lambda **_: viewer)
    monkeypatch.setattr(napari, "run", lambda: None)
    run_demo(DemoSettings(size_px=96))
    names = ["simulated nuclei", "simulated nuclei [synthetic → real]", "labels"]
    assert [layer.name for layer in viewer.layers] == names
    first, *others = viewer.layers
    for layer in others:
        assert layer.extent.world == pytest.approx(first.extent.world)
        assert layer.units == first.units
        assert layer.axis_labels == first.axis_labels
    assert tuple(first.scale) == (PIXEL_SIZE_UM, PIXEL_SIZE_UM)
