from dataclasses import replace
from pathlib import Path

import pytest

from napari_unit import cli
from napari_unit.models import zoo
from napari_unit.models.card import read_card
from napari_unit.models.relabeling import with_card


def test_models_are_listed_and_shown(
    workplace: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert cli.main(["models"]) == 0
    listed = capsys.readouterr().out
    assert "synthetic ↔ stained" in listed
    assert "1 ↔ 3" in listed
    assert "bundled" in listed
    assert str(zoo.bundled_folder() / "nuclei.safetensors") in listed
    assert str(zoo.user_folder()) in listed
    assert cli.main(["models", "stain"]) == 0
    shown = capsys.readouterr().out
    assert "stained: red, green, blue; intensities by range 0 to 255" in shown
    assert "synthetic: dna; intensities by percentiles 0.5 to 99.5, typically 100 to" in shown
    assert "width 2, 1 residual blocks" in shown
    assert "without statistics of training crops" in shown
    assert "author" not in shown
    path = zoo.bundled_folder() / "stain.safetensors"
    card = replace(read_card(path), author="Ada", license="CC-BY-4.0")
    with_card(path, card, workplace / "named.safetensors")
    assert cli.main(["models", "named.safetensors"]) == 0
    shown = capsys.readouterr().out
    assert "author: Ada" in shown
    assert "license: CC-BY-4.0" in shown
    assert cli.main(["models", "cells"]) == 2
    assert "no model 'cells'" in capsys.readouterr().err


def test_a_model_file_that_cannot_be_read_is_told_and_left_out(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (zoo.bundled_folder() / "torn.safetensors").write_text("torn")
    assert cli.main(["models"]) == 0
    out, err = capsys.readouterr()
    assert "torn" not in out
    assert err.startswith("napari-unit: ")
    assert "torn.safetensors is not a whole .safetensors file" in err
    assert err.count("\n") == 1


def test_no_model_at_all_says_where_own_models_go(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in zoo.bundled_folder().iterdir():
        path.unlink()
    assert cli.main(["models"]) == 0
    assert "There is no model; own models are looked for in" in capsys.readouterr().out
