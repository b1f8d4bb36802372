"""What an image is and what a model expects, in sentences. Needs neither Qt nor torch."""

import math

from napari_unit.domains import Domain, channels_in_words, domain_in_words
from napari_unit.images.source_image import SourceImage
from napari_unit.models.architecture import MIN_SIZE_PX


def image_in_words(image: SourceImage) -> str:
    """Describe an image in a line: planes, size, channels, pixel type, levels."""
    length = dict(zip(image.axes.letters, image.shape, strict=True))
    size = f"{length['X']} × {length['Y']} px"
    stacked = {letter: n for letter, n in length.items() if letter not in "CSYX" and n > 1}
    if stacked:
        along = " × ".join(f"{n} {letter}" for letter, n in stacked.items())
        size = f"{math.prod(stacked.values())} planes ({along}) of {size}"
    parts = [size, _coloring(image), str(image.array.dtype)]
    if image.is_multiscale:
        parts.append(f"{len(image.level_shapes)} levels")
    return ", ".join(parts)


def _coloring(image: SourceImage) -> str:
    if image.axes.channel is None:
        return "gray"
    if "S" in image.axes.letters and image.n_channels == 3:
        return "RGB without its opacity" if image.has_alpha else "RGB"
    return channels_in_words(image.n_channels)


def misfit(image: SourceImage, source: Domain) -> str | None:
    """Say why an image cannot be one of a domain; None where it can.

    Parameters
    ----------
    image
        The image to translate.
    source
        The domain that the chosen model and direction start from.
    """
    if image.array.dtype.kind not in "iuf":
        return (
            f"The layer {image.name!r} holds pixels of type {image.array.dtype}; "
            "convert them to whole numbers or to floating point."
        )
    length = dict(zip(image.axes.letters, image.shape, strict=True))
    if min(length["Y"], length["X"]) < MIN_SIZE_PX:
        return (
            f"The layer {image.name!r} is {length['Y']} x {length['X']} px; "
            f"both sides must have at least {MIN_SIZE_PX}."
        )
    if image.n_channels == source.n_channels:
        return None
    advice = "Choose another layer, direction or model"
    if source.n_channels > 1 and image.axes.channel is None:
        advice += "; if one of the layer's axes holds the channels, name it C under More options"
    return (
        f"Images of {source.name!r} have {domain_in_words(source)}, "
        f"but the layer {image.name!r} has {channels_in_words(image.n_channels)}. {advice}."
    )
