"""Which part of an image a viewer shows, and which one a person has drawn a rectangle around."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_unit.images.axes import Axes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari.layers import Image, Shapes

Ranges = dict[str, tuple[int, int]]
_RECTANGLE = "rectangle"


def seen_planes(viewer: Any, layer: "Image", axes: Axes) -> Ranges:
    """Return the planes at which the sliders stand, along each axis that counts planes.

    Parameters
    ----------
    viewer
        That shows the layer.
    layer
        Of an image.
    axes
        Of its data.
    """
    place = _place(viewer, layer)
    shape = _shape(layer)
    found = {}
    for axis in axes.planes:
        at = min(max(round(float(place[axis])), 0), shape[axis] - 1)
        found[axes.letters[axis]] = (at, at + 1)
    return found


def seen_area(viewer: Any, layer: "Image", axes: Axes) -> Ranges:
    """Return the rows and columns that the canvas shows.

    Raises
    ------
    ValueError
        If the viewer shows the image in three dimensions, or other axes than rows and columns, or
        none of it.
    """
    _refuse_other_views(viewer, layer, axes)
    camera = getattr(viewer, "scene", viewer).camera
    centre = np.asarray(camera.center, float)[-2:]
    half = np.asarray(canvas_size(viewer)) / camera.zoom / 2
    corners = []
    for signs in ((-1, -1), (-1, 1), (1, -1), (1, 1)):
        world = np.asarray(viewer.dims.point, float)
        world[list(viewer.dims.displayed)] = centre + np.asarray(signs) * half
        corners.append(np.asarray(layer.world_to_data(world)))
    # pixels begin half a pixel before their middle
    first, last = np.min(corners, axis=0) + 0.5, np.max(corners, axis=0) + 0.5
    return _area(layer, axes, np.floor(first), np.ceil(last))


def canvas_size(viewer: Any) -> tuple[float, float]:
    """Return height and width of the part of the canvas in which a layer is shown."""
    canvas = getattr(viewer, "canvas", None)
    size = viewer._canvas_size if canvas is None else canvas.size
    rows, columns = (viewer if canvas is None else canvas).grid.actual_shape(viewer.layers)
    return size[0] / rows, size[1] / columns


def rectangle(shapes: "Shapes", layer: "Image", axes: Axes) -> Ranges:
    """Return the rows and columns of the rectangle that is selected, else of the one drawn last.

    Raises
    ------
    ValueError
        If no rectangle is drawn, or it lies beside the image.
    """
    kinds = list(shapes.shape_type)
    chosen = [i for i in sorted(shapes.selected_data) if kinds[i] == _RECTANGLE]
    drawn = chosen or [i for i, kind in enumerate(kinds) if kind == _RECTANGLE]
    if not drawn:
        raise ValueError(
            f"There is no rectangle in the layer {shapes.name!r}; draw one around what is to be "
            "translated."
        )
    corners = np.array([_to_data(layer, shapes, corner) for corner in shapes.data[drawn[-1]]])
    # pixels begin half a pixel before their middle
    first, last = corners.min(axis=0) + 0.5, corners.max(axis=0) + 0.5
    return _area(layer, axes, np.floor(first + 1e-6), np.ceil(last - 1e-6))


def rectangles(layers: Any) -> "Iterator[Shapes]":
    """Yield the layers in which rectangles can be drawn, the top one first."""
    from napari.layers import Shapes

    for layer in reversed([getattr(one, "__wrapped__", one) for one in layers]):
        if isinstance(layer, Shapes):
            yield layer


def _refuse_other_views(viewer: Any, layer: "Image", axes: Axes) -> None:
    if viewer.dims.ndisplay != 2:
        raise ValueError("The viewer shows three dimensions; switch to two (the cube button).")
    spatial = axes.letters.replace("S", "")
    behind = viewer.dims.ndim - len(spatial)
    shown = [axis - behind for axis in viewer.dims.displayed]
    if {spatial[axis] for axis in shown if axis >= 0} != {"Y", "X"}:
        raise ValueError(
            "The viewer shows other axes than the rows and columns of the layer "
            f"{layer.name!r}; bring those to the front, or translate the whole image."
        )


def _area(layer: "Image", axes: Axes, first: NDArray[Any], stop: NDArray[Any]) -> Ranges:
    shape = _shape(layer)
    found = {}
    for axis in (axes.y, axes.x):
        start, end = max(0, int(first[axis])), min(shape[axis], int(stop[axis]))
        if start >= end:
            raise ValueError(f"Nothing of the layer {layer.name!r} lies there.")
        found[axes.letters[axis]] = (start, end)
    return found


def _shape(layer: "Image") -> tuple[int, ...]:
    data = layer.data[0] if layer.multiscale else layer.data
    return tuple(int(length) for length in data.shape)


def _place(viewer: Any, layer: "Image") -> NDArray[np.float64]:
    """Return where the sliders stand, in pixels of the layer."""
    place: NDArray[np.float64] = np.asarray(layer.world_to_data(viewer.dims.point))
    return place


def _to_data(layer: "Image", shapes: "Shapes", corner: NDArray[Any]) -> NDArray[np.float64]:
    """Return a corner of a shape in pixels of another layer, which may have more axes."""
    world = np.asarray(shapes.data_to_world(corner), float)
    n = layer.ndim
    if len(world) < n:
        world = np.concatenate([np.zeros(n - len(world)), world])
    found: NDArray[np.float64] = np.asarray(layer.world_to_data(world[-n:]))
    return found
