"""A napari layer as an OME-Zarr describes it: where its pixels stand, and what is shown of them."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_unit.images import ome_zarr
from napari_unit.images.axes import Axes, axes_of_labels
from napari_unit.images.color import full_scale
from napari_unit.images.levels import halved_sizes
from napari_unit.images.ome_zarr import AxisPlace, OmeZarrPlan, ShownChannel
from napari_unit.images.placement import Placement
from napari_unit.images.stored_image import StoredImage

_KINDS = "biuf"
_MAX_AXES = 5
_STRAIGHT = 1e-9
"""Of the largest entry of a matrix: smaller ones are rounding errors."""
_RGBA = ("red", "green", "blue", "opacity")


@dataclass(frozen=True, slots=True, eq=False)
class LayerToSave:
    """A layer as it will be written.

    Parameters
    ----------
    array
        Its pixels at full resolution.
    axes
        Of the array.
    plan
        Axes, levels and description in the file.
    provenance
        What the layer's metadata say of how it was made, if it is a translation.
    lost
        What an OME-Zarr cannot hold of it, in words.
    """

    array: Any
    axes: Axes
    plan: OmeZarrPlan
    provenance: Mapping[str, Any]
    lost: tuple[str, ...]


def plan_saving(data: Any, state: Mapping[str, Any]) -> LayerToSave:
    """Look at what napari hands to writers; no pixel is read.

    Parameters
    ----------
    data
        Of an Image layer: an array, or its levels where the state says that it is multiscale.
    state
        Of the layer, by the names of its fields.

    Raises
    ------
    OSError
        If an OME-Zarr cannot hold its pixels or axes. Napari takes a ValueError for no writer.
    """
    levels = tuple(data) if state.get("multiscale") else (data,)
    array, name, is_rgb = levels[0], str(state.get("name", "image")), bool(state.get("rgb"))
    shape = tuple(int(length) for length in array.shape)
    dtype = np.dtype(array.dtype).newbyteorder("=")
    if dtype.kind not in _KINDS or dtype.itemsize > 8 or 0 in shape:
        raise OSError(
            f"The layer {name!r} holds pixels of type {dtype} in the shape {shape}; an OME-Zarr "
            "takes whole numbers and floating point of up to 64 bits, and no empty image."
        )
    try:
        placement = Placement.of_state(state, len(shape) - is_rgb)
    except (ValueError, TypeError) as error:
        raise OSError(str(error)) from error
    axes, lost = _axes(placement.axis_labels, is_rgb)
    stored = _stored_axes(axes, name)
    places, also_lost = _places(axes, placement)
    length = dict(zip(axes.letters.replace("S", "C"), shape, strict=True))
    shapes = tuple(
        tuple((length | {"Y": height, "X": width})[letter] for letter in stored.letters)
        for height, width in _level_sizes(levels, axes)
    )
    n_channels = axes.channels_in(shape)
    plan = OmeZarrPlan(
        StoredImage(stored, shapes, dtype, name), _channels(state, n_channels, dtype), places
    )
    return LayerToSave(array, axes, plan, _provenance(state), (*lost, *also_lost))


def _axes(labels: tuple[str, ...], is_rgb: bool) -> tuple[Axes, tuple[str, ...]]:
    """Return the axes and what of their labels is lost."""
    lost: tuple[str, ...] = ()
    try:
        found = axes_of_labels(labels)
    except ValueError:  # two labels name one axis: then only their places count, as in the canvas
        found = axes_of_labels([str(axis - len(labels)) for axis in range(len(labels))])
        lost = (f"its axis labels {', '.join(labels)}",)
    if is_rgb and "C" in found.letters:
        found = Axes(found.letters.replace("C", "Q"))
    return (Axes(found.letters + "S") if is_rgb else found), lost


def _stored_axes(axes: Axes, name: str) -> Axes:
    """Return the axes in the order of OME-Zarr: one that is none of its own has a place before Z.

    Raises
    ------
    OSError
        If there are too many.
    """
    letters = axes.letters.replace("S", "C")
    others = [letter for letter in letters if letter not in "TCZYX"]
    if len(letters) > _MAX_AXES or len(others) + ("C" in letters) > 1:
        raise OSError(
            f"The layer {name!r} has the axes {letters}; an OME-Zarr holds T, Z, Y, X, and C or "
            "one other, so save a part of the layer."
        )
    if not others:
        return ome_zarr.stored_axes(axes)
    (other,) = others
    return Axes("".join(letter for letter in f"T{other}ZYX" if letter in letters))


def _places(axes: Axes, placement: Placement) -> tuple[dict[str, AxisPlace], tuple[str, ...]]:
    """Return where pixels stand along each axis, and what is lost of the placement."""
    n, lost = len(placement.scale), []
    of_affine = placement.affine[:n, :n]
    linear = of_affine @ placement.rotate @ placement.shear @ np.diag(placement.scale)
    origin = of_affine @ placement.translate + placement.affine[:n, n]
    if _is_diagonal(linear):
        steps = np.diag(linear)
    else:
        steps = np.linalg.norm(linear, axis=0)
        named = {
            "rotation": placement.rotate,
            "shear": placement.shear,
            "affine transform": of_affine,
        }
        lost += [f"its {what}" for what, matrix in named.items() if not _is_diagonal(matrix)]
    places = {}
    for letter, step, at, name in zip(
        axes.letters, steps.tolist(), origin.tolist(), placement.units, strict=False
    ):
        unit = ome_zarr.unit_of_axis(letter, name)
        if unit is None and name not in ("pixel", "dimensionless", ""):
            lost.append(f"the unit {name} along {letter}")
        places[letter] = AxisPlace(step, at, unit)
    return places, tuple(lost)


def _is_diagonal(matrix: NDArray[np.float64]) -> bool:
    off = matrix - np.diag(np.diag(matrix))
    return bool(np.abs(off).max() <= _STRAIGHT * np.abs(matrix).max())


def _level_sizes(levels: tuple[Any, ...], axes: Axes) -> list[tuple[int, int]]:
    """Return height and width of each level: the layer's own where planes alone shrink."""
    shapes = [tuple(int(n) for n in level.shape) for level in levels]
    sizes = [(shape[axes.y], shape[axes.x]) for shape in shapes]
    across = {
        tuple(n for i, n in enumerate(shape) if i not in (axes.y, axes.x)) for shape in shapes
    }
    shrinks = all(b != a and 0 < b[0] <= a[0] and 0 < b[1] <= a[1] for a, b in pairwise(sizes))
    is_pyramid = len(sizes) > 1 and len(across) == 1 and shrinks
    return sizes if is_pyramid else list(halved_sizes(sizes[0]))


