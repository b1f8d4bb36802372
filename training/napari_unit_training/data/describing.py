"""What the images of a source are, in words and numbers. Needs no torch."""

from pathlib import Path
from typing import Any

import numpy as np

from napari_unit.images.source_image import SourceImage
from napari_unit_training.config_tables import DomainSettings
from napari_unit_training.data.checks import ImageProblems, some_of
from napari_unit_training.data.scaling import Scaling, parse_scaling
from napari_unit_training.data.sources import Source, name_of_source, told
from napari_unit_training.errors import TrainingError


def choose_scaling(settings: DomainSettings, images: list[SourceImage]) -> Scaling:
    """Return the scaling that the settings name, or the one that suits the images.

    Raises
    ------
    TrainingError
        If the settings name none that there is.
    """
    is_photo = all(is_rgb(image) and image.array.dtype == np.uint8 for image in images)
    return parse_scaling(settings.scaling, is_photo)


def channels_of(
    source: Source, settings: DomainSettings, images: list[SourceImage]
) -> tuple[str, ...]:
    """Return the names of the images' channels: those that the settings name, or made up ones.

    Raises
    ------
    TrainingError
        If the settings name more or fewer than there are.
    """
    n_channels = images[0].n_channels
    channels = settings.channels or _made_up(n_channels, all(map(is_rgb, images)))
    if len(channels) != n_channels:
        raise TrainingError(
            f"{len(channels)} channels are named ({', '.join(channels)}), but the images in "
            f"{told(source)} have {n_channels}."
        )
    return channels


def is_rgb(image: SourceImage) -> bool:
    """Tell whether the channels are samples of a color."""
    return "S" in image.axes.letters and image.n_channels == 3


def _made_up(n_channels: int, are_colors: bool) -> tuple[str, ...]:
    if are_colors:
        return ("red", "green", "blue")
    if n_channels == 1:
        return ("intensity",)
    return tuple(f"channel {index}" for index in range(n_channels))


def describe(source: Source, usable: dict[Path, SourceImage]) -> dict[str, Any]:
    """Return counts, sizes and pixel types as plain JSON values; no absolute path."""
    images = list(usable.values())
    heights = [image.shape[image.axes.y] for image in images]
    widths = [image.shape[image.axes.x] for image in images]
    return {
        "folder": name_of_source(source),
        "images": len(images),
        "planes": sum(n_planes(image) for image in images),
        "dtypes": sorted({str(image.array.dtype) for image in images}),
        "height_px": [min(heights), max(heights)],
        "width_px": [min(widths), max(widths)],
    }


def n_planes(image: SourceImage) -> int:
    """Return how many images of their own a stack has."""
    return int(np.prod([image.shape[axis] for axis in image.axes.planes], dtype=int))


def left_out(problems: ImageProblems) -> list[str]:
    """Return sentences on images that are not learned from."""
    return [f"Left out: {sentence}" for sentence in problems.sentences()]


def notes_on(
    source: Source, usable: dict[Path, SourceImage], settings: DomainSettings
) -> list[str]:
    """Return sentences on what was read differently than it was written."""
    said = [note for image in usable.values() for note in image.notes]
    with_alpha = [path.name for path, image in usable.items() if image.has_alpha]
    if with_alpha:
        said.append(
            f"The alpha channel of {len(with_alpha)} images in {told(source)} is left out: "
            f"{some_of(with_alpha)}."
        )
    stacks = [
        f"{path.name} ({image.axes.letters} {image.shape})"
        for path, image in usable.items()
        if n_planes(image) > 1
    ]
    if stacks and not settings.axes:
        said.append(
            f"{len(stacks)} images in {told(source)} are stacks, each plane an image: "
            f"{some_of(stacks)}. Where an axis is the channels instead, name the axes."
        )
    if len(usable) == 1 and not stacks:
        said.append(f"There is one image only in {told(source)}; all crops are taken from it.")
    return said
