"""Red, green and blue: how much is fully lit depends on the pixel type, not on the image."""

from dataclasses import replace
from typing import Any

import numpy as np

from napari_unit.domains import Domain
from napari_unit.images.axes import is_rgb

_FULL_SCALES = (1.0, 255.0, 65535.0)


def full_scale(dtype: np.dtype[Any]) -> float:
    """Return the value of a fully lit colour sample: 1 for floats, the largest integer else."""
    return float(np.iinfo(dtype).max) if dtype.kind in "iu" else 1.0


def at_depth(domain: Domain, dtype: np.dtype[Any]) -> Domain:
    """Return the domain as it is for pixels of this type.

    The windows of an RGB domain are in the pixel values of the images it was trained on, such as
    0 to 255. The same colours are 0 to 1 in floats, as all that shows colour takes them. Other
    domains' values are what they are in every type.

    Parameters
    ----------
    domain
        Of a model.
    dtype
        Of the pixels that are read or written.
    """
    if not is_rgb(domain):
        return domain
    highest = max(domain.typical_window.high)
    trained = next((full for full in _FULL_SCALES if highest <= full), None)
    if trained is None or trained == full_scale(dtype):
        return domain
    factor = full_scale(dtype) / trained
    scaling = domain.scaling
    if scaling.kind == "range":
        return replace(
            domain, scaling=replace(scaling, low=scaling.low * factor, high=scaling.high * factor)
        )
    typical = domain.typical_window
    return replace(
        domain,
        scaling=replace(
            scaling,
            typical_low=tuple(value * factor for value in typical.low),
            typical_high=tuple(value * factor for value in typical.high),
        ),
    )


def contrast_limits(target: Domain, dtype: np.dtype[Any]) -> tuple[float, float]:
    """Return the pixel values that the target domain calls black and white."""
    window = target.typical_window
    return _limits(min(window.low), max(window.high), dtype)


def channel_limits(target: Domain, dtype: np.dtype[Any]) -> tuple[tuple[float, float], ...]:
    """Return the pixel values that the target domain calls black and white, per channel."""
    window = target.typical_window
    return tuple(
        _limits(low, high, dtype) for low, high in zip(window.low, window.high, strict=True)
    )


def _limits(low: float, high: float, dtype: np.dtype[Any]) -> tuple[float, float]:
    if dtype.kind in "iu":
        bounds = np.iinfo(dtype)
        low, high = max(low, float(bounds.min)), min(high, float(bounds.max))
    return (low, high) if low < high else (low, low + 1.0)
