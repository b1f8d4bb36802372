import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_unit.domains import Domain, IntensityScaling, Window, domain_in_words

RANGE = IntensityScaling("range", 0, 255)
PERCENTILES = IntensityScaling("percentiles", 0.1, 99.9, (10.0,), (200.0,))


@given(
    low=st.integers(0, 60_000),
    span=st.integers(1, 5_000),
    dtype=st.sampled_from([np.uint8, np.uint16, np.int32]),
)
def test_integers_inside_the_window_survive_the_round_trip(
    low: int, span: int, dtype: type[np.integer]
) -> None:
    low = min(low, int(np.iinfo(dtype).max) - 1)
    high = min(low + span, int(np.iinfo(dtype).max))
    window = Window((float(low),), (float(high),))
    pixels = np.linspace(low, high, 101).astype(dtype).reshape(1, 1, -1)
    unit = window.to_unit(pixels)
    assert unit.dtype == np.float32
    assert unit.min() >= -1
    assert unit.max() <= 1
    np.testing.assert_array_equal(window.from_unit(unit, np.dtype(dtype)), pixels)


def test_low_and_high_map_to_the_ends_per_channel() -> None:
    window = Window((0.0, 100.0), (10.0, 300.0))
    pixels = np.array([[[0.0, 5.0, 10.0]], [[100.0, 200.0, 300.0]]])
    np.testing.assert_allclose(window.to_unit(pixels), [[[-1, 0, 1]], [[-1, 0, 1]]])


def test_pixels_outside_the_window_are_clipped_and_counted() -> None:
    window = Window((10.0,), (20.0,))
    pixels = np.array([[[0, 10, 15, 20, 30, 40]]], np.uint16)
    assert window.outside(pixels) == 3
    np.testing.assert_allclose(window.to_unit(pixels)[0, 0], [-1, -1, 0, 1, 1, 1])


def test_integers_out_are_rounded_clipped_and_the_clipping_counted() -> None:
    window = Window((-100.0,), (300.0,))
    unit = np.array([[[-1.0, -0.5, 0.0, 1.0]]], np.float32)
    dtype = np.dtype(np.uint8)
    np.testing.assert_array_equal(window.from_unit(unit, dtype)[0, 0], [0, 0, 100, 255])
    assert window.saturated(unit, dtype) == 2
    assert window.saturated(unit, np.dtype(np.float32)) == 0


def test_16_bit_values_are_not_stretched_to_8_bit() -> None:
    window = Window((0.0,), (65535.0,))
    pixels = np.arange(65536, dtype=np.uint16).reshape(1, 256, 256)
    np.testing.assert_array_equal(
        window.from_unit(window.to_unit(pixels), np.dtype(np.uint16)), pixels
    )


@pytest.mark.parametrize(
    ("low", "high"), [((1.0,), (1.0,)), ((2.0,), (1.0,)), ((math.nan,), (1.0,)), ((), ())]
)
def test_an_empty_window_is_refused(low: tuple[float, ...], high: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match=r"window of channel 0 is|needs one low and one high"):
        Window(low, high)


def test_a_range_is_the_same_for_every_image_and_percentiles_are_the_images() -> None:
    rgb = Domain("rgb", ("r", "g", "b"), RANGE)
    assert rgb.window_from([(7, 8)] * 3) == Window((0.0,) * 3, (255.0,) * 3) == rgb.typical_window
    gray = Domain("gray", ("dna",), PERCENTILES)
    assert gray.window_from([(7, 8)]) == Window((7.0,), (8.0,))
    assert gray.typical_window == Window((10.0,), (200.0,))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("minmax", 0, 1), "must be 'percentiles' or 'range'"),
        (("range", 5, 5), "low value must be finite and below"),
        (("percentiles", -1, 99, (0.0,), (1.0,)), "between 0 and 100"),
        (("percentiles", 1, 99), "needs one low and one high"),
        (("range", 0, 1, (0.0,), (1.0,)), "no typical values"),
    ],
)
def test_a_scaling_that_maps_nothing_is_refused(arguments: tuple[object, ...], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        IntensityScaling(*arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "channels", "says"),
    [
        ("", ("g",), "it must be a word"),
        (" real", ("g",), "it must be a word"),
        ("real", (), "needs a name for each"),
        ("real", ("a", "b"), "has 2 channels, but its scaling has typical values for 1"),
    ],
)
def test_a_domain_that_cannot_be_used_is_refused(
    name: str, channels: tuple[str, ...], says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        Domain(name, channels, PERCENTILES)


def test_a_domain_says_what_its_channels_are() -> None:
    assert domain_in_words(Domain("gray", ("light",), RANGE)) == "1 channel (light)"
    rgb = Domain("rgb", ("red", "green", "blue"), RANGE)
    assert domain_in_words(rgb) == "3 channels (red, green, blue)"
