"""An image as OME-Zarr 0.5: what says of a group of zarr arrays that it is one."""

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
_PREFIXES = (
    "", "yocto", "zepto", "atto", "femto", "pico", "nano", "micro", "milli", "centi", "deci",
    "hecto", "kilo", "mega", "giga", "tera", "peta", "exa", "zetta", "yotta",
)  # fmt: skip
_UNITS = {
    "space": {f"{prefix}meter" for prefix in _PREFIXES}
    | {"angstrom", "foot", "inch", "mile", "parsec", "yard"},
    "time": {f"{prefix}second" for prefix in _PREFIXES} | {"minute", "hour", "day"},
}
WHITE = "FFFFFF"
PRIMARIES = ("FF0000", "00FF00", "0000FF", "FF00FF", "00FFFF", "FFFF00")


@dataclass(frozen=True, slots=True)
class ShownChannel:
    """A channel, and how viewers show it.

    Parameters
    ----------
    name
        Of the channel.
    limits
        Pixel values to show as black and as fully lit.
    color
        That fully lit pixels have, as ``"00FF00"``.
    is_visible
        False for one that is shown on demand only.
    """

    name: str
    limits: tuple[float, float]
    color: str = WHITE
    is_visible: bool = True


@dataclass(frozen=True, slots=True)
class AxisPlace:
    """Where the pixels of an axis stand.

    Parameters
    ----------
    step
        From one pixel to the next.
    origin
        Of the centre of the first pixel.
    unit
        Of both, by its name in OME-Zarr, such as ``"micrometer"``; None where there is none.
    """

    step: float = 1.0
    origin: float = 0.0
    unit: str | None = None


@dataclass(frozen=True, slots=True)
class OmeZarrPlan:
    """What is written to an OME-Zarr.

    Parameters
    ----------
    stored
        The image; for its axes see `stored_axes`. Where it stands is said by `places` alone.
    channels
        One for each.
    places
        Of axes by their letters; those left out count pixels.
    """

    stored: StoredImage
    channels: tuple[ShownChannel, ...]
    places: Mapping[str, AxisPlace]

    @classmethod
    def of_translation(cls, stored: StoredImage, target: Domain) -> "OmeZarrPlan":
        """Plan a translation: the domain names its channels and what they show as black and white.

        Parameters
        ----------
        stored
            The translation.
        target
            The domain that it was translated to.
        """
        colors = [WHITE] if target.n_channels == 1 else PRIMARIES
        limits = channel_limits(target, stored.dtype)
        channels = tuple(
            ShownChannel(name, limits[index], colors[index % len(colors)])
            for index, name in enumerate(target.channels)
        )
        return cls(stored, channels, _places_of(stored))

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
        axis = {"name": letter.lower()}
        if letter in _TYPES:
            axis["type"] = _TYPES[letter]
        unit = self._place(letter).unit
        if unit is not None:
            axis["unit"] = unit
        return axis

    def _place(self, letter: str) -> AxisPlace:
        return self.places.get(letter, AxisPlace())

    def _transforms(self, shape: tuple[int, ...]) -> list[dict[str, Any]]:
        places = [self._place(letter) for letter in self.stored.axes.letters]
        factors = [m / n for m, n in zip(self.stored.shapes[0], shape, strict=True)]
        steps = [place.step * factor for place, factor in zip(places, factors, strict=True)]
        scale = {"type": "scale", "scale": steps}
        # coordinates are of the pixels' centres, and the first mean lies amid the pixels it is of
        offsets = [
            place.origin + place.step * (factor - 1) / 2
            for place, factor in zip(places, factors, strict=True)
        ]
        return [scale, {"type": "translation", "translation": offsets}] if any(offsets) else [scale]

    def _omero(self) -> dict[str, Any]:
        dtype = self.stored.dtype
        channels = []
        for channel in self.channels:
            low, high = channel.limits
            lowest, highest = channel.limits
            if dtype.kind in "iu":
                bounds = np.iinfo(dtype)
                lowest, highest = float(bounds.min), float(bounds.max)
            channels.append(
                {
                    "label": channel.name,
                    "color": channel.color,
                    "active": channel.is_visible,
                    "window": {"min": lowest, "max": highest, "start": low, "end": high},
                }
            )
        model = "color" if len(self.channels) > 1 else "greyscale"
        return {"channels": channels, "rdefs": {"model": model}}


def unit_of_axis(letter: str, name: str) -> str | None:
    """Return what OME-Zarr calls a unit along an axis; None if it has no such unit there.

    Parameters
    ----------
    letter
        Of the axis.
    name
        Of the unit, as pint has it.

    Examples
    --------
    >>> unit_of_axis("X", "micron"), unit_of_axis("T", "second"), unit_of_axis("T", "micrometer")
    ('micrometer', 'second', None)
    """
    known = {"micron": "micrometer"}.get(name, name)
    return known if known in _UNITS.get(_TYPES.get(letter, ""), ()) else None


def _places_of(stored: StoredImage) -> dict[str, AxisPlace]:
    """Return where the pixels of a translation stand, from its physical sizes."""
    size, sides = stored.pixel_size, stored.sides
    unit = None if size is None else NAME_OF_SYMBOL.get(size.unit)
    places = {
        letter: AxisPlace(
            sides.get(letter, 1.0),
            stored.origin.get(letter, 0.0),
            unit if letter in sides else None,
        )
        for letter in stored.axes.letters
    }
    if "T" in places and stored.time_step_s is not None:
        places["T"] = AxisPlace(stored.time_step_s, places["T"].origin, "second")
    return places


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
