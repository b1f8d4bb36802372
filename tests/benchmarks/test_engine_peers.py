"""Peers are compared where they are installed; what they have in common is tested without them."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("engine_peers", reason="benchmarks/ is in the repository only")

from engine_case import Case, LeftOut, PlainNetwork, read_unit, write_case
from engine_peers import MONAI_BEST, PREPARE, prepare_bioimageio, prepare_loop, search_monai

SHAPE = (1, 96, 80)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    image = np.random.default_rng(0).integers(0, 255, SHAPE, dtype=np.uint8)
    write_case(tmp_path, Case("image", SHAPE, "uint8", None, 2, 0, "a", "b"), image)
    return tmp_path


def test_a_loop_translates_each_tile_by_itself(folder: Path) -> None:
    loop = prepare_loop(folder, 48)
    with torch.inference_mode():
        found = loop.run()
        tile = Case("", SHAPE, "", None, 2, 0, "a", "b").plain()(
            read_unit(folder)[:, :, 48:, :48].contiguous()
        )
    np.testing.assert_allclose(found[:, 48:, :48], tile[0].numpy(), atol=1e-5)
    assert loop.borders == ([0, 48], [0, 48])


def test_one_tile_is_the_whole_image(folder: Path) -> None:
    with torch.inference_mode():
        one, whole = prepare_loop(folder, 96).run(), PREPARE["whole image"](folder).run()
    np.testing.assert_array_equal(one, whole)


@pytest.mark.parametrize("name", [n for n in PREPARE if n[0] in "Mbt"])
def test_a_peer_that_is_missing_says_so(folder: Path, name: str) -> None:
    package = name.split()[0].lower()
    if find_spec(package.partition(".")[0]) is not None:
        pytest.skip("it is installed")
    with pytest.raises(LeftOut, match="is not installed"):
        PREPARE[name](folder)


@pytest.mark.parametrize("name", PREPARE)
def test_every_method_puts_tiles_where_they_belong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    shape = (1, 560, 532)
    image = np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8)
    write_case(tmp_path, Case("image", shape, "uint8", None, 2, 0, "a", "b"), image)
    (tmp_path / MONAI_BEST).write_text('{"roi_size": 256, "sw_batch_size": 4, "mode": "gaussian"}')
    monkeypatch.setattr(PlainNetwork, "forward", lambda self, pixels: pixels.clone())
    try:
        method = PREPARE[name](tmp_path)
    except LeftOut as reason:
        pytest.skip(str(reason))
    with torch.inference_mode():
        np.testing.assert_allclose(method.run(), read_unit(tmp_path)[0].numpy(), atol=1e-5)
    assert all(0 <= line < 560 for lines in method.borders for line in lines)


def test_monai_says_which_settings_are_fastest(tmp_path: Path) -> None:
    pytest.importorskip("monai")
    shape = (1, 256, 260)
    image = np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8)
    write_case(tmp_path, Case("image", shape, "uint8", None, 2, 0, "a", "b"), image)
    found = search_monai(tmp_path, 1)
    best = PREPARE["MONAI best"](tmp_path)
    assert best.facts["settings"] == found[0]["settings"]
    with torch.inference_mode():
        assert best.run().shape == shape


def test_bioimageio_needs_room_for_its_halo(folder: Path) -> None:
    pytest.importorskip("bioimageio.core")
    with pytest.raises(LeftOut, match="does not fit"):
        prepare_bioimageio(folder, 128)
