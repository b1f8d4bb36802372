"""A translation that has been checked and planned, but not begun."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_unit.direction import choose_direction, choose_model
from napari_unit.identity import as_begun
from napari_unit.images.color import at_depth
from napari_unit.images.outputs import ResultShape, shape_result
from napari_unit.images.parts import described_part, part_of
from napari_unit.images.source_image import SourceImage
from napari_unit.images.storage import ArraySource
from napari_unit.models.zoo import ModelEntry
from napari_unit.request import OutputDtype, TranslationRequest

if TYPE_CHECKING:
    from napari_unit.domains import Domain
    from napari_unit.engine.run import Known, TranslationPlan
    from napari_unit.models.file import LoadedModel
    from napari_unit.models.model import TranslationModel


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """What a translation needs to begin.

    Parameters
    ----------
    image
        What is measured, with the channels that were chosen.
    shown
        What is translated of it, as an image: the same, or a part.
    loaded
        By which model.
    model
        Its networks, the domains at the depth of the image's and of the result's pixels.
    planes
        The image plane by plane.
    plan
        Of the engine.
    target
        Domain of the result.
    result
        Its shape.
    known
        What need not be measured.
    """

    image: SourceImage
    shown: SourceImage
    loaded: "LoadedModel"
    model: "TranslationModel"
    planes: ArraySource
    plan: "TranslationPlan"
    target: "Domain"
    result: ResultShape
    known: "Known" = field(repr=False)


def prepare(image: SourceImage, request: TranslationRequest, begun: Mapping[str, Any]) -> Prepared:
    """Check everything that can be refused, and plan.

    Parameters
    ----------
    image
        What to translate.
    request
        How.
    begun
        Identity of the job that is gone on with; empty for a new one.

    Raises
    ------
    ValueError, TypeError, OSError, MemoryError
        As `napari_unit.translate`.
    """
    if request.channels is not None:
        image = image.with_channels(request.channels)
    dtype = result_dtype(image, request.dtype)
    part = None if request.part is None else part_of(image, request.part)
    shown = image if request.part is None else described_part(image, request.part)
    # torch takes seconds to import: what cannot work is refused before
    found = _find(image, request.model, request.to)
    direction = choose_direction(found.card.domains, request.to, image, found.card.name)
    from napari_unit.engine.devices import available_devices
    from napari_unit.engine.run import EngineSettings, Known, plan_translation

    source = at_depth(direction.source, image.array.dtype)
    target = at_depth(direction.target, dtype)
    loaded = _load(found)
    model = copy.copy(loaded.model)  # shares the networks
    at_this_depth = {source.name: source, target.name: target}
    first, second = loaded.card.domains
    model.domains = (at_this_depth[first.name], at_this_depth[second.name])
    planes = ArraySource(image.array, image.axes, image.channels_read)
    stored = None
    if loaded.statistics is not None:
        stored = loaded.statistics[model.index_of(source.name)]
    known, statistics = Known(None, stored), request.statistics
    if statistics == "model" and stored is None and request.calibration is None:
        raise ValueError(
            f"The model {loaded.card.name!r} has no statistics of its own; use statistics "
            "'image', or add them with napari-unit calibrate."
        )
    if request.calibration is not None:
        calibration = request.calibration
        if isinstance(calibration, str | Path):
            calibration = _calibration(Path(calibration), loaded, source.name, target.name)
        known = Known(calibration, stored)
        statistics = calibration.statistics.mode if calibration.statistics else "tile"
    tile, device = as_begun(begun, request.tile, request.device, available_devices())
    settings = EngineSettings(
        statistics, tile, device, dtype, request.seed or 0, request.memory_bytes, request.precision
    )
    plan = plan_translation(
        model, source.name, target.name, planes, settings,
        is_calibrated=request.calibration is not None, part=part,
    )  # fmt: skip
    result = shape_result(shown, target, dtype)
    return Prepared(image, shown, loaded, model, planes, plan, target, result, known)


def _calibration(path: Path, loaded: "LoadedModel", source: str, target: str) -> Any:
    from napari_unit.engine.calibration import from_bytes

    if not path.is_file():
        raise FileNotFoundError(
            f"There is no calibration {path}; give the file that lies beside a translation."
        )
    calibration, about = from_bytes(path.read_bytes(), str(path))
    wanted = {"sha256": loaded.sha256, "from": source, "to": target}
    for name, value in wanted.items():
        if about.get(name) != value:
            raise ValueError(
                f"The calibration {path} is of {about.get('model')!r} from {about.get('from')!r} "
                f"to {about.get('to')!r}, not of {loaded.card.name!r} from {source!r} to "
                f"{target!r} (or of another version of the model); measure the image again."
            )
    return calibration


def result_dtype(image: SourceImage, wanted: OutputDtype) -> np.dtype[Any]:
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
