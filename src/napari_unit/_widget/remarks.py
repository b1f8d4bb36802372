"""What a person should know of a translation that was made, in sentences."""

from collections.abc import Mapping
from typing import Any

_MUCH_CLIPPED = 0.01
"""Percentiles clip a few thousandths of any image by design; more is worth a sentence."""


def remarks(provenance: Mapping[str, Any]) -> list[str]:
    """Return sentences on what was lost or doubtful; none where all is as usual.

    Parameters
    ----------
    provenance
        Of a `napari_unit.images.layers.TranslationResult`.
    """
    said = list(provenance["notes"])
    clipped, n_saturated = provenance["clipped_fraction"], provenance["n_saturated"]
    if clipped > _MUCH_CLIPPED:
        said.append(
            f"{clipped:.0%} of the pixel values were outside the intensities of "
            f"{provenance['from']!r} and were clipped."
        )
    if n_saturated:
        said.append(
            f"Clipped to fit {provenance['dtype']}: {n_saturated} of the translated values."
        )
    return said
