"""Napari layers as plain values, and back. Reads no pixels; only `make_layer` imports napari."""

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_unit.domains import Domain
from napari_unit.images.axes import Axes, axes_of_labels, is_rgb
from napari_unit.images.placement import Placement
from napari_unit.images.source_image import SourceImage

if TYPE_CHECKING:
    import napari.layers


@dataclass(frozen=True, slots=True, eq=False)
class TranslationResult:
    """What a translation gives.

    Parameters
    ----------
    levels
        The translated image, then its smaller levels where the source has such, or where it is
        large and in a file. Numpy arrays, or dask arrays that read `path`.
    axes
        Of the arrays.
    source
        What was translated.
    target
        The domain that it was translated to.
    contrast_limits
        Pixel values to show as black and as white.
    provenance
        Model, its hash, direction, settings, clipping, version: plain values.
    path
        Of the file written; None where the result is in memory.
    opening
        Of a lazy translation: does, step by step, what a viewer would have to wait for when the
        layer is shown first. None of others.
    """

    levels: tuple[Any, ...]
    axes: Axes
    source: SourceImage
    target: Domain
    contrast_limits: tuple[float, float]
    provenance: dict[str, Any]
    path: Path | None = None
    opening: Callable[[], Iterator[None]] | None = None

    @property
    def array(self) -> Any:
        """The translated image."""
        return self.levels[0]

    @property
    def name(self) -> str:
        """Name for a layer: the source's and the direction."""
        return f"{self.source.name} [{self.provenance['from']} → {self.provenance['to']}]"


def _napari_classes(value: Any) -> set[str]:
    """Return the names of the napari classes that a value is an instance of."""
    # not type(): plugins get layers behind a proxy, which is of their class but not of their type
    return {c.__name__ for c in value.__class__.__mro__ if c.__module__.split(".")[0] == "napari"}


def is_layer(value: Any) -> bool:
    """Tell whether a value is a napari layer, without importing napari."""
    return "Layer" in _napari_classes(value)


def read_layer(layer: "napari.layers.Image", axes: str | None = None) -> SourceImage:
    """Return a layer as plain values. Call it on the thread that owns the layer.

    Parameters
    ----------
    layer
        An Image layer: gray or RGB, of one scale or several, over any kind of array.
    axes
        A letter per axis of its data, where its axis labels do not say what they are.

    Raises
    ------
    TypeError
        If it is another kind of layer.
    ValueError
        If its labels, or `axes`, leave open which axis is which.
    """
    if not is_layer(layer):
        raise TypeError(f"A napari Image layer is needed, not {type(layer).__name__}.")
    if "Image" not in _napari_classes(layer):
        raise TypeError(
            f"The layer {layer.name!r} is a {type(layer).__name__} layer; only Image layers can "
            "be translated."
        )
    levels = tuple(layer.data) if layer.multiscale else (layer.data,)
    array = levels[0]
    found = _axes(layer, axes, array.ndim)
    placement = Placement.of_layer(layer)
    path = getattr(layer.source, "path", None)
    return SourceImage(
        array=array,
        axes=found,
        name=str(layer.name),
        placement=placement,
        pixel_size=placement.pixel_size(found),
        origin=placement.origin(found),
        has_alpha=bool(layer.rgb) and array.shape[-1] == 4,
        level_shapes=tuple(tuple(int(n) for n in level.shape) for level in levels),
        smaller=levels[1:],
        path=Path(path) if path else None,
    )


def _axes(layer: "napari.layers.Image", axes: str | None, ndim: int) -> Axes:
    if axes is None:
        labelled = axes_of_labels(layer.axis_labels)
        if not layer.rgb:
            return labelled
        if "C" in labelled.letters:
            raise ValueError(
                f"The RGB layer {layer.name!r} has an axis labelled as channels as well; say which "
                "axes it has with axes=, as in axes='QYXS'."
            )
        return Axes(labelled.letters + "S")
    given = Axes.parse(axes, ndim)
    if layer.rgb and given.channel != ndim - 1:
        raise ValueError(
            f"The axes are {given.letters!r}, but the layer {layer.name!r} is RGB: "
            "its last axis is S."
        )
    return given


def make_layer(result: TranslationResult) -> "napari.layers.Image":
    """Return the result as a layer that stands where its source stands; it is not added anywhere.

    Call it on the thread that owns the viewer.
    """
    from napari.layers import Image

    is_lazy = result.opening is not None
    layer = Image(
        list(result.levels) if len(result.levels) > 1 else result.array,
        multiscale=len(result.levels) > 1,
        visible=not is_lazy,
        **layer_fields(result),
    )
    if is_lazy:
        # a visible layer computes its smallest level when it is made, before any viewer has it
        with getattr(layer, "_block_refresh", nullcontext)():
            layer.visible = True
    return layer


def layer_fields(result: TranslationResult) -> dict[str, Any]:
    """Return what napari's Image takes to show a result, besides its pixels."""
    source = result.source
    placement = source.placement
    if placement is None and source.pixel_size is not None:
        placement = Placement.of_pixel_size(source.pixel_size, source.axes, source.origin)
    rgb = is_rgb(result.target)
    placed = {} if placement is None else placement.for_axes(source.axes, result.axes).fields()
    return {
        "rgb": rgb,
        "name": result.name,
        "contrast_limits": None if rgb else result.contrast_limits,
        "metadata": {"napari_unit": result.provenance},
        **placed,
    }
