"""Physical pixel sizes and times as files state them."""

from typing import Any

import numpy as np

from napari_unit.images.placement import PixelSize

_UNIT_SYMBOLS = {
    **dict.fromkeys(("µm", "μm", "um", "micron", "microns", "micrometer", "\\u00b5m"), "µm"),
    **dict.fromkeys(("nm", "nanometer"), "nm"),
    **dict.fromkeys(("mm", "millimeter"), "mm"),
    **dict.fromkeys(("cm", "centimeter"), "cm"),
    **dict.fromkeys(("m", "meter"), "m"),
    **dict.fromkeys(("å", "angstrom"), "Å"),
    **dict.fromkeys(("in", "inch"), "in"),
    "pixel": "pixel",
}
_SECONDS = {
    **dict.fromkeys(("s", "sec", "second", "seconds"), 1.0),
    **dict.fromkeys(("ms", "millisecond", "milliseconds"), 1e-3),
    **dict.fromkeys(("µs", "μs", "us", "microsecond", "microseconds"), 1e-6),
    **dict.fromkeys(("min", "minute", "minutes"), 60.0),
    **dict.fromkeys(("h", "hour", "hours"), 3600.0),
    **dict.fromkeys(("d", "day", "days"), 86400.0),
}


def time_step_s(step: Any, unit: Any) -> float | None:
    """Return the time between two images in seconds if the file's number can be one."""
    try:
        found = float(step) * _SECONDS[str(unit).strip().lower()]
    except (TypeError, ValueError, KeyError):
        return None
    return found if 0 < found < np.inf else None


def checked_pixel_size(y: Any, x: Any, z: Any, unit: Any) -> PixelSize | None:
    """Return the size if the file's numbers can be one."""
    symbol = _UNIT_SYMBOLS.get(str(unit).strip().lower())
    try:
        height, width, depth = float(y), float(x), float(z)
    except (TypeError, ValueError):
        return None
    if symbol is None or not (0 < height < np.inf and 0 < width < np.inf):
        return None
    return PixelSize(height, width, depth if 0 < depth < np.inf else None, symbol)
