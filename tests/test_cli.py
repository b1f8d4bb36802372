import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from napari_unit import cli, job
from napari_unit.domains import Domain, IntensityScaling
from napari_unit.images.files import open_path
from napari_unit.images.source_image import SourceImage
from napari_unit.models import zoo
from napari_unit.models.card import read_card
from napari_unit.models.relabeling import with_card
from napari_unit.request import TranslationRequest

RANGE = IntensityScaling("range", 0.0, 255.0)
SYNTHETIC = Domain(
    "synthetic", ("dna",), IntensityScaling("percentiles", 0.5, 99.5, (100.0,), (40000.0,))
)
REAL = Domain("real", ("dna",), RANGE)
STAINED = Domain("stained", ("red", "green", "blue"), RANGE)
GRAY = np.random.default_rng(0).integers(0, 60000, (60, 52)).astype("u2")


@pytest.fixture
def workplace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, save_tiny_model: Callable[..., Path]
) -> Path:
    """Return a folder with an image, the working directory; the bundled models are two."""
    bundled = tmp_path / "bundled"
    bundled.mkdir()
    save_tiny_model("nuclei", SYNTHETIC, REAL, folder=bundled)
    save_tiny_model("stain", SYNTHETIC, STAINED, folder=bundled)
    monkeypatch.setattr(zoo, "bundled_folder", lambda: bundled)
    monkeypatch.setattr(zoo, "user_folder", lambda: tmp_path / "none")
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    tifffile.imwrite("in.tif", GRAY, resolution=(2e4, 2e4), resolutionunit="CENTIMETER")
    return here


def test_help_and_version_come_at_once_without_heavy_imports() -> None:
    program = (
        "import sys; from napari_unit.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'numpy', 'napari', 'rich', 'tifffile', 'napari_unit_training'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    for arguments, text in ((["--help"], "translate an image file"), (["--version"], "0.")):
        began = os.times()
        run = subprocess.run(
            [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True
        )
        ended = os.times()
        assert text in run.stdout
        assert run.stdout.endswith("[]\n")
        # not by the clock: the machine may be busy with other tests
        busy_s = ended.children_user + ended.children_system
        assert busy_s - began.children_user - began.children_system < 0.5


def test_translate_writes_the_image_and_says_what_it_did(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["translate", "in.tif", "out.ome.tif", "--to", "real", "--dtype", "uint8"]) == 0
    out, err = capsys.readouterr()
    assert "Translated " in out
    assert "from 'synthetic' to 'real' with 'nuclei'" in out
    assert "0 of the result's did not fit uint8" in out
    assert out.splitlines()[-1] == "out.ome.tif"
    assert "Translating: 0.003 of 0.003 Mpx" in err
    made = tifffile.imread("out.ome.tif")
    assert (made.shape, made.dtype) == (GRAY.shape, np.uint8)
    size = open_path("out.ome.tif").pixel_size
    assert size is not None
    assert (size.y, size.x, size.unit) == (0.5, 0.5, "µm")


def test_every_setting_reaches_the_engine(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[TranslationRequest] = []
    do = job.translation_job

    def listen(image: SourceImage, request: TranslationRequest) -> Any:
        asked.append(request)
        return do(image, request)

    monkeypatch.setattr(job, "translation_job", listen)
    tifffile.imwrite("stack.tif", np.stack([GRAY, GRAY]), metadata={"axes": "QYX"})
    common = ["translate", "stack.tif", "--model", "nuclei", "--to", "synthetic", "--quiet"]
    rest = ["--axes", "ZYX", "--statistics", "whole", "--tile", "36", "--device", "cpu"]
    more = ["--dtype", "same", "--seed", "3", "--memory", "1.5 GB"]
    assert cli.main([*common, "out.tif", *rest, *more]) == 0
    with tifffile.TiffFile("out.tif") as tif:
        assert (tif.series[0].axes, tif.series[0].dtype) == ("ZYX", np.uint16)
    assert asked == [
        TranslationRequest(
            "nuclei", "synthetic", "whole", 36, "cpu", "same", "out.tif", 3, "1.5 GB"
        )
    ]


def test_a_model_that_makes_no_numbers_is_one_sentence_and_no_file(
    workplace: Path, capsys: pytest.CaptureFixture[str], save_tiny_model: Callable[..., Path]
) -> None:
    path = save_tiny_model("broken", SYNTHETIC, REAL, folder=workplace)
    weights = load_file(path)
    with safe_open(path, framework="np") as file:
        card = file.metadata()
    # finite, as loading demands, and too large for what comes out
    save_file({name: np.full_like(w, 3e37) for name, w in weights.items()}, path, card)
    assert cli.main(["translate", "in.tif", "out.tif", "--model", str(path), "--to", "real"]) == 2
    _, err = capsys.readouterr()
    assert "not finite" in err.splitlines()[-1]
    assert "Traceback" not in err
    assert sorted(p.name for p in workplace.iterdir()) == ["broken.safetensors", "in.tif"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["none.tif", "out.tif"], "none.tif does not exist"),
        (["in.tif", "in.tif"], "in.tif exists already"),
        (["in.tif", "out.png"], "must end in .ome.tif or .tif"),
        (["in.tif", "out.tif"], "Several models translate images of 1 channel"),
        (["in.tif", "out.tif", "--model", "cells"], "There is no model 'cells'; there is 'nuclei'"),
        (["in.tif", "out.tif", "--model", "nuclei"], "say where to"),
        (["in.tif", "out.tif", "--model", "nuclei", "--to", "x"], "has no domain 'x'"),
        (["in.tif", "out.tif", "--to", "real", "--tile", "7"], "tile is 7; it must be"),
        (["in.tif", "out.tif", "--to", "real", "--tile", "big"], "tile is 'big'; it must be"),
        (["in.tif", "out.tif", "--to", "real", "--device", "x"], "device is 'x'"),
        (["in.tif", "out.tif", "--to", "real", "--axes", "ZYX"], "but the image has 2"),
    ],
)
def test_what_cannot_be_done_is_one_sentence_on_stderr(
    workplace: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    before = sorted(path.name for path in workplace.iterdir())
    assert cli.main(["translate", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("napari-unit translate: ")
    assert sentence in err
    assert err.count("\n") == 1
    assert sorted(path.name for path in workplace.iterdir()) == before


def test_ctrl_c_leaves_nothing_and_says_so(
    workplace: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(news: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("napari_unit.progress.foreground", lambda: interrupt)
    assert cli.main(["translate", "in.tif", "out.tif", "--to", "real"]) == 130
    assert capsys.readouterr().err == "napari-unit translate: interrupted.\n"
    assert [path.name for path in workplace.iterdir()] == ["in.tif"]


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


def test_train_is_handed_to_the_trainer(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["train", "--help"])
    assert "images of the first domain" in capsys.readouterr().out


def test_a_command_is_needed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main([])
    assert stop.value.code == 2
    assert "COMMAND" in capsys.readouterr().err
