"""Physical pixel sizes as files state them."""

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
