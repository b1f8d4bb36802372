from typing import Any

import dask.array
import numpy as np
import pytest
import zarr
from napari.components import ViewerModel
from napari.layers import Image, Labels, Points
from napari.utils._proxies import PublicOnlyProxy

from napari_unit.domains import Domain, IntensityScaling
from napari_unit.images.axes import Axes, axes_of_result, shape_of_result
from napari_unit.images.layers import TranslationResult, is_layer, make_layer, read_layer
from napari_unit.images.placement import PixelSize
from napari_unit.images.source_image import SourceImage

pytestmark = pytest.mark.filterwarnings("ignore:Non-orthogonal slicing:UserWarning")

RANGE = IntensityScaling("range", 0.0, 255.0)
GRAY = Domain("gray", ("dna",), RANGE)
RGB = Domain("stained", ("red", "green", "blue"), RANGE)
TWO = Domain("two", ("dna", "actin"), RANGE)
RNG = np.random.default_rng(0)
MOVED_2D: dict[str, Any] = {
    "scale": (0.5, 0.25), "translate": (3.0, -4.0), "rotate": 30.0, "shear": (0.2,),
    "affine": np.array([[1.0, 0.1, 7.0], [-0.2, 1.1, 8.0], [0, 0, 1]]),
    "units": ("nm", "nm"), "axis_labels": ("y", "x"),
}  # fmt: skip
MOVED_4D: dict[str, Any] = {
    "scale": (1.0, 2.0, 0.5, 0.5), "translate": (0.0, 1.0, 2.0, 3.0),
    "rotate": np.kron(np.eye(2), [[0.8, -0.6], [0.6, 0.8]]),
    "shear": np.arange(6) / 10, "affine": np.eye(5) + np.triu(np.full((5, 5), 0.1), 2),
    "units": ("s", "um", "um", "um"), "axis_labels": ("t", "z", "y", "x"),
}  # fmt: skip
FIELDS = ("scale", "translate", "rotate", "shear", "affine", "units", "axis_labels")


def gray(*shape: int) -> np.ndarray:
    return RNG.integers(0, 255, shape).astype("u1")


LAYERS: dict[str, tuple[Any, dict[str, Any]]] = {
    "gray": (gray(40, 48), MOVED_2D),
    "rgb": (gray(40, 48, 3), MOVED_2D | {"rgb": True}),
    "rgba": (gray(40, 48, 4), MOVED_2D | {"rgb": True}),
    "multiscale": ([gray(40, 48), gray(20, 24), gray(10, 12)], MOVED_2D),
    "dask": (dask.array.from_array(gray(40, 48), chunks=16), MOVED_2D),
    "zarr": (zarr.array(gray(40, 48), chunks=(16, 16)), MOVED_2D),
    "3-D and t": (gray(2, 3, 40, 48), MOVED_4D),
    "lower shear": (gray(40, 48), {"shear": np.array([[1.0, 0], [0.4, 1.0]])}),
    "defaults": (gray(40, 48), {}),
}
TARGETS = {"gray": GRAY, "rgb": RGB, "two": TWO}


def layer_of(name: str) -> Image:
    data, fields = LAYERS[name]
    return Image(data, name=name, contrast_limits=(0, 255), **fields)


def result_of(image: SourceImage, target: Domain) -> TranslationResult:
    axes = axes_of_result(image.axes, image.shape, target)
    levels = tuple(
        np.zeros(shape_of_result(image.axes, shape, axes, target.n_channels), "f4")
        for shape in image.level_shapes
    )
    told = {"from": "here", "to": target.name}
    return TranslationResult(levels, axes, image, target, (0.0, 255.0), told)


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("target", TARGETS)
def test_all_seven_fields_survive(name: str, target: str) -> None:
    layer = layer_of(name)
    made = make_layer(result_of(read_layer(layer), TARGETS[target]))
    assert made.rgb == (target == "rgb")
    assert made.multiscale == layer.multiscale
    assert made.name == f"{name} [here → {TARGETS[target].name}]"
    assert made.ndim == layer.ndim + (target == "two")
    for field in FIELDS:
        old, new = getattr(layer, field), getattr(made, field)
        if field == "affine":
            old, new = old.affine_matrix, new.affine_matrix
        if target == "two":  # the new channel axis is right before Y and X
            old, new = without_channel(field, old, layer.ndim, new)
        if field in ("units", "axis_labels"):
            assert tuple(map(str, new)) == tuple(map(str, old)), field
        else:
            assert np.array_equal(np.asarray(new), np.asarray(old)), field


def test_a_layer_behind_naparis_proxy_is_read_as_itself() -> None:
    """As a dock widget gets it: viewer and layers let plugins see public names only."""
    viewer = ViewerModel()
    layer = layer_of("multiscale")
    viewer.layers.append(layer)
    proxied = PublicOnlyProxy(viewer).layers[0]
    assert type(proxied) is not Image
    assert is_layer(proxied)
    made = make_layer(result_of(read_layer(proxied), GRAY))
    assert np.array_equal(made.affine.affine_matrix, layer.affine.affine_matrix)
    assert [level.shape for level in made.data] == [level.shape for level in layer.data]


