"""A translation as OME-Zarr 0.5: what says of a group of zarr arrays that it is an image."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_unit.domains import Domain
from napari_unit.images.axes import Axes
from napari_unit.images.color import channel_limits
from napari_unit.images.placement import NAME_OF_SYMBOL
from napari_unit.images.stored_image import StoredImage

_TYPES = {"T": "time", "C": "channel", "Z": "space", "Y": "space", "X": "space"}
_WHITE = "FFFFFF"
_PRIMARIES = ("FF0000", "00FF00", "0000FF", "FF00FF", "00FFFF", "FFFF00")


@dataclass(frozen=True, slots=True)
class OmeZarrPlan:
    """What is written to an OME-Zarr.

    Parameters
    ----------
    stored
        The image; for its axes see `stored_axes`.
    target
        Names the channels and what they show as black and white.
    """

    stored: StoredImage
    target: Domain

    @property
    def metadata(self) -> dict[str, Any]:
        """The attribute ``ome`` of the group."""
        scales: dict[str, Any] = {
            "name": self.stored.name,
            "axes": [self._axis(letter) for letter in self.stored.axes.letters],
            "datasets": [
                {"path": str(level), "coordinateTransformations": self._transforms(shape)}
                for level, shape in enumerate(self.stored.shapes)
            ],
        }
        if len(self.stored.shapes) > 1:
            scales["type"] = "local mean"
            scales["metadata"] = {
                "description": "Each pixel is the mean of the pixels of the level before that it "
                "stands for.",
                "method": "napari_unit.images.levels.shrink",
            }
        return {"version": "0.5", "multiscales": [scales], "omero": self._omero()}

    def _axis(self, letter: str) -> dict[str, str]:
        axis = {"name": letter.lower(), "type": _TYPES[letter]}
        size = self.stored.pixel_size
        unit = None if size is None else NAME_OF_SYMBOL.get(size.unit)
        if unit is not None and letter in self.stored.sides:
            axis["unit"] = unit
        if letter == "T" and self.stored.time_step_s is not None:
            axis["unit"] = "second"
        return axis

    def _transforms(self, shape: tuple[int, ...]) -> list[dict[str, Any]]:
        full, letters = self.stored.shapes[0], self.stored.axes.letters
        steps = {"T": self.stored.time_step_s or 1.0, **self.stored.sides}
        sides = [steps.get(letter, 1.0) for letter in letters]
        factors = [m / n for m, n in zip(full, shape, strict=True)]
        scale = {"type": "scale", "scale": [s * f for s, f in zip(sides, factors, strict=True)]}
        # coordinates are of the pixels' centres, and the first mean lies amid the pixels it is of
        offsets = [
            self.stored.origin.get(letter, 0.0) + side * (factor - 1) / 2
            for letter, side, factor in zip(letters, sides, factors, strict=True)
        ]
        return [scale, {"type": "translation", "translation": offsets}] if any(offsets) else [scale]

    def _omero(self) -> dict[str, Any]:
        names, dtype = self.target.channels, self.stored.dtype
        colors = [_WHITE] if len(names) == 1 else _PRIMARIES
        channels = []
        for index, (name, limits) in enumerate(
            zip(names, channel_limits(self.target, dtype), strict=True)
        ):
            low, high = limits
            lowest, highest = limits
            if dtype.kind in "iu":
                bounds = np.iinfo(dtype)
                lowest, highest = float(bounds.min), float(bounds.max)
            channels.append(
                {
                    "label": name,
                    "color": colors[index % len(colors)],
                    "active": True,
                    "window": {"min": lowest, "max": highest, "start": low, "end": high},
                }
            )
        model = "color" if len(names) > 1 else "greyscale"
        return {"channels": channels, "rdefs": {"model": model}}


def stored_axes(axes: Axes) -> Axes:
    """Return axes in the order of OME-Zarr: time, channels, then Z, Y and X.

    Raises
    ------
    ValueError
        If OME-Zarr has no such axis.
    """
    letters = axes.letters.replace("S", "C")
    unknown = [letter for letter in letters if letter not in _TYPES]
    if unknown:
        raise ValueError(
            f"The axes are {axes.letters!r}, and an OME-Zarr has none for {', '.join(unknown)}; "
            "say with axes which of them are T and Z, or write an OME-TIFF."
        )
    return Axes("".join(letter for letter in _TYPES if letter in letters))


def describe(store: Path, plan: OmeZarrPlan, provenance: Mapping[str, Any]) -> None:
    """Make an OME-Zarr image of a group with arrays ``0``, ``1`` ..., and check that it is one.

    Parameters
    ----------
    store
        Folder of the group.
    plan
        What is in it.
    provenance
        Plain JSON values; becomes the attribute ``napari_unit``.

    Raises
    ------
    RuntimeError
        If the result is no valid OME-Zarr; a fault of this program.
    """
    import zarr
    from yaozarrs import validate_zarr_store

    # writers that were killed leave these
    for torn in store.rglob("*.partial"):
        torn.unlink(missing_ok=True)
    group = zarr.open_group(store, mode="r+", zarr_format=3)
    told = json.loads(json.dumps(dict(provenance), allow_nan=False))
    group.attrs.put({"ome": plan.metadata, "napari_unit": told})
    try:
        validate_zarr_store(store)
    except ValueError as error:  # many lines long
        raise RuntimeError(f"{store} did not become a valid OME-Zarr: {error}") from error
