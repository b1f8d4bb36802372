from dataclasses import replace
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
import torch

from napari_unit_training.config import DomainSettings
from napari_unit_training.data import load_domain
from napari_unit_training.errors import TrainingError

CROP = 16
PLAIN = DomainSettings(name="cells")


def _random(*shape: int, dtype: str = "uint16") -> np.ndarray:
    return np.random.default_rng(0).integers(0, 250, shape).astype(dtype)


def _save(folder: Path, name: str, pixels: np.ndarray) -> None:
    folder.mkdir(exist_ok=True)
    if name.endswith(".png"):
        (folder / name).write_bytes(imagecodecs.png_encode(pixels))
    elif name.endswith(".jpg"):
        (folder / name).write_bytes(imagecodecs.jpeg_encode(pixels))
    else:
        rgb = pixels.ndim == 3 and pixels.shape[2] == 3
        tifffile.imwrite(folder / name, pixels, photometric="rgb" if rgb else "minisblack")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "microscope"
    path.mkdir()
    return path


def test_mixed_files_of_one_kind_become_one_domain(folder):
    _save(folder, "a.tif", _random(20, 30))
    _save(folder, "b.png", _random(16, 16, dtype="uint8"))
    _save(folder, "c.jpg", _random(40, 17, dtype="uint8"))
    _save(folder, "d.tiff", _random(18, 18, dtype="float32") / 7)
    _save(folder, "e.PNG".lower(), _random(19, 19) * 200)
    (folder / "notes.txt").write_text("not an image")
    (folder / ".hidden.tif").write_text("nor this")
    loaded = load_domain(folder, PLAIN, CROP)
    assert [tuple(i.shape) for i in loaded.images] == [
        (1, 20, 30), (1, 16, 16), (1, 40, 17), (1, 18, 18), (1, 19, 19),
    ]  # fmt: skip
    for image in loaded.images:
        assert image.dtype == torch.float32
        assert image.min() == -1
        assert image.max() == 1
    assert loaded.domain.channels == ("intensity",)
    assert loaded.description == {
        "folder": "microscope",
        "images": 5,
        "dtypes": ["float32", "uint16", "uint8"],
        "height_px": [16, 40],
        "width_px": [16, 30],
    }


def test_percentiles_map_each_image_by_its_own_and_the_medians_are_kept(folder):
    for index, top in enumerate((100, 1000, 3000)):
        pixels = np.linspace(top / 10, top, 400, dtype=np.float32).reshape(20, 20)
        _save(folder, f"{index}.tif", pixels)
    loaded = load_domain(folder, replace(PLAIN, scaling="percentiles:0,50"), CROP)
    scaling = loaded.domain.scaling
    assert (scaling.kind, scaling.low, scaling.high) == ("percentiles", 0, 50)
    assert scaling.typical_low == pytest.approx((100,))
    assert scaling.typical_high == pytest.approx((550,))
    torch.testing.assert_close(loaded.images[0], loaded.images[2])
    assert (loaded.images[0] == 1).float().mean() == pytest.approx(0.5, abs=0.01)


def test_a_range_is_the_same_for_all_images(folder):
    _save(folder, "a.tif", np.full((16, 16), 50, np.uint16) + np.eye(16, dtype=np.uint16) * 50)
    loaded = load_domain(folder, replace(PLAIN, scaling="range:0,200"), CROP)
    assert loaded.images[0].unique().tolist() == [-0.5, 0.0]
    assert loaded.domain.scaling.kind == "range"


@pytest.mark.parametrize(
    ("pixels", "kind"),
    [
        (_random(16, 16, 3, dtype="uint8"), "range"),
        (_random(16, 16, 3, dtype="uint16"), "percentiles"),
        (_random(16, 16, dtype="uint8"), "percentiles"),
    ],
)
def test_only_8_bit_rgb_defaults_to_its_full_range(folder, pixels, kind):
    _save(folder, "a.png", pixels)
    scaling = load_domain(folder, PLAIN, CROP).domain.scaling
    bounds = {"range": (0, 255), "percentiles": (0.1, 99.9)}
    assert (scaling.kind, scaling.low, scaling.high) == (kind, *bounds[kind])


def test_colours_get_their_names_and_others_numbers(folder, tmp_path):
    _save(folder, "a.png", _random(16, 16, 3, dtype="uint8"))
    assert load_domain(folder, PLAIN, CROP).domain.channels == ("red", "green", "blue")
    other = tmp_path / "other"
    other.mkdir()
    tifffile.imwrite(other / "a.tif", _random(2, 16, 16), metadata={"axes": "CYX"})
    assert load_domain(other, PLAIN, CROP).domain.channels == ("channel 0", "channel 1")
    named = replace(PLAIN, channels=("DAPI", "actin"))
    assert load_domain(other, named, CROP).domain.channels == ("DAPI", "actin")
    with pytest.raises(TrainingError, match=r"1 channels are named \(DAPI\), but .* have 2"):
        load_domain(other, replace(PLAIN, channels=("DAPI",)), CROP)


def test_an_unnamed_domain_is_called_as_its_folder(folder):
    _save(folder, "a.tif", _random(16, 16))
    assert load_domain(folder, DomainSettings(), CROP).domain.name == "microscope"


