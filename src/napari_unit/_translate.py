"""Translate an image: the pieces joined, for scripts, the command line and the dock widget."""

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_unit.direction import choose_direction, choose_model
from napari_unit.identity import as_begun, identity_of
from napari_unit.images.axes import Axes
from napari_unit.images.color import at_depth, contrast_limits
from napari_unit.images.content_mark import content_mark
from napari_unit.images.file_outputs import check_free, file_output
from napari_unit.images.files import open_path
from napari_unit.images.layers import TranslationResult, is_layer, make_layer, read_layer
from napari_unit.images.outputs import MemoryOutput, Output, shape_result
from napari_unit.images.source_image import SourceImage
from napari_unit.images.storage import ArraySource
from napari_unit.images.work_folder import WorkFolder
from napari_unit.models.zoo import ModelEntry
from napari_unit.progress import Listener, carry_out
from napari_unit.provenance import provenance_of, remarks, summary_of

if TYPE_CHECKING:
    from collections.abc import Generator

    import napari.layers

    from napari_unit.engine.run import Progress
    from napari_unit.models.file import LoadedModel

OutputDtype = Literal["float32", "same", "uint8", "uint16"]
Statistics = Literal["image", "whole"]
_DTYPES = ("float32", "same", "uint8", "uint16")


@dataclass(frozen=True, slots=True)
class TranslationRequest:
    """What to make of an image.

    Parameters
    ----------
    model
        Name of a bundled or own model, path of a model file, or a model already loaded; None
        takes the bundled one that fits.
    to
        Name of the domain to translate to; None where only one fits.
    statistics
        What the normalisation layers are told: ``"image"``, a sample of the image, or ``"whole"``.
    tile
        Side of a tile in pixels, or ``"auto"``.
    device
        ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"``.
    dtype
        Of the result; ``"same"`` is the image's own integer type, and float32 for floats.
    out
        OME-TIFF or OME-Zarr to write, as its ending says; None keeps the result in memory.
    seed
        Of the sample that the statistics are taken from; None is always the same sample.
    """

    model: "str | Path | LoadedModel | None" = None
    to: str | None = None
    statistics: Statistics = "image"
    tile: int | Literal["auto"] = "auto"
    device: str = "auto"
    dtype: OutputDtype = "float32"
    out: str | Path | None = None
    seed: int | None = None

    def __post_init__(self) -> None:
        """Refuse what can be refused before an image is opened."""
        if self.dtype not in _DTYPES:
            raise ValueError(
                f"dtype is {self.dtype!r}; it must be 'float32', 'same', 'uint8' or 'uint16'."
            )


def translate(
    image: "napari.layers.Image | str | Path | Any",
    model: "str | Path | LoadedModel | None" = None,
    to: str | None = None,
    *,
    axes: str | None = None,
    statistics: Statistics = "image",
    tile: int | Literal["auto"] = "auto",
    device: str = "auto",
    dtype: OutputDtype = "float32",
    out: str | Path | None = None,
    seed: int | None = None,
    progress: bool | Listener = True,
) -> Any:
    """Translate an image from one domain of a model to the other, in tiles without seams.

    Parameters
    ----------
    image
        A napari Image layer (gray or RGB, multiscale, in memory or lazy), an array (numpy, dask,
        zarr) or the path of a TIFF, OME-TIFF, PNG, JPEG, OME-Zarr, zarr array, .npy or .npz.
        Stacks are translated plane by plane, all with the same calibration.
    model
        Name of a bundled or own model, path of a model file, or what `load_model` returned; None
        takes the bundled model that fits the image.
    to
        Name of the domain to translate to; may be left out where the number of channels leaves
        only one.
    axes
        A letter per axis of the image, of T, Z, C, Y, X and S, such as ``"ZCYX"``. Needed where
        neither the layer nor the file says it: for arrays of more than two axes.
    statistics
        What the normalisation layers are told: ``"image"``, a sample of the image that leaves
        out flat parts (of up to 64 squares of 256 px: all of it); ``"whole"``, all of it, which
        equals translating in one piece.
    tile
        Side of a tile in pixels, or ``"auto"``; the result does not depend on it.
    device
        ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"``.
    dtype
        Of the result: ``"float32"``, ``"uint8"``, ``"uint16"``, or ``"same"`` as the image.
        Integers are rounded; what does not fit is clipped and counted. RGB in floats is 0 to 1.
    out
        File to write instead of keeping the result in memory; must not exist yet. OME-TIFF where
        it ends in ``.ome.tif`` or ``.tif``, OME-Zarr where it ends in ``.ome.zarr`` or
        ``.zarr``. It appears when it is whole; what is finished before lies in a folder of this
        name with ``.partial`` behind it, and the same call goes on there.
    seed
        Of the sample of the image that ``statistics="image"`` takes.
    progress
        True shows a bar on stderr where that is a terminal or a notebook; a function is called
        with each `napari_unit.engine.run.Progress`.

    Returns
    -------
    For a layer a new Image layer that stands where it stands, in no viewer yet; with `out` its
    pixels are read from that file. For an array or a path an array with the axes of the image
    (a channel axis that the target does not need is gone; one that it needs is last for RGB,
    before Y and X otherwise), or with `out` the path written.

    Raises
    ------
    ValueError
        If the image, the model and the settings do not fit together; the message says how.
    TypeError
        If the image is no image.
    OSError
        If a file cannot be read or written, or exists already.
    MemoryError
        If it would take more memory than there is.
    FloatingPointError
        If the model makes of it what is no number.
    """
    request = TranslationRequest(model, to, statistics, tile, device, dtype, out, seed)
    opened = _open(image, axes)
    result = carry_out(
        translation_job(opened, request),
        progress,
        summary_of,
        lambda result: remarks(result.provenance),
    )
    if is_layer(image):
        return make_layer(result)
    return result.array if result.path is None else result.path


