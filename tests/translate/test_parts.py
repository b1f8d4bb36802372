"""A part of an image is translated to the pixels that it has in the translation of the whole."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from napari.layers import Image

import napari_unit
from napari_unit.cli import main
from napari_unit.engine import sampling

TOLERANCE = 1e-4 * 127.5


def blobs(*shape: int) -> np.ndarray:
    noise = np.random.default_rng(0).uniform(0, 9000, shape)
    y, x = np.mgrid[: shape[-2], : shape[-1]]
    return (25000 + 15000 * np.sin(y / 5) * np.sin(x / 7) + noise).astype("u2")


@st.composite
def ranges(draw: st.DrawFn, length: int) -> tuple[int, int]:
    start = draw(st.integers(0, length - 1))
    return start, draw(st.integers(start + 1, length))


@settings(max_examples=25)
@given(rows=ranges(60), columns=ranges(52), planes=ranges(3), data=st.data())
def test_a_part_has_the_pixels_of_the_whole(
    nuclei: Path,
    rows: tuple[int, int],
    columns: tuple[int, int],
    planes: tuple[int, int],
    data: st.DataObject,
) -> None:
    image = blobs(3, 60, 52)
    options: dict[str, Any] = {
        "axes": "ZYX", "progress": False,
        "statistics": data.draw(st.sampled_from(["image", "whole", "local"])),
    }  # fmt: skip
    whole = napari_unit.translate(image, nuclei, "real", tile=300, **options)
    part = napari_unit.translate(
        image, nuclei, "real", tile=data.draw(st.integers(16, 80)),
        part={"Y": rows, "X": columns, "Z": planes}, **options,
    )  # fmt: skip
    expected = whole[slice(*planes), slice(*rows), slice(*columns)]
    np.testing.assert_allclose(part, expected, rtol=0, atol=TOLERANCE)


def test_of_a_large_image_the_same_sample_is_measured(
    nuclei: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sampling, "SAMPLE_CORE_PX", 32)
    monkeypatch.setattr(sampling, "MAX_SAMPLED", 4)
    image = blobs(200, 180)
    whole = napari_unit.translate(image, nuclei, "real", progress=False)
    told: list[Any] = []
    part = napari_unit.translate(
        image, nuclei, "real", part={"Y": (33, 91)}, tile=32, progress=told.append
    )
    np.testing.assert_allclose(part, whole[33:91], rtol=0, atol=TOLERANCE)
    assert told[-1].done == told[-1].total == 58 * 180


@pytest.mark.parametrize("ending", ["tif", "ome.zarr"])
def test_a_part_goes_to_a_file_and_says_what_it_is(
    nuclei: Path, tmp_path: Path, ending: str
) -> None:
    image = blobs(2, 60, 52)
    layer = Image(
        image, scale=(3.0, 0.5, 0.25), translate=(1.0, 10.0, 20.0), units=("µm",) * 3,
        axis_labels=("z", "y", "x"),
    )  # fmt: skip
    whole = napari_unit.translate(layer, nuclei, "real", progress=False)
    part = {"Z": (1, 2), "Y": (8, 40), "X": (12, 52)}
    out = tmp_path / f"a.{ending}"
    made = napari_unit.translate(layer, nuclei, "real", part=part, out=out, progress=False)
    np.testing.assert_allclose(
        np.asarray(made.data), whole.data[1:2, 8:40, 12:52], rtol=0, atol=TOLERANCE
    )
    # its first pixel is where it was
    np.testing.assert_allclose(made.data_to_world((0, 0, 0)), layer.data_to_world((1, 8, 12)))
    told = made.metadata["napari_unit"]
    assert told["part"] == {axis: list(ends) for axis, ends in part.items()}
    if ending == "tif":
        assert tifffile.imread(out).shape[-2:] == (32, 40)
    else:
        attributes = zarr.open_group(out, mode="r").attrs["ome"]
        transforms = attributes["multiscales"][0]["datasets"][0]["coordinateTransformations"]
        assert {"type": "translation", "translation": [4.0, 14.0, 23.0]} in transforms
        assert json.loads(json.dumps(told)) == told


def test_another_part_does_not_go_on_with_what_one_has_begun(nuclei: Path, tmp_path: Path) -> None:
    image, out = blobs(60, 52), tmp_path / "a.zarr"

    def stop(news: Any) -> None:
        if news.phase == "tiles":
            raise KeyboardInterrupt

    options: dict[str, Any] = {"out": out, "tile": 16}
    with pytest.raises(KeyboardInterrupt):
        napari_unit.translate(image, nuclei, "real", part={"Y": (0, 30)}, progress=stop, **options)
    with pytest.raises(ValueError, match="part"):
        napari_unit.translate(image, nuclei, "real", part={"Y": (1, 31)}, progress=False, **options)


@pytest.mark.parametrize("letters", ["CYX", "YXC"])
@pytest.mark.parametrize("chosen", [(2,), (0, 2), (3, 1), (1, 2)])
def test_channels_are_taken_in_the_order_that_is_given(
    nuclei: Path, pair: Path, letters: str, chosen: tuple[int, ...]
) -> None:
    image = np.stack([np.roll(blobs(60, 52), 7 * i) // (i + 1) for i in range(4)])
    model, to = (nuclei, "real") if len(chosen) == 1 else (pair, "real")
    expected = napari_unit.translate(image[list(chosen)], model, to, axes="CYX", progress=False)
    order = ["CYX".index(letter) for letter in letters]
    found = napari_unit.translate(
        image.transpose(order), model, to, axes=letters, channels=chosen, progress=False
    )
    np.testing.assert_array_equal(found, expected.reshape(found.shape))


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"part": {"Y": (0, 61)}}, "from 0 to 61 along Y, and the image 'array' from 0 to 60"),
        ({"part": {"X": (9, 9)}}, "from 9 to 9 along X"),
        ({"part": {"X": (-4, 9)}}, "from -4 to 9 along X"),
        ({"part": {"Z": (0, 1)}}, "along 'Z'; the image 'array' can be cut along Y, X"),
        ({"part": {"C": (0, 1)}}, "along 'C'; the image 'array' can be cut along Y, X"),
        ({"part": {"Y": (0, 9)}, "lazy": True}, "leave out part or lazy"),
        ({"channels": (2,)}, r"chosen are \[2\], and 'array' has 2 channels; choose from 0 to 1"),
        ({"channels": (0, 1)}, "has 2 channels, but 'nuclei' takes"),
    ],
)
def test_what_the_image_does_not_have_is_refused(
    nuclei: Path, given: dict[str, Any], says: str
) -> None:
    image = np.stack([blobs(60, 52)] * 2)
    options = {"channels": (0,)} | given
    with pytest.raises(ValueError, match=says):
        napari_unit.translate(image, nuclei, "real", axes="CYX", progress=False, **options)


def test_the_command_line_takes_parts_and_channels(
    nuclei: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = tmp_path / "in.tif", tmp_path / "out.tif"
    image = np.stack([blobs(60, 52), blobs(60, 52)[::-1]])
    tifffile.imwrite(source, image, metadata={"axes": "CYX"})
    words = ["translate", str(source), str(out), "--model", str(nuclei), "--to", "real", "--quiet"]
    assert main([*words, "--part", "y=8:40, X=2:30", "--channels", "1"]) == 0
    whole = napari_unit.translate(image[1], nuclei, "real", progress=False)
    np.testing.assert_allclose(tifffile.imread(out), whole[8:40, 2:30], rtol=0, atol=TOLERANCE)
    for option, text in (("--part", "Y:3"), ("--part", "Y=a:b"), ("--channels", "1;2")):
        with pytest.raises(SystemExit):
            main([*words, option, text])
        assert text.split(",")[0] in capsys.readouterr().err
