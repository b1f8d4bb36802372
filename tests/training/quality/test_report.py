import json
import math
from dataclasses import replace
from pathlib import Path

from napari_unit.domains import Domain, IntensityScaling
from napari_unit.models.architecture import Architecture
from napari_unit.models.card import ModelCard
from napari_unit_training.quality.crops import CropChoice
from napari_unit_training.quality.fid import InceptionQuality
from napari_unit_training.quality.measures import DirectionQuality
from napari_unit_training.quality.paired import PairedQuality
from napari_unit_training.quality.report import remarks, table_rows, write_report

PLAIN = [
    DirectionQuality("a", "b", 1.25, 2.5, 0.5, 0.25, 0.5, 0.125, 0.75),
    DirectionQuality("b", "a", 1.5, None, 0.25, 0.5, 1.5, 0.0625, -0.5),
]
FULL = [
    replace(
        quality,
        paired=PairedQuality(math.inf, 0.5, 0.987),
        inception=InceptionQuality(123.456, 0.01234, 0.002, 50),
    )
    for quality in PLAIN
]


def test_the_table_has_rows_for_what_was_measured() -> None:
    assert list(table_rows(PLAIN).values()) == [
        ["1.250", "1.500"], ["2.500", "–"], ["0.500", "0.250"], ["0.250", "0.500"],
        ["0.50", "1.50"], ["0.125", "0.062"], ["0.750", "-0.500"],
    ]  # fmt: skip
    more = dict(list(table_rows(FULL).items())[7:])
    assert {name: cells[0] for name, cells in more.items()} == {
        "PSNR against the pairs (dB)": "inf",
        "SSIM against the pairs (1: equal)": "0.500",
        "pixels of the right color": "98.7%",
        "FID": "123.46",
        "KID (and its deviation)": "0.0123 (0.0020)",
    }


def test_remarks_tell_what_a_number_is() -> None:
    (plain,) = remarks(PLAIN, 200)
    assert plain.startswith("200 crops of each domain")
    told = " ".join(remarks(FULL, 200))
    for part in (plain, "more than 16 of 255", "KID: 100 subsets of 50.", "as gray"):
        assert part in told


def test_a_translation_that_is_a_negative_is_told():
    inverted = [PLAIN[0], replace(PLAIN[1], content_agreement=-0.853)]
    (_, told) = remarks(inverted, 200)
    assert "(content agreement: b → a -0.85), which the distance" in told


def test_the_file_has_every_field_and_no_number_that_json_has_not(tmp_path: Path) -> None:
    scaling = IntensityScaling("range", 0.0, 255.0)
    domains = (Domain("a", ("x",), scaling), Domain("b", ("x",), scaling))
    card = ModelCard("m", "Made up.", domains, Architecture(2, 1), {"images_seen": 70}, "0.1.0")
    path = tmp_path / "new" / "quality.json"
    write_report(path, card, CropChoice(200, 32, 0.01, 3), FULL)
    read = json.loads(path.read_text("utf-8"), parse_constant=lambda name: 1 / 0)
    assert {key: read[key] for key in list(read)[:-1]} == {
        "model": "m", "model_version": "0.1.0", "images_seen": 70, "crops": 200, "crop_px": 32,
        "min_crop_deviation": 0.01, "seed": 3,
    }  # fmt: skip
    first, second = read["directions"]
    assert first["paired"] == {"psnr_db": None, "ssim": 0.5, "accuracy": 0.987}
    assert second["inception"]["kid_subset"] == 50
    assert (first["distance"], second["untranslated"]) == (1.25, None)
