from dataclasses import replace
from pathlib import Path

import pytest
from safetensors.torch import load_file

from napari_unit import cli
from napari_unit.domains import Domain, IntensityScaling
from napari_unit.models.file import load_model, save_model
from napari_unit_training.loop import train

RANGE = IntensityScaling("range", 0.0, 65535.0)


@pytest.fixture
def model(save_tiny_model) -> Path:
    return save_tiny_model("m", Domain("left", ("x",), RANGE), Domain("right", ("x",), RANGE))


@pytest.mark.parametrize("weights_dtype", ["float32", "float16"])
def test_it_gives_a_trained_model_the_statistics_that_its_training_gives(
    quiet, folders, tmp_path, weights_dtype, capsys, assert_equal
):
    settings = replace(quiet, images_total=2, weights_dtype=weights_dtype)
    list(train(settings, *folders, tmp_path / "run"))
    path, plain = tmp_path / "run" / "last.safetensors", tmp_path / "plain.safetensors"
    trained = load_model(path)
    assert trained.statistics is not None
    save_model(plain, trained.model, trained.card, weights_dtype=weights_dtype)
    before, out = plain.read_bytes(), tmp_path / "new" / "out.safetensors"
    given = ["calibrate", str(plain), "--a", str(folders[0]), "--b", str(folders[1])]
    assert cli.main([*given, "--out", str(out), "--device", "cpu"]) == 0
    assert "statistics of 256 crops of each domain" in capsys.readouterr().out
    assert_equal(load_file(out), load_file(path))
    made = load_model(out)
    told = made.card.training["statistics"]
    assert made.card.training == {**trained.card.training, "statistics": told}
    assert told["crops"] == {"count": 256, "crop_px": 32, "min_deviation": 0.01, "seed": 3}
    assert told["data"]["a"]["images"] == 3
    assert str(tmp_path) not in made.card.to_json()
    assert plain.read_bytes() == before
    # nothing is written over
    written = out.read_bytes()
    assert cli.main([*given, "--out", str(out)]) == 1
    assert f"{out} exists already" in capsys.readouterr().err
    assert out.read_bytes() == written


def test_without_out_the_file_is_named_after_the_model(model, folders, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    a, b = (str(folder) for folder in folders)
    given = ["calibrate", str(model), "--a", a, "--b", b, "--crops", "4", "--crop-px", "32"]
    assert cli.main([*given, "--seed", "7"]) == 0
    made = load_model(tmp_path / "m-calibrated.safetensors")
    assert made.statistics[1].n_crops == 4
    assert made.card.training["statistics"]["crops"]["seed"] == 7
    assert cli.main(given) == 1


def test_what_cannot_be_is_one_sentence(model, folders, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    a, b = (str(folder) for folder in folders)
    (tmp_path / "file").write_text("x")
    for options, sentence in (
        (["--out", "m.pt"], "is called m.pt; it must end in .safetensors"),
        (["--out", "file/m.safetensors"], "a part of its path is a file"),
        (["--crop-px", "30"], "--crop-px is 30; it must be a multiple of 4"),
        (["--crop-px", "8"], "Crops of 8 px are too small"),
        (["--crops", "2"], "--crops is 2; at least 4 are needed"),
        (["--seed", "-1"], "--seed is -1; it must be 0 or more"),
        (["--device", "tpu"], "The device is 'tpu'"),
        (["--a", str(tmp_path / "none")], "There is no "),
    ):
        given = ["calibrate", str(model), "--a", a, "--b", b, "--crop-px", "32", *options]
        assert cli.main(given) == 1
        err = capsys.readouterr().err
        assert err.startswith("napari-unit calibrate: ")
        assert sentence in err
        assert err.count("\n") == 1
    assert cli.main(["calibrate", "none", "--a", a, "--b", b]) == 1
    assert "There is no model 'none'" in capsys.readouterr().err
    assert not list(tmp_path.rglob("*.safetensors"))
