from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from napari_unit import cli, job
from napari_unit.images.files import open_path
from napari_unit.images.source_image import SourceImage
from napari_unit.models import zoo
from napari_unit.request import TranslationRequest


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
    assert (made.shape, made.dtype) == ((60, 52), np.uint8)
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
    plane = tifffile.imread("in.tif")
    tifffile.imwrite("stack.tif", np.stack([plane, plane]), metadata={"axes": "QYX"})
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
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = zoo.bundled_folder() / "nuclei.safetensors"
    weights = load_file(path)
    with safe_open(path, framework="np") as file:
        card = file.metadata()
    # finite, as loading demands, and too large for what comes out
    save_file({name: np.full_like(w, 3e37) for name, w in weights.items()}, path, card)
    assert cli.main(["translate", "in.tif", "out.tif", "--model", "nuclei", "--to", "real"]) == 2
    _, err = capsys.readouterr()
    assert "not finite" in err.splitlines()[-1]
    assert "Traceback" not in err
    assert [p.name for p in workplace.iterdir()] == ["in.tif"]


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
