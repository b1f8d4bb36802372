"""How the intensities of a domain are scaled, as users write it."""

from typing import Literal

from napari_unit.domains import IntensityScaling
from napari_unit_training.errors import TrainingError

DEFAULT_PERCENTILES = (0.1, 99.9)

Kind = Literal["percentiles", "range"]
Scaling = tuple[Kind, float, float]
"""Kind, and what maps to -1 and to 1: percentiles of an image, or pixel values."""

_KINDS: dict[str, Kind] = {"percentiles": "percentiles", "range": "range"}


def parse_scaling(text: str, is_color_photo: bool) -> Scaling:
    """Read ``KIND:LOW,HIGH``, or choose for ``auto``.

    Parameters
    ----------
    text
        What the user wrote.
    is_color_photo
        Whether all images are RGB of 8 bits, which ``auto`` takes as they are.

    Raises
    ------
    TrainingError
        If it is none of these, or maps nothing.
    """
    if text == "auto":
        return ("range", 0.0, 255.0) if is_color_photo else ("percentiles", *DEFAULT_PERCENTILES)
    kind, _, bounds = text.partition(":")
    try:
        low, high = (float(bound) for bound in bounds.split(","))
    except ValueError:
        kind, low, high = "", 0.0, 0.0
    if kind not in _KINDS:
        raise TrainingError(
            f"The scaling is {text!r}; it must be 'auto', 'percentiles:LOW,HIGH' "
            "or 'range:LOW,HIGH'."
        )
    if not low < high or (kind == "percentiles" and not 0 <= low < high <= 100):
        raise TrainingError(
            f"The scaling is {text!r}; LOW must be below HIGH, and percentiles lie from 0 to 100."
        )
    return _KINDS[kind], low, high


def scaling_text(scaling: IntensityScaling) -> str:
    """Return a domain's scaling as a user would write it; `parse_scaling` gives it back."""
    return f"{scaling.kind}:{scaling.low!r},{scaling.high!r}"
