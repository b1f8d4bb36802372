import json
from contextlib import suppress

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save

from napari_unit.domains import Window
from napari_unit.engine.calibration import (
    Calibration,
    CalibrationFileError,
    from_bytes,
    to_bytes,
)
from napari_unit.engine.local import LocalMoments
from napari_unit.engine.statistics import NormStatistics
from napari_unit.models.normalisation import InstanceNorm, LayerNorm, Moments

ABOUT = {"model": "nuclei", "sha256": "0" * 64}


def moments(channels: int = 3) -> Moments:
    return InstanceNorm(channels).measure(torch.randn(1, channels, 5, 5).double())


def calibration(mode: str = "image") -> Calibration:
    frozen = [moments(), LayerNorm(3).measure(torch.randn(1, 3, 5, 5)), moments(7)]
    if mode == "local":
        nodes = tuple(tuple(moments() for _ in range(3)) for _ in range(2))
        frozen[0] = LocalMoments(nodes, (0.25, 0.75), (0.1, 0.5, 0.9))
    found = NormStatistics(mode, tuple(frozen), 64, 900, (0.0, 0.013, float("nan")), 5)
    return Calibration(Window((0.0, 1.5), (255.0, 9.25)), 17, ("a note",), found)


@pytest.mark.parametrize("mode", ["image", "whole", "model", "local"])
def test_a_calibration_comes_back_to_the_last_bit(mode: str) -> None:
    before = calibration(mode)
    after, about = from_bytes(to_bytes(before, ABOUT), "it")
    assert about == ABOUT
    assert (after.window, after.n_clipped, after.notes) == (before.window, 17, ("a note",))
    one, other = before.statistics, after.statistics
    assert one is not None
    assert other is not None
    assert (other.mode, other.n_sampled, other.n_eligible, other.seed) == (mode, 64, 900, 5)
    assert repr(other.standard_error) == repr(one.standard_error)
    assert to_bytes(after, ABOUT) == to_bytes(before, ABOUT)
    for a, b in zip(one.moments, other.moments, strict=True):
        assert type(a) is type(b)


def test_tiles_on_their_own_have_no_statistics() -> None:
    made = Calibration(Window((0.0,), (1.0,)), 0, (), None)
    assert from_bytes(to_bytes(made, {}), "it")[0].statistics is None


def damaged(**changes: object) -> bytes:
    made = calibration()
    content = to_bytes(made, ABOUT)
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])["__metadata__"]["napari_unit_calibration"]
    return save({}, {"napari_unit_calibration": json.dumps(json.loads(header) | changes)})


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"nonsense",
        to_bytes(calibration(), ABOUT)[:-9],
        save({"x": torch.zeros(2)}),
        damaged(),
        damaged(format_version=99),
        damaged(window={"low": [1.0], "high": [0.0]}),
        damaged(statistics={"mode": "tile"}),
        damaged(notes=3),
    ],
)
def test_a_damaged_file_is_refused_in_a_sentence(content: bytes) -> None:
    with pytest.raises(CalibrationFileError, match=r"it\.st cannot be read as a calibration \("):
        from_bytes(content, "it.st")


def test_moments_that_no_image_has_are_refused() -> None:
    for spoiled in (
        Moments(0.0, torch.zeros(3).double(), torch.ones(3).double()),
        Moments(4.0, torch.full((3,), torch.nan).double(), torch.ones(3).double()),
        Moments(4.0, torch.zeros(3).double(), -torch.ones(3).double()),
    ):
        found = NormStatistics("image", (spoiled,), 1, 1, (0.0,), 0)
        made = Calibration(Window((0.0,), (1.0,)), 0, (), found)
        with pytest.raises(CalibrationFileError, match="its moments 00 are damaged"):
            from_bytes(to_bytes(made, {}), "it")


WHOLE = to_bytes(calibration("local"), ABOUT)


@settings(max_examples=300)
@given(st.integers(0, len(WHOLE) - 1), st.integers(0, 255))
def test_any_changed_byte_is_read_or_refused(place: int, value: int) -> None:
    content = WHOLE[:place] + bytes([value]) + WHOLE[place + 1 :]
    with suppress(CalibrationFileError):
        from_bytes(content, "it")
