"""Which images, or parts of images, a run does not learn from but is measured on."""

from collections.abc import Sequence

import numpy as np

from napari_unit.geometry.regions import Region
from napari_unit.geometry.tiling import Span
from napari_unit_training.data.sampling import seed_of
from napari_unit_training.data.training_images import TrainingImage

MIN_WHOLE = 5
"""With fewer images than this, a part of each is held out instead of whole ones."""
MOST_OF_AN_IMAGE = 0.25
_STREAM = 15
"""Of random numbers, see `seed_of`; none that a session draws from."""


def hold_out(
    images: Sequence[TrainingImage], fraction: float, crop_px: int, seed: int
) -> tuple[tuple[TrainingImage, ...], tuple[TrainingImage, ...]]:
    """Divide images into those to learn from and those to measure on.

    Of `MIN_WHOLE` images or more whole ones are held out, drawn by the seed, one at least. Of
    fewer, a band at the end of the longer side of each, wide enough for a crop, where that is not
    more than a quarter of it: pixels of one image are more alike than those of two, but never the
    same.

    Parameters
    ----------
    images
        Of one domain.
    fraction
        To hold out, 0 to 0.5; 0: none.
    crop_px
        No part is smaller.
    seed
        Of the run.

    Returns
    -------
    To learn from, and to measure on; the latter may be none.
    """
    if fraction <= 0:
        return tuple(images), ()
    if len(images) >= MIN_WHOLE:
        n = max(1, round(fraction * len(images)))
        random = np.random.default_rng(seed_of(seed, 0, _STREAM))
        held = set(random.choice(len(images), n, replace=False).tolist())
        return (
            tuple(image for index, image in enumerate(images) if index not in held),
            tuple(images[index] for index in sorted(held)),
        )
    learned, measured = [], []
    for image in images:
        band = max(crop_px, round(fraction * max(image.height, image.width)))
        if band > MOST_OF_AN_IMAGE * max(image.height, image.width):
            learned.append(image)
            continue
        rest, end = _divided(image, band)
        learned.append(rest)
        measured.append(end)
    return tuple(learned), tuple(measured)


def _divided(image: TrainingImage, band: int) -> tuple[TrainingImage, TrainingImage]:
    height, width = image.height, image.width
    rows, columns = Span(0, height), Span(0, width)
    if height >= width:
        at = height - band
        parts = Region(Span(0, at), columns), Region(Span(at, height), columns)
    else:
        at = width - band
        parts = Region(rows, Span(0, at)), Region(rows, Span(at, width))
    return image.part(parts[0]), image.part(parts[1])


def told_held_out(name: str, n_images: int, held: Sequence[TrainingImage]) -> str:
    """Return a note on what of a domain's images is held out."""
    if n_images >= MIN_WHOLE:
        what = f"{len(held)} of the {n_images} images of {name} are"
    else:
        extents = ", ".join(f"{i.path.name} {i.height} x {i.width} px" for i in held)
        what = f"A band of the images of {name} ({extents}) is"
    return f"{what} held out: quality is measured there."


def without_held_out(name: str) -> str:
    """Return a note on a domain whose images are too small to hold out a part of them."""
    return (
        f"The images of {name} are too few and too small to hold some out, so quality is not "
        "measured; give others with --val-a and --val-b."
    )
