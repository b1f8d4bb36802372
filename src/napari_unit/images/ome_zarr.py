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
from napari_unit.images.placement import NAME_OF_SYMBOL, PixelSize

_TYPES = {"T": "time", "C": "channel", "Z": "space", "Y": "space", "X": "space"}
_WHITE = "FFFFFF"
_PRIMARIES = ("FF0000", "00FF00", "0000FF", "FF00FF", "00FFFF", "FFFF00")


@dataclass(frozen=True, slots=True)
class OmeZarrPlan:
    """What is written to an OME-Zarr.

    Parameters
    ----------
    axes
        As stored, see `stored_axes`.
    shapes
        Of the levels, full resolution first; they differ in Y and X only.
    dtype
        Of the pixels.
    target
        Names the channels and what they show as black and white.
    pixel_size
        None where it is not known.
    name
        Of the image.
    """

    axes: Axes
    shapes: tuple[tuple[int, ...], ...]
    dtype: np.dtype[Any]
    target: Domain
    pixel_size: PixelSize | None
    name: str

    @property
    def metadata(self) -> dict[str, Any]:
        """The attribute ``ome`` of the group."""
        scales: dict[str, Any] = {
            "name": self.name,
            "axes": [self._axis(letter) for letter in self.axes.letters],
            "datasets": [
                {"path": str(level), "coordinateTransformations": self._transforms(shape)}
                for level, shape in enumerate(self.shapes)
            ],
        }
        if len(self.shapes) > 1:
            scales["type"] = "local mean"
            scales["metadata"] = {
                "description": "Each pixel is the mean of the pixels of the level before that it "
                "stands for.",
                "method": "napari_unit.images.levels.shrink",
            }
        return {"version": "0.5", "multiscales": [scales], "omero": self._omero()}

    def _axis(self, letter: str) -> dict[str, str]:
        axis = {"name": letter.lower(), "type": _TYPES[letter]}
        unit = None if self.pixel_size is None else NAME_OF_SYMBOL.get(self.pixel_size.unit)
        if unit is not None and letter in self._sides():
            axis["unit"] = unit
        return axis

    def _sides(self) -> dict[str, float]:
        size = self.pixel_size
        sides = {} if size is None else {"Z": size.z, "Y": size.y, "X": size.x}
        return {letter: side for letter, side in sides.items() if side is not None}

    def _transforms(self, shape: tuple[int, ...]) -> list[dict[str, Any]]:
        full = self.shapes[0]
        sides = [self._sides().get(letter, 1.0) for letter in self.axes.letters]
        factors = [m / n for m, n in zip(full, shape, strict=True)]
        scale = {"type": "scale", "scale": [s * f for s, f in zip(sides, factors, strict=True)]}
        if shape == full:
            return [scale]
        # coordinates are of the pixels' centres, and the first mean lies amid the pixels it is of
        offsets = [s * (f - 1) / 2 for s, f in zip(sides, factors, strict=True)]
        return [scale, {"type": "translation", "translation": offsets}]

    def _omero(self) -> dict[str, Any]:
        names = self.target.channels
        colors = [_WHITE] if len(names) == 1 else _PRIMARIES
        channels = []
        for index, (name, limits) in enumerate(
            zip(names, channel_limits(self.target, self.dtype), strict=True)
        ):
            low, high = limits
            lowest, highest = limits
            if self.dtype.kind in "iu":
                bounds = np.iinfo(self.dtype)
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