def without_channel(field: str, old: Any, ndim: int, new: Any) -> tuple[Any, Any]:
    """Return a field of the source and of the result, which must stand still along C."""
    at = ndim - 2
    if field in ("units", "axis_labels"):
        assert str(new[at]) == {"units": "pixel", "axis_labels": "c"}[field]
        kept = [*new[:at], *new[at + 1 :]]
        if field == "axis_labels" and old[0].startswith("-"):
            return tuple(str(i - ndim) for i in range(ndim)), tuple(kept)
        return old, tuple(kept)
    new = np.asarray(new)
    if field == "shear" and new.ndim == 1:
        full = np.eye(ndim + 1)
        full[np.triu_indices(ndim + 1, 1)] = new
        old_full = np.eye(ndim)
        old_full[np.triu_indices(ndim, 1)] = old
        new, old = full, old_full
    if new.ndim == 1:
        assert new[at] == {"scale": 1.0, "translate": 0.0}[field]
        return old, np.delete(new, at)
    assert np.array_equal(new[at], np.eye(len(new))[at])
    assert np.array_equal(new[:, at], np.eye(len(new))[:, at])
    return old, np.delete(np.delete(new, at, 0), at, 1)


@pytest.mark.parametrize("target", TARGETS)
def test_a_channel_axis_that_goes_takes_its_transforms_along(target: str) -> None:
    layer = Image(
        gray(3, 40, 48), scale=(9.0, 0.5, 0.25), translate=(5.0, 6.0, 7.0),
        units=("pixel", "um", "um"), axis_labels=("c", "y", "x"),
    )  # fmt: skip
    made = make_layer(result_of(read_layer(layer), TARGETS[target]))
    start = 0 if target == "two" else 1
    assert made.axis_labels == layer.axis_labels[start:]
    assert made.units == layer.units[start:]
    assert np.array_equal(made.scale, layer.scale[start:])
    assert np.array_equal(made.translate, layer.translate[start:])
    assert made.data.shape == {"gray": (40, 48), "rgb": (40, 48, 3), "two": (2, 40, 48)}[target]


def test_a_layer_is_read_without_touching_its_pixels() -> None:
    class Untouchable:
        shape, ndim, dtype = (2, 90, 80), 3, np.dtype("u2")

        def __getitem__(self, index: Any) -> np.ndarray:
            raise AssertionError("pixels were read")

    lazy = Untouchable()
    layer = Image(np.zeros((2, 90, 80), "u2"), name="lazy", scale=(1, 0.5, 0.5), units=("um",) * 3)
    layer._data = lazy  # an Image draws a slice when it is made, or given other data
    image = read_layer(layer)
    assert (image.axes.letters, image.shape, image.name) == ("ZYX", (2, 90, 80), "lazy")
    assert image.pixel_size == PixelSize(0.5, 0.5, 1.0, "µm")
    assert image.array is lazy


def test_levels_and_channels_of_a_layer() -> None:
    multiscale = read_layer(layer_of("multiscale"))
    assert multiscale.level_shapes == ((40, 48), (20, 24), (10, 12))
    assert multiscale.is_multiscale
    assert multiscale.shape == (40, 48)
    colored = read_layer(layer_of("rgba"))
    assert (colored.axes.letters, colored.n_channels, colored.has_alpha) == ("YXS", 3, True)
    assert not read_layer(layer_of("gray")).is_multiscale


def test_axes_may_be_given_where_labels_do_not_say_them() -> None:
    layer = Image(gray(3, 40, 48))
    assert read_layer(layer).axes.letters == "ZYX"
    assert read_layer(layer, "cyx").n_channels == 3
    with pytest.raises(ValueError, match="name 2 axes, but the image has 3"):
        read_layer(layer, "YX")
    with pytest.raises(ValueError, match="is RGB: its last axis is S"):
        read_layer(layer_of("rgb"), "ZYX")
    labelled = Image(gray(2, 40, 48, 3), rgb=True, axis_labels=("c", "y", "x"))
    with pytest.raises(ValueError, match="labelled as channels as well"):
        read_layer(labelled)
    assert read_layer(labelled, "QYXS").n_channels == 3


@pytest.mark.parametrize(
    ("layer", "sentence"),
    [
        (lambda: Labels(np.zeros((40, 48), "u1"), name="cells"), "layer 'cells' is a Labels layer"),
        (lambda: Points(np.zeros((4, 2)), name="spots"), "layer 'spots' is a Points layer"),
        (lambda: np.zeros((4, 4)), "Image layer is needed, not ndarray"),
    ],
)
def test_only_image_layers_can_be_translated(layer: Any, sentence: str) -> None:
    with pytest.raises(TypeError, match=sentence):
        read_layer(layer())


def test_contrast_limits_and_provenance_are_on_the_layer() -> None:
    result = result_of(read_layer(layer_of("gray")), GRAY)
    made = make_layer(result)
    assert made.contrast_limits == [0.0, 255.0]
    assert made.metadata == {"napari_unit": {"from": "here", "to": "gray"}}


def test_an_image_from_a_file_is_placed_by_its_pixel_size() -> None:
    image = SourceImage(
        gray(40, 48), Axes("YX"), "file", pixel_size=PixelSize(0.5, 0.25, None, "µm"),
        level_shapes=((40, 48),),
    )  # fmt: skip
    made = make_layer(result_of(image, GRAY))
    assert tuple(made.scale) == (0.5, 0.25)
    assert {str(unit) for unit in made.units} == {"micrometer"}


def test_what_is_a_layer_is_told_without_napari() -> None:
    assert is_layer(layer_of("gray"))
    assert is_layer(Labels(np.zeros((9, 9), "u1")))
    assert not any(is_layer(value) for value in (np.zeros(3), "image.tif", None, [1]))
