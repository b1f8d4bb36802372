"""Translate an image: the pieces joined, for scripts, the command line and the dock widget."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from napari_unit.engine.settings import Precision, StatisticsMode
from napari_unit.images.axes import Axes
from napari_unit.images.files import open_path
from napari_unit.images.layers import is_layer, make_layer, read_layer
from napari_unit.images.parts import Ranges
from napari_unit.images.source_image import SourceImage
from napari_unit.job import translation_job
from napari_unit.lazy_job import translate_lazily
from napari_unit.lazy_layer import show_when_measured
from napari_unit.progress import Listener, carry_out
from napari_unit.provenance import remarks, summary_of
from napari_unit.request import OutputDtype, TranslationRequest

if TYPE_CHECKING:
    import napari.layers

    from napari_unit.models.file import LoadedModel


def translate(
    image: "napari.layers.Image | str | Path | Any",
    model: "str | Path | LoadedModel | None" = None,
    to: str | None = None,
    *,
    axes: str | None = None,
    statistics: StatisticsMode = "image",
    tile: int | Literal["auto"] = "auto",
    device: str = "auto",
    dtype: OutputDtype = "float32",
    out: str | Path | None = None,
    seed: int | None = None,
    memory: int | str | None = None,
    calibration: str | Path | None = None,
    lazy: bool = False,
    cluster: Any = None,
    precision: Precision = "float32",
    part: Ranges | None = None,
    channels: Sequence[int] | None = None,
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
        equals translating in one piece; ``"model"``, what the model was trained on, the same
        for every image; ``"local"``, the surroundings of each place, for images whose stain or
        exposure drifts; ``"tile"``, each tile alone, as others do, with seams: for comparison.
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
    memory
        What the maps of the networks may take: bytes, or such as ``"4 GB"``; 2 GB if left out.
        It does not grow with the image. Larger maps go to files for a time.
    calibration
        File that an earlier translation of this image has written beside its output; nothing is
        measured then.
    lazy
        Return at once, and compute what is looked at when it is looked at. See Notes.
    cluster
        A dask.distributed ``Client``, the address of a scheduler, or ``"local"`` for processes on
        this computer. Needs `out`, and an image that the workers can read.
    precision
        ``"float32"``, or ``"bfloat16"``: about twice as fast on hardware that computes it, and off
        by some hundredths of the range; not for comparing pixels.
    part
        What to translate, as ranges along axes by their letters: ``{"Y": (1000, 1512), "X": (0,
        512), "Z": (3, 4)}``; axes that are left out are taken whole. The pixels are those that
        translating the whole image gives: all of it is measured in any case.
    channels
        Numbers of the image's channels, from 0, in the order of the model's channels; needed where
        the image has more or another order.
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

    Notes
    -----
    A lazy translation is a multiscale layer (for an array or a path: the dask array of its full
    resolution). A tile is computed when its pixels are asked for and kept in memory while there
    is room; the first one waits until the calibration is measured, unless that is given.
    Smaller levels do not take the whole image through the networks: they are translated from
    the smaller levels of the image or, where it has none, from means of its pixels, with the
    statistics of the full resolution. That is a preview; ``layer.metadata["napari_unit"]`` says
    so of every level.
    In a running napari the layer is hidden until its calibration is measured, on a thread of its
    own, so that the window does not wait.
    """
    request = TranslationRequest(
        model,
        to,
        statistics,
        tile,
        device,
        dtype,
        out,
        seed,
        memory,
        calibration,
        cluster,
        precision,
        part,
        channels,
    )
    opened = _open(image, axes)
    if lazy:
        made = translate_lazily(opened, request).result
        if not is_layer(image):
            return made.array
        layer = make_layer(made)
        assert made.opening is not None
        show_when_measured(layer, made.opening)
        return layer
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
