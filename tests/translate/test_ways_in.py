import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from napari.layers import Image

import napari_unit
from napari_unit import cli
from napari_unit.domains import Domain
from napari_unit.models import zoo
from napari_unit.models.card import ModelFileError
from napari_unit.models.file import load_model


def test_layer_array_file_and_command_line_make_the_same_pixels(
    gray: np.ndarray,
    nuclei_domains: tuple[Domain, Domain],
    tmp_path: Path,
    nuclei: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    tifffile.imwrite(tmp_path / "in.tif", gray)
    expected = napari_unit.translate(gray, nuclei, "real")
    layer = napari_unit.translate(Image(gray), nuclei, "real")
    assert np.array_equal(layer.data, expected)
    out = tmp_path / "out.ome.tif"
    arguments = ["translate", str(tmp_path / "in.tif"), str(out), "--model", str(nuclei)]
    assert cli.main([*arguments, "--to", "real", "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")
    assert np.array_equal(tifffile.imread(out), expected)
    assert np.array_equal(napari_unit.translate(tmp_path / "in.tif", nuclei, "real"), expected)
    loaded = load_model(nuclei)
    assert np.array_equal(napari_unit.translate(gray, loaded, "real"), expected)
    assert loaded.model.domains == nuclei_domains


def test_without_a_model_the_bundled_one_that_fits_is_taken(
    gray: np.ndarray,
    color: np.ndarray,
    nuclei_domains: tuple[Domain, Domain],
    tmp_path: Path,
    save_tiny_model: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    save_tiny_model("nuclei", *nuclei_domains, folder=tmp_path)
    monkeypatch.setattr(zoo, "bundled_folder", lambda: tmp_path)
    made = napari_unit.translate(Image(gray), to="real")
    assert made.metadata["napari_unit"]["model"] == "nuclei"
    with pytest.raises(ModelFileError, match="images of 3 channels; there is 'nuclei'"):
        napari_unit.translate(color, axes="YXS")


BLOCKED = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"napari", "qtpy", "magicgui", "PyQt6", "PySide6", "vispy"}:
            raise ImportError(f"{name} is not installed here")
sys.meta_path.insert(0, Block())
import numpy, napari_unit
from pathlib import Path
model, source, out = sys.argv[1:]
image = numpy.load(source)
made = napari_unit.translate(image, model, "real")
assert napari_unit.translate(Path(source).with_suffix(".tif"), model, "real", out=out) == Path(out)
numpy.save(source, made)
"""


def test_arrays_and_files_need_neither_napari_nor_qt(
    gray: np.ndarray, tmp_path: Path, nuclei: Path
) -> None:
    np.save(tmp_path / "a.npy", gray)
    tifffile.imwrite(tmp_path / "a.tif", gray)
    arguments = [str(nuclei), str(tmp_path / "a.npy"), str(tmp_path / "o.tif")]
    run = subprocess.run(
        [sys.executable, "-c", BLOCKED, *arguments], capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stderr) == (0, "")
    assert np.array_equal(np.load(tmp_path / "a.npy"), tifffile.imread(tmp_path / "o.tif"))