def _channels(
    state: Mapping[str, Any], n_channels: int, dtype: np.dtype[Any]
) -> tuple[ShownChannel, ...]:
    if state.get("rgb"):
        limits = (0.0, full_scale(dtype))
        return tuple(
            ShownChannel(name, limits, color, is_visible=name != "opacity")
            for name, color in zip(_RGBA, (*ome_zarr.PRIMARIES[:3], ome_zarr.WHITE), strict=True)
        )[:n_channels]
    limits, color = _limits(state.get("contrast_limits"), dtype), _color(state.get("colormap"))
    if n_channels == 1:
        return (ShownChannel(str(state.get("name", "image")), limits, color),)
    colors = ome_zarr.PRIMARIES if color == ome_zarr.WHITE else (color,)
    return tuple(
        ShownChannel(str(index), limits, colors[index % len(colors)]) for index in range(n_channels)
    )


def _limits(given: Any, dtype: np.dtype[Any]) -> tuple[float, float]:
    try:
        low, high = (float(value) for value in given)
    except (TypeError, ValueError):
        low, high = 0.0, full_scale(dtype)
    return (low, high) if math.isfinite(low) and math.isfinite(high) else (0.0, full_scale(dtype))


def _color(colormap: Any) -> str:
    """Return the color of a map that runs evenly from black to it; white for any other map."""
    found = colormap.get("colors") if isinstance(colormap, Mapping) else None
    colors = np.asarray([] if found is None else found, float)
    if colors.ndim != 2 or len(colors) != 2 or colors[0, :3].any():
        return ome_zarr.WHITE
    return "".join(f"{round(255 * value):02X}" for value in np.clip(colors[1, :3], 0, 1))


def _provenance(state: Mapping[str, Any]) -> Mapping[str, Any]:
    told = (state.get("metadata") or {}).get("napari_unit")
    try:
        json.dumps(told, allow_nan=False)
    except (TypeError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}
