import numpy as np
import pytest

from napari_unit.domains import Domain, IntensityScaling
from napari_unit.images.color import at_depth, channel_limits, contrast_limits, full_scale

RGB = ("red", "green", "blue")


@pytest.mark.parametrize(("dtype", "high"), [("u1", 255.0), ("u2", 65535.0), ("f4", 1.0)])
def test_the_window_of_rgb_follows_the_pixel_type(dtype: str, high: float) -> None:
    fixed = at_depth(Domain("x", RGB, IntensityScaling("range", 0.0, 255.0)), np.dtype(dtype))
    assert fixed.typical_window.high == pytest.approx((high,) * 3)
    typical = IntensityScaling("percentiles", 1.0, 99.0, (51.0,) * 3, (204.0,) * 3)
    measured = at_depth(Domain("x", RGB, typical), np.dtype(dtype))
    assert measured.scaling.low == 1.0  # a percentile is no pixel value
    assert measured.typical_window.low == pytest.approx((high / 5,) * 3)
    assert measured.typical_window.high == pytest.approx((high * 4 / 5,) * 3)


def test_other_domains_keep_their_pixel_values() -> None:
    domain = Domain("x", ("dna",), IntensityScaling("range", 0.0, 255.0))
    assert at_depth(domain, np.dtype("f4")) is domain
    unknown_depth = Domain("x", RGB, IntensityScaling("range", 0.0, 1e6))
    assert at_depth(unknown_depth, np.dtype("f4")) is unknown_depth


def test_full_scale() -> None:
    assert [full_scale(np.dtype(d)) for d in ("u1", "i2", "f8")] == [255.0, 32767.0, 1.0]


def test_limits_fit_the_pixel_type_per_channel_and_in_all() -> None:
    typical = IntensityScaling("percentiles", 1.0, 99.0, (-5.0, 20.0), (90.0, 4e5))
    domain = Domain("x", ("dna", "actin"), typical)
    assert channel_limits(domain, np.dtype("u2")) == ((0.0, 90.0), (20.0, 65535.0))
    assert channel_limits(domain, np.dtype("f4")) == ((-5.0, 90.0), (20.0, 4e5))
    assert contrast_limits(domain, np.dtype("u2")) == (0.0, 65535.0)
