"""The images of a source as one domain."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from napari_unit.domains import Domain, IntensityScaling
from napari_unit.engine.devices import available_bytes
from napari_unit.images.source_image import SourceImage
from napari_unit_training.config_tables import DomainSettings
from napari_unit_training.data.checks import (
    ImageProblems,
    check_channels,
    check_shapes,
    open_images,
)
from napari_unit_training.data.describing import (
    channels_of,
    choose_scaling,
    describe,
    left_out,
    notes_on,
)
from napari_unit_training.data.image_files import ImageFiles
from napari_unit_training.data.measuring import Measured, fingerprint_of, measure_images
from napari_unit_training.data.scaling import Scaling
from napari_unit_training.data.sources import Source, find_images, name_of_source, told
from napari_unit_training.data.training_images import TrainingImage
from napari_unit_training.errors import TrainingError

_HELD_SHARE = 4
"""A domain is held on the training device up to this part of the memory that is free there."""


def tell_nobody() -> None:
    """Say nothing of how far the loading is."""


@dataclass(frozen=True, slots=True, eq=False)
class DomainImages:
    """The training images of one domain.

    Parameters
    ----------
    domain
        Name, channels and scaling, with the typical values of these images.
    images
        One per file, sorted by path.
    description
        Of the source, as plain JSON values, for the model card; no absolute path.
    notes
        Sentences for the user about what was read differently than it was written.
    fingerprint
        Hexadecimal hash of names and pixels: a resumed run must see the same.
    held_out
        Images, or parts of them, to measure on and not to learn from.
    validation_fingerprint
        The hash of those, where they are not of the same source.
    """

    domain: Domain
    images: tuple[TrainingImage, ...]
    description: dict[str, Any]
    notes: tuple[str, ...]
    fingerprint: str
    held_out: tuple[TrainingImage, ...] = ()
    validation_fingerprint: str = ""


def load_domain(
    source: Source,
    settings: DomainSettings,
    crop_px: int,
    *,
    skip_bad: bool = False,
    device: torch.device | None = None,
    hold_bytes: int | None = None,
    n_sharing: int = 1,
    tell: Callable[[], None] = tell_nobody,
) -> DomainImages:
    """Open the images of a source, look at every pixel once, and hold what fits.

    Parameters
    ----------
    source
        See `find_images`. Sizes and bit depths may be mixed, channel counts not. Every plane of a
        stack is an image to take crops from; all planes of a file share its intensity window, as
        they do when a stack is translated.
    settings
        Name, scaling, channels and axes.
    crop_px
        The smallest side that an image may have.
    skip_bad
        Leave out images that cannot be used, with a note, instead of refusing the source.
    device
        Where images are held; None: the CPU.
    hold_bytes
        How much of them, the rest is read crop by crop; None: a quarter of the free memory.
    n_sharing
        Processes that hold images there, each its own.
    tell
        Called before every pixel of an image is looked at; what it raises ends the loading.

    Raises
    ------
    TrainingError
        With one sentence per kind of problem, naming the files.
    """
    paths = find_images(source)
    problems = ImageProblems(told(source))
    files = ImageFiles(settings.axes or None)
    opened = open_images(paths, files, problems)
    check_channels(opened, problems, skip_bad)
    check_shapes(opened, problems, crop_px)
    usable = {path: image for path, image in opened.items() if path not in problems.bad}
    scaling = choose_scaling(settings, [*usable.values()])
    measured = measure_images(usable, files, scaling, problems, tell)
    if problems.bad and (not skip_bad or len(problems.bad) == len(paths)):
        raise TrainingError(" ".join(problems.sentences()))
    usable = {path: image for path, image in usable.items() if path in measured}
    domain = _domain(source, settings, usable, scaling, measured)
    device = device or torch.device("cpu")
    if hold_bytes is None:
        hold_bytes = (available_bytes(device) or 0) // (_HELD_SHARE * n_sharing)
    return DomainImages(
        domain=domain,
        images=_hold(usable, files, measured, device, hold_bytes),
        description=describe(source, usable),
        notes=(*left_out(problems), *notes_on(source, usable, settings)),
        fingerprint=fingerprint_of(measured),
    )


def _hold(
    usable: dict[Path, SourceImage],
    files: ImageFiles,
    measured: dict[Path, Measured],
    device: torch.device,
    left: int,
) -> tuple[TrainingImage, ...]:
    """Hold images on the device as long as there is room, in order; the others are read."""
    images = []
    for path in usable:
        planes = files.planes(path)
        image = TrainingImage(
            path, planes.n_planes, planes.n_channels, planes.height, planes.width,
            measured[path].intensities.window, files,
        )  # fmt: skip
        if image.held_bytes <= left:
            left -= image.held_bytes
            image = replace(image, held=image.read_all().to(device))
            files.close(path)
        images.append(image)
    return tuple(images)


def _domain(
    source: Source,
    settings: DomainSettings,
    usable: dict[Path, SourceImage],
    scaling: Scaling,
    measured: dict[Path, Measured],
) -> Domain:
    kind, low, high = scaling
    images = list(usable.values())
    channels = channels_of(source, settings, images)
    windows = [m.intensities.window for m in measured.values()]
    bounds = ([w.low for w in windows], [w.high for w in windows])
    typical = [tuple(np.median(b, axis=0).tolist()) for b in bounds if kind == "percentiles"]
    try:
        return Domain(
            settings.name or name_of_source(source),
            channels,
            IntensityScaling(kind, low, high, *typical),
        )
    except ValueError as error:
        raise TrainingError(str(error)) from error
