import base64
import io
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from napari_unit_training.config_tables import DomainSettings
from napari_unit_training.data import inspecting
from napari_unit_training.data.inspecting import inspect_sources
from napari_unit_training.data.run_images import load_domains
from napari_unit_training.errors import TrainingError


def inspect(settings, a, b):
    return list(inspect_sources(settings, a, b))


def test_it_says_what_a_training_would_take_the_images_for(settings, folders):
    a, b = inspect(settings, *folders)
    loaded = load_domains(settings, *folders, torch.device("cpu"))
    for found, domain in zip((a, b), loaded, strict=True):
        described = domain.description
        assert found.name == domain.domain.name
        assert found.channels == domain.domain.channels
        assert (found.n_images, found.n_planes) == (described["images"], described["planes"])
        assert list(found.height_px) == described["height_px"]
        assert list(found.width_px) == described["width_px"]
        assert list(found.dtypes) == described["dtypes"]
        assert found.notes == domain.notes
        scaling = domain.domain.scaling
        assert found.scaling == f"{scaling.kind}:{scaling.low:g},{scaling.high:g}"
        # these images are small enough to be read whole
        window = domain.domain.typical_window
        np.testing.assert_allclose(found.low, window.low, rtol=0.02, atol=50)
        np.testing.assert_allclose(found.high, window.high, rtol=0.02)
        assert found.problems == ()
    assert (a.side, b.side) == ("a", "b")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda folder: (folder / "0.tif").write_bytes(b"II*\0nothing"),
        lambda folder: tifffile.imwrite(folder / "0.tif", np.zeros((20, 20), "u2")),
        lambda folder: tifffile.imwrite(folder / "0.tif", np.zeros((64, 64, 3), "u1")),
        lambda folder: tifffile.imwrite(folder / "0.tif", np.full((64, 64), np.nan, "f4")),
        lambda folder: [path.unlink() for path in folder.iterdir()],
    ],
    ids=["damaged", "too small", "other channels", "NaN", "empty folder"],
)
def test_problems_are_told_in_the_sentences_of_the_training(settings, folders, spoil):
    spoil(folders[0])
    with pytest.raises(TrainingError) as refused:
        load_domains(settings, *folders, torch.device("cpu"))
    a, b = inspect(settings, *folders)
    assert " ".join(a.problems) == str(refused.value)
    assert not b.problems


def test_bad_images_that_are_skipped_are_notes(settings, folders):
    (folders[0] / "0.tif").write_bytes(b"II*\0nothing")
    skipping = replace(settings, skip_bad_images=True)
    a, _ = inspect(skipping, *folders)
    assert a.problems == ()
    assert a.notes[0].startswith("Left out: 1 of the images")
    assert a.n_planes == 2


def test_equal_names_are_a_problem(settings, folders):
    same = replace(settings, domain_b=DomainSettings(name="left"))
    a, b = inspect(same, *folders)
    assert not a.problems
    assert "Both domains are called 'left'" in b.problems[0]


def test_axes_are_taken_as_the_settings_say(settings, tmp_path, folders):
    (tmp_path / "stacks").mkdir()
    pixels = np.random.default_rng(0).integers(0, 99, (2, 40, 40)).astype("u1")
    tifffile.imwrite(
        tmp_path / "stacks" / "x.tif", pixels, photometric="minisblack", metadata={"axes": "QYX"}
    )
    a, _ = inspect(settings, tmp_path / "stacks", folders[1])
    assert (a.n_planes, len(a.channels)) == (2, 1)
    assert "each plane an image" in a.notes[0]
    named = replace(settings, domain_a=DomainSettings(name="left", axes="CYX"))
    a, _ = inspect(named, tmp_path / "stacks", folders[1])
    assert (a.n_planes, a.channels, len(a.low)) == (1, ("channel 0", "channel 1"), 2)


def test_thumbnails_are_small_pictures_of_the_images(settings, tmp_path, folders):
    (tmp_path / "bright").mkdir()
    pixels = np.zeros((200, 100), "u2")
    pixels[:, 50:] = 4000
    tifffile.imwrite(tmp_path / "bright" / "x.tif", pixels)
    a, b = inspect(settings, tmp_path / "bright", folders[1])
    (thumbnail,) = a.thumbnails
    with Image.open(io.BytesIO(base64.b64decode(thumbnail))) as picture:
        shown = np.asarray(picture)
    assert shown.shape == (72, 36, 3)
    assert shown[:, :16].max() < 10
    assert shown[:, 20:].min() > 245
    assert len(b.thumbnails) == 2


def test_of_many_images_a_few_are_looked_at_and_that_is_said(
    settings, write_images, folders, monkeypatch
):
    many = write_images("many", [(40, 40)] * 12, 3)
    monkeypatch.setattr(inspecting, "MOST_OPENED", 5)
    monkeypatch.setattr(inspecting, "MOST_SAMPLED", 2)
    opened = []
    real = inspecting.ImageFiles.open
    monkeypatch.setattr(
        inspecting.ImageFiles, "open", lambda self, path: opened.append(path) or real(self, path)
    )
    a, _ = inspect(settings, many, folders[1])
    assert (a.n_images, a.n_looked_at, a.n_planes) == (12, 5, 5)
    assert "5 of 12 images were looked at" in a.notes[-1]
    assert len({path for path in opened if path.parent == many}) == 5
    assert len(a.thumbnails) == 2


def test_of_a_large_image_its_middle_is_read(settings, tmp_path, folders, monkeypatch):
    (tmp_path / "large").mkdir()
    pixels = np.random.default_rng(0).integers(0, 200, (1500, 1600)).astype("u1")
    np.save(tmp_path / "large" / "x.npy", pixels)
    read = []
    real = inspecting.ArraySource.read
    monkeypatch.setattr(
        inspecting.ArraySource,
        "read",
        lambda self, plane, region: read.append(region) or real(self, plane, region),
    )
    inspect(settings, tmp_path / "large", folders[1])
    assert (read[0].rows.length, read[0].columns.length) == (512, 512)
    assert (read[0].rows.start, read[0].columns.start) == (494, 544)


def test_it_needs_no_torch():
    program = (
        "import sys, napari_unit_training.data.inspecting\n"
        "print({'torch', 'kornia', 'qtpy'} & set(sys.modules))"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ran.stdout == "set()\n", ran.stderr