def _open(image: Any, axes: str | None) -> SourceImage:
    if is_layer(image):
        return read_layer(image, axes)
    if isinstance(image, str | Path):
        return open_path(image, axes)
    if not all(hasattr(image, name) for name in ("shape", "dtype", "__getitem__")):
        raise TypeError(
            "translate needs a napari Image layer, an array or the path of an image, "
            f"not {type(image).__name__}."
        )
    ndim = len(image.shape)
    if axes is not None:
        return SourceImage(image, Axes.parse(axes, ndim), "array")
    if ndim != 2:
        raise ValueError(
            f"The array has {ndim} axes of lengths {tuple(image.shape)}; say what they are with "
            "axes=, as in axes='ZYX' or axes='YXS'."
        )
    return SourceImage(image, Axes("YX"), "array")


def translation_job(
    image: SourceImage, request: TranslationRequest
) -> "Generator[Progress, None, TranslationResult]":
    """Translate step by step: the one way that scripts, command line and widget all go.

    Needs neither napari nor Qt; may run on any thread.

    Parameters
    ----------
    image
        What to translate.
    request
        How.

    Yields
    ------
    How far it is. Closing the generator cancels: nothing half written remains, and what is
    finished of a file stays in a folder beside it, where the same job goes on.

    Returns
    -------
    The translation with its provenance.

    Raises
    ------
    ValueError, TypeError, OSError, MemoryError, FloatingPointError
        As `translate`.
    """
    dtype = _result_dtype(image, request.dtype)
    out = None if request.out is None else Path(request.out)
    begun = None
    if out is not None:
        check_free(out)
        begun = WorkFolder.beside(out).begun_with()
    # torch takes seconds to import: what cannot work is refused before
    found = _find(image, request.model, request.to)
    direction = choose_direction(found.card.domains, request.to, image, found.card.name)
    from napari_unit.engine.devices import available_devices
    from napari_unit.engine.run import EngineSettings, Progress, plan_translation, run_plan

    tile, device = as_begun(begun or {}, request.tile, request.device, available_devices())
    settings = EngineSettings(request.statistics, tile, device, dtype, request.seed or 0)
    source = at_depth(direction.source, image.array.dtype)
    target = at_depth(direction.target, dtype)
    loaded = _load(found)
    model = copy.copy(loaded.model)  # shares the networks
    at_this_depth = {source.name: source, target.name: target}
    first, second = loaded.card.domains
    model.domains = (at_this_depth[first.name], at_this_depth[second.name])
    planes = ArraySource(image.array, image.axes, image.n_channels)
    plan = plan_translation(model, source.name, target.name, planes, settings)
    result = shape_result(image, target, dtype)
    output: Output
    if out is not None:
        identity = identity_of(image, loaded, plan, content_mark(planes))
        output = file_output(result, image, target, out, identity)
    else:
        output = MemoryOutput(result, plan.memory_bytes if plan.device == "cpu" else 0)
    with output as sink:
        report = yield from run_plan(plan, model, planes, sink)
        provenance = provenance_of(image, loaded, plan, report)
        for phase, done, total in output.finish(provenance):
            yield Progress(phase, done, total)
    return TranslationResult(
        levels=output.levels(),
        axes=result.axes,
        source=image,
        target=target,
        contrast_limits=contrast_limits(target, dtype),
        provenance=provenance,
        path=out,
    )


def _result_dtype(image: SourceImage, wanted: OutputDtype) -> np.dtype[Any]:
    """Return the dtype of the result, and refuse images without pixels to translate."""
    try:
        dtype = np.dtype(image.array.dtype)
    except TypeError as error:  # a tensor of torch or jax
        raise TypeError(
            f"The image has pixels of type {image.array.dtype}; turn it into a numpy array first."
        ) from error
    if dtype.kind not in "iuf":
        raise ValueError(
            f"The image has pixels of type {dtype}; only whole and floating-point numbers can be "
            "translated."
        )
    if 0 in image.shape:
        raise ValueError(
            f"The image is empty: its axes {image.axes.letters} have the lengths {image.shape}."
        )
    if wanted != "same":
        return np.dtype(wanted)
    return dtype.newbyteorder("=") if dtype.kind in "iu" else np.dtype("float32")


def _find(
    image: SourceImage, model: "str | Path | LoadedModel | None", to: str | None
) -> "ModelEntry | LoadedModel":
    if model is None or isinstance(model, str | Path):
        return choose_model(model, to, image)
    if not hasattr(model, "card") or not hasattr(model, "sha256"):
        raise TypeError(
            "model must be a name, the path of a model file or what load_model returned, "
            f"not {type(model).__name__}."
        )
    return model


def _load(found: "ModelEntry | LoadedModel") -> "LoadedModel":
    from napari_unit.models.file import load_model

    return load_model(found.path) if isinstance(found, ModelEntry) else found
