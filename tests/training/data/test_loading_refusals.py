"""What cannot be trained on is refused in one sentence, or left out where that is asked for."""

from dataclasses import replace

import numpy as np
import pytest
import tifffile
from saved_images import random_image, save_image

from napari_unit_training.config_tables import DomainSettings
from napari_unit_training.data.loading import load_domain
from napari_unit_training.errors import TrainingError

CROP = 16
PLAIN = DomainSettings(name="cells")


def test_a_missing_folder(tmp_path):
    with pytest.raises(TrainingError, match=r"There is no .*nowhere; give a folder"):
        load_domain(tmp_path / "nowhere", PLAIN, CROP)


def test_a_folder_without_images(folder):
    (folder / "notes.txt").write_text("x")
    with pytest.raises(TrainingError, match=r"has no images; it needs files that end in \.tif"):
        load_domain(folder, PLAIN, CROP)


def _bad(kind: str) -> np.ndarray:
    flat = np.full((16, 16), 7, np.uint16)
    speck = np.zeros((16, 16), np.float32)
    holes = random_image(16, 16, dtype="float32")
    holes[3, 3] = np.nan if kind == "nan" else np.inf
    return {
        "small": random_image(15, 40),
        "constant": flat,
        "nan": holes,
        "inf": holes,
        "complex": speck + 1j * speck,
        "bool": speck > 0,
        "rgb": random_image(16, 16, 3),
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
    ],
)
def test_each_bad_image_has_its_sentence_and_is_named(folder, kind, sentence):
    save_image(folder, "good.tif", random_image(16, 16))
    save_image(folder, "bad.tif", _bad(kind))
    with pytest.raises(TrainingError, match=sentence) as caught:
        load_domain(folder, PLAIN, CROP)
    assert "1 of the images" in str(caught.value) or kind == "rgb"


def test_unreadable_files_are_named_together(folder):
    save_image(folder, "good.tif", random_image(16, 16))
    (folder / "one.png").write_bytes(b"nonsense")
    np.save(folder / "two.npy", random_image(6, 16, 16))
    expected = r"2 of the images .* cannot be used.*: one\.png \(is no TIFF.*two\.npy \(.*3 axes"
    with pytest.raises(TrainingError, match=expected):
        load_domain(folder, PLAIN, CROP)


def test_bad_images_are_left_out_only_where_that_is_asked_for(folder):
    for index in range(3):
        save_image(folder, f"good{index}.tif", random_image(20, 20))
    save_image(folder, "flat.tif", _bad("constant"))
    save_image(folder, "holes.tif", _bad("nan"))
    save_image(folder, "small.tif", _bad("small"))
    save_image(folder, "rgb.tif", _bad("rgb"))
    (folder / "torn.png").write_bytes(b"nonsense")
    loaded = load_domain(folder, PLAIN, CROP, skip_bad=True)
    assert [image.path.name for image in loaded.images] == ["good0.tif", "good1.tif", "good2.tif"]
    said = " ".join(loaded.notes)
    assert all(f"{name}." in said for name in ("flat", "holes", "small", "rgb", "torn"))
    assert loaded.notes[0].startswith("Left out: 1 of the images in ")


def test_a_source_of_bad_images_alone_is_refused_all_the_same(folder):
    save_image(folder, "flat.tif", _bad("constant"))
    with pytest.raises(TrainingError, match="have the same value everywhere"):
        load_domain(folder, PLAIN, CROP, skip_bad=True)


def test_a_damaged_tile_is_found_before_the_training_starts(folder):
    path = folder / "a.tif"
    tifffile.imwrite(path, random_image(64, 64), tile=(32, 32), compression="zlib")
    with tifffile.TiffFile(path) as tif:
        start = tif.pages[0].dataoffsets[2]
    with path.open("rb+") as file:
        file.seek(start)
        file.write(b"\0" * 30)
    with pytest.raises(TrainingError, match=r"cannot be read to their end; .*: a\.tif \(.*damaged"):
        load_domain(folder, PLAIN, CROP)


def test_problems_of_several_images_are_told_together_and_cut_short(folder):
    for index in range(8):
        save_image(folder, f"{index}.tif", np.zeros((16, 16), np.uint8))
    save_image(folder, "small.tif", random_image(4, 4))
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
    save_image(folder, "a.tif", random_image(16, 16))
    with pytest.raises(TrainingError, match=sentence):
        load_domain(folder, replace(PLAIN, scaling=scaling), CROP)


def test_a_domain_name_with_blanks_around_is_refused(folder):
    save_image(folder, "a.tif", random_image(16, 16))
    with pytest.raises(TrainingError, match="' cells'"):
        load_domain(folder, replace(PLAIN, name=" cells"), CROP)
