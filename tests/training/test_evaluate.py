import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_unit import cli
from napari_unit.domains import Domain, IntensityScaling

RANGE = IntensityScaling("range", 0.0, 65535.0)


@pytest.fixture
def model(save_tiny_model) -> Path:
    return save_tiny_model("m", Domain("left", ("x",), RANGE), Domain("right", ("x",), RANGE))


def test_a_model_gets_a_table_and_a_picture(model, folders, tmp_path, capsys):
    picture = tmp_path / "p.png"
    given = ["evaluate", str(model), "--a", str(folders[0]), "--b", str(folders[1])]
    given += ["--crops", "8", "--crop-px", "32"]
    assert cli.main([*given, "--picture", str(picture)]) == 0
    out = capsys.readouterr().out
    assert "left → right" in out
    assert "right → left" in out
    for row in ("translations to real", "untranslated", "other real", "cycle error", "agreement"):
        assert row in out
    with Image.open(picture) as made:
        assert made.size == (8 * 34 - 2, 6 * 34 - 2)
    assert cli.main([*given, "--picture", str(picture)]) == 1
    assert "exists already" in capsys.readouterr().err


def test_what_cannot_be_is_one_sentence(model, folders, tmp_path, capsys):
    color = tmp_path / "color"
    color.mkdir()
    pixels = np.random.default_rng(0).integers(0, 65535, (40, 40, 3), dtype="u2")
    tifffile.imwrite(color / "a.tif", pixels, photometric="rgb")
    a, b = (str(folder) for folder in folders)
    for given, sentence in (
        ([str(model), "--a", a, "--b", str(color)], "have 3 channels, and domain 'right' of 'm'"),
        ([str(model), "--a", a, "--b", str(tmp_path / "none")], "There is no "),
        ([str(model), "--a", a, "--b", b, "--crops", "2"], "at least 4 are needed"),
        (["none", "--a", a, "--b", b], "There is no model 'none'"),
        ([str(model), "--a", a, "--b", b, "--device", "tpu"], "The device is 'tpu'"),
        ([str(model), "--a", a, "--b", b, "--paired"], "There are 3 images of the first domain"),
        ([str(model), "--a", a, "--b", b, "--crop-px", "8"], "Crops of 8 px are too small"),
        ([str(model), "--a", a, "--b", b, "--inception", "none.pth"], "no file none.pth"),
    ):
        assert cli.main(["evaluate", given[0], "--crop-px", "32", *given[1:]]) == 1
        err = capsys.readouterr().err
        assert sentence in err
        assert "Traceback" not in err


def test_pairs_are_compared_and_everything_is_written_once(
    model, folders, write_images, tmp_path, capsys
):
    twin, written = write_images("twin", [(40, 48), (32, 32), (50, 33)], 7), tmp_path / "q.json"
    given = ["evaluate", str(model), "--a", str(folders[0]), "--b", str(twin), "--crops", "8"]
    given += ["--crop-px", "32", "--seed", "3"]
    assert cli.main([*given, "--paired", "--json", str(written)]) == 0
    out = capsys.readouterr().out
    assert "Pairs: 3, in order by name; the first is 0.tif, 0.tif." in out
    for row in ("PSNR", "SSIM", "right color", "untranslated", str(written)):
        assert row in out.replace("\n", "")
    read = json.loads(written.read_text("utf-8"))
    assert (read["model"], read["crops"], read["crop_px"], read["seed"]) == ("m", 8, 32, 3)
    assert [d["source"] for d in read["directions"]] == ["left", "right"]
    assert all(0 <= d["paired"]["accuracy"] <= 1 for d in read["directions"])
    before = written.read_bytes()
    assert cli.main([*given, "--json", str(written)]) == 1
    assert f"The file {written} exists already" in capsys.readouterr().err
    assert written.read_bytes() == before
    again = tmp_path / "again.json"
    assert cli.main([*given, "--json", str(again)]) == 0
    assert "PSNR" not in capsys.readouterr().out
    assert json.loads(again.read_text("utf-8"))["directions"][0]["paired"] is None
