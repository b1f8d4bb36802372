"""How a translation was made, as plain values and as a sentence."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_unit.images.layers import TranslationResult
from napari_unit.images.parts import Ranges
from napari_unit.images.source_image import SourceImage

if TYPE_CHECKING:
    from napari_unit.engine.run import Calibration, TranslationPlan
    from napari_unit.engine.statistics import NormStatistics
    from napari_unit.models.file import LoadedModel

_MUCH_CLIPPED = 0.02
"""Percentiles clip about a hundredth of any image by design; more is worth a sentence."""


def origin_of(image: SourceImage, loaded: "LoadedModel", plan: "TranslationPlan") -> dict[str, Any]:
    """Return what was translated by which model in which direction, in values JSON can hold.

    Returns
    -------
    ``model``, ``sha256`` of its file, ``from`` and ``to`` (domains), ``source`` (layer or file).
    """
    return {
        "model": loaded.card.name,
        "sha256": loaded.sha256,
        "from": plan.source_domain,
        "to": plan.target_domain,
        "source": image.name if image.path is None else str(image.path),
    }


def provenance_of(
    image: SourceImage,
    loaded: "LoadedModel",
    plan: "TranslationPlan",
    calibration: "Calibration",
    n_saturated: int | None,
    part: Ranges | None = None,
) -> dict[str, Any]:
    """Return how a translation was made, in values that JSON can hold.

    Parameters
    ----------
    image
        What was translated.
    loaded
        By which model.
    plan
        Of the engine.
    calibration
        What was measured of the image.
    n_saturated
        Values of the result that its dtype cannot hold; None where that is not known.
    part
        What was translated of the image; None is all of it.

    Returns
    -------
    What `origin_of` returns, ``part`` (ranges by axes, or None) and ``channels`` (numbers in order,
    or None) of the image, ``statistics``, ``squares`` (how many were measured, of how many),
    ``standard_error`` (the largest of all normalisations, in their deviations), ``seed``,
    ``tile`` (px), ``device``, ``precision``, ``dtype``, ``window`` (pixel values that stood for
    -1 and 1), ``clipped_fraction`` of the image's pixel values outside it, ``n_saturated`` values
    of the result that its dtype could not hold, ``notes``, ``version``.
    """
    from importlib.metadata import version

    n_values = math.prod(image.shape) // image.axes.channels_in(image.shape) * image.n_channels
    window, statistics = calibration.window, calibration.statistics
    notes = [*image.notes, *calibration.notes]
    if image.has_alpha:
        notes.append("Its opacity channel was left out.")
    return {
        **origin_of(image, loaded, plan),
        "part": None if part is None else {axis: list(ends) for axis, ends in part.items()},
        "channels": None if image.channels is None else list(image.channels),
        "statistics": plan.settings.statistics,
        "squares": None if statistics is None else [statistics.n_sampled, statistics.n_eligible],
        "standard_error": _largest_error(statistics),
        "seed": plan.settings.seed,
        "tile": plan.tile_px,
        "device": plan.device,
        "precision": plan.settings.precision,
        "dtype": plan.settings.dtype.name,
        "window": {"low": list(window.low), "high": list(window.high)},
        "clipped_fraction": calibration.n_clipped / n_values,
        "n_saturated": n_saturated,
        "notes": notes,
        "version": version("napari-unit"),
    }


def _largest_error(statistics: "NormStatistics | None") -> float | None:
    """Return the largest standard error; None where there is none or it is not known."""
    errors = () if statistics is None else statistics.standard_error
    largest = max(errors, default=math.nan)
    return None if math.isnan(largest) else round(largest, 5)


def summary_of(result: TranslationResult) -> str:
    """Say in a sentence what was translated, and how many pixel values had to be clipped."""
    told = result.provenance
    sentence = (
        f"Translated {told['source']!r} from {told['from']!r} to {told['to']!r} with "
        f"{told['model']!r}; {told['clipped_fraction']:.2%} of the image's pixel values were "
        f"outside its intensity window and clipped"
    )
    if np.dtype(told["dtype"]).kind in "iu":
        sentence += f", and {told['n_saturated']} of the result's did not fit {told['dtype']}"
    return " ".join([f"{sentence}.", *told["notes"]])


def remarks(provenance: Mapping[str, Any]) -> list[str]:
    """Return sentences on what was lost or doubtful; none where all is as usual.

    Parameters
    ----------
    provenance
        See `provenance_of`.
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
