from typing import Any

import pytest

from napari_unit.images.placement import PixelSize
from napari_unit.images.units import checked_pixel_size, time_step_s


@pytest.mark.parametrize(
    ("step", "unit", "seconds"),
    [
        (2.5, "s", 2.5), ("250", "ms", 0.25), (2, "minute", 120.0), (1, "hour", 3600.0),
        (3, "µs", 3e-6), (0, "s", None), (-1, "s", None), (float("inf"), "s", None),
        (None, "s", None), ("x", "s", None), (1, "fortnight", None), (1, None, None),
    ],
)  # fmt: skip
def test_times_between_images(step: Any, unit: Any, seconds: float | None) -> None:
    assert time_step_s(step, unit) == pytest.approx(seconds)


def test_sizes_that_can_be_none_are_none() -> None:
    assert checked_pixel_size("0.5", 0.25, 0, "micron") == PixelSize(0.5, 0.25, None, "µm")
    for y, unit in ((0, "um"), (float("nan"), "um"), ("x", "um"), (1, "furlong"), (None, "um")):
        assert checked_pixel_size(y, 1, 1, unit) is None