def test_alpha_is_dropped_with_a_note(folder):
    _save(folder, "a.png", _random(16, 16, 4, dtype="uint8"))
    _save(folder, "b.png", _random(16, 16, 3, dtype="uint8"))
    loaded = load_domain(folder, PLAIN, CROP)
    assert loaded.domain.n_channels == 3
    assert len(loaded.notes) == 1
    assert "alpha channel of 1 images" in loaded.notes[0]
    assert "a.png" in loaded.notes[0]


def test_the_fingerprint_sees_pixels_and_names(folder):
    _save(folder, "a.tif", _random(16, 16))
    first = load_domain(folder, PLAIN, CROP).fingerprint
    assert load_domain(folder, PLAIN, CROP).fingerprint == first
    (folder / "a.tif").rename(folder / "b.tif")
    second = load_domain(folder, PLAIN, CROP).fingerprint
    _save(folder, "b.tif", _random(16, 16).T)
    assert len({first, second, load_domain(folder, PLAIN, CROP).fingerprint}) == 3


def test_a_missing_folder(tmp_path):
    with pytest.raises(TrainingError, match=r"There is no folder .*nowhere"):
        load_domain(tmp_path / "nowhere", PLAIN, CROP)


def test_a_folder_without_images(folder):
    (folder / "notes.txt").write_text("x")
    with pytest.raises(TrainingError, match=r"has no images; it needs files that end in \.tif"):
        load_domain(folder, PLAIN, CROP)


def _bad(kind: str) -> np.ndarray:
    flat = np.full((16, 16), 7, np.uint16)
    speck = np.zeros((16, 16), np.float32)
    holes = _random(16, 16, dtype="float32")
    holes[3, 3] = np.nan if kind == "nan" else np.inf
    lit = np.zeros((64, 64), np.uint16)
    lit[0, 0] = 9
    return {
        "small": _random(15, 40),
        "constant": flat,
        "nan": holes,
        "inf": holes,
        "complex": speck + 1j * speck,
        "bool": speck > 0,
        "rgb": _random(16, 16, 3),
        "nearly constant": lit,
    }[kind]


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("small", r"are smaller than the crop of 16 x 16 pixels; .*: bad\.tif \(15 x 40\)\."),
        ("constant", r"have the same value everywhere; take them out: bad\.tif\."),
        ("nan", r"hold NaN or infinite pixels; replace them: bad\.tif\."),
        ("inf", r"hold NaN or infinite pixels; replace them: bad\.tif\."),
        ("complex", r"hold no real numbers; .*: bad\.tif \(complex"),
        ("bool", r"hold no real numbers; .*: bad\.tif \(bool\)"),
        ("rgb", r"differing numbers of channels \(1: good\.tif; 3: bad\.tif\)"),
        ("nearly constant", r"same value at their percentiles 0\.1 and 99\.9 .*: bad\.tif\."),
    ],
)
def test_each_bad_image_has_its_sentence_and_is_named(folder, kind, sentence):
    _save(folder, "good.tif", _random(16, 16))
    _save(folder, "bad.tif", _bad(kind))
    with pytest.raises(TrainingError, match=sentence) as caught:
        load_domain(folder, PLAIN, CROP)
    assert "1 of the images" in str(caught.value) or kind == "rgb"


def test_unreadable_files_are_named_together(folder):
    _save(folder, "good.tif", _random(16, 16))
    (folder / "one.png").write_bytes(b"nonsense")
    tifffile.imwrite(
        folder / "two.tif", _random(6, 16, 16), metadata={"axes": "ZYX"}, photometric="minisblack"
    )
    with pytest.raises(TrainingError, match=r"one\.png cannot be read.*; two\.tif has axes ZYX"):
        load_domain(folder, PLAIN, CROP)


def test_problems_of_several_images_are_told_together_and_cut_short(folder):
    for index in range(8):
        _save(folder, f"{index}.tif", np.zeros((16, 16), np.uint8))
    _save(folder, "small.tif", _random(4, 4))
    with pytest.raises(TrainingError) as caught:
        load_domain(folder, PLAIN, CROP)
    text = str(caught.value)
    assert "small.tif (4 x 4)" in text
    assert "8 of the images" in text
    assert "4.tif and 3 more" in text


@pytest.mark.parametrize(
    ("scaling", "sentence"),
    [
        ("minmax", "it must be 'auto', 'percentiles:LOW,HIGH' or 'range:LOW,HIGH'"),
        ("range:0", "it must be 'auto'"),
        ("range:0,1,2", "it must be 'auto'"),
        ("range:a,b", "it must be 'auto'"),
        ("range:5,5", "LOW must be below HIGH"),
        ("range:nan,5", "LOW must be below HIGH"),
        ("percentiles:-1,99", "percentiles lie from 0 to 100"),
        ("percentiles:1,101", "percentiles lie from 0 to 100"),
    ],
)
def test_a_scaling_that_maps_nothing_is_refused(folder, scaling, sentence):
    _save(folder, "a.tif", _random(16, 16))
    with pytest.raises(TrainingError, match=sentence):
        load_domain(folder, replace(PLAIN, scaling=scaling), CROP)


def test_a_domain_name_with_blanks_around_is_refused(folder):
    _save(folder, "a.tif", _random(16, 16))
    with pytest.raises(TrainingError, match="' cells'"):
        load_domain(folder, replace(PLAIN, name=" cells"), CROP)
