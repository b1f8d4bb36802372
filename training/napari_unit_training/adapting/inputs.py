"""The images of an adaptation, read, and refused where they do not go together."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from napari_unit_training.adapting.labelled_images import LabelledImages, load_labelled
from napari_unit_training.adapting.settings import SOURCE, TARGET, AdaptationSettings
from napari_unit_training.errors import TrainingError

LEAST_IMAGES = 2
"""Of a domain: normalisations of batches know nothing of one image."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """What an adaptation is given.

    Parameters
    ----------
    source, target
        To train on.
    tested
        Target images to classify at the end.
    classes
        Names of the classes that are learned.
    fingerprints
        Of the training images, as they were read.
    tests_training_images
        Whether `tested` and `target` are the same images.
    """

    source: LabelledImages
    target: LabelledImages
    tested: LabelledImages
    classes: tuple[str, ...]
    fingerprints: Mapping[str, str]
    tests_training_images: bool

    @property
    def unknown_classes(self) -> tuple[str, ...]:
        """Names of the test images' classes that are not learned."""
        return tuple(name for name in self.tested.shown_classes if name not in self.classes)


def read_inputs(
    settings: AdaptationSettings, source: Path, target: Path, test: Path | None
) -> Inputs:
    """Read the images of both domains and those to test with.

    Parameters
    ----------
    settings
        Of the run.
    source, target
        See `load_labelled`; their training parts.
    test
        Target images to classify; None: the test part of `target`.

    Raises
    ------
    TrainingError
        If images cannot be read, or do not go together.
    """
    side = settings.side_px
    data = (load_labelled(source, side), load_labelled(target, side))
    tested = load_labelled(test or target, side, "test")
    paths = (source, target)
    for path, images in zip(paths, data, strict=True):
        if len(images.images) < LEAST_IMAGES:
            raise TrainingError(f"There is one image in {path}; give at least {LEAST_IMAGES}.")
    learned = settings.learned_from
    if data[learned].labels is None:
        raise TrainingError(
            f"Nobody has said what the images in {paths[learned]} show; the method "
            f"{settings.method!r} learns from their labels."
        )
    if tested.n_channels != data[TARGET].n_channels:
        raise TrainingError(
            f"The test images have {tested.n_channels} channels and the target's "
            f"{data[TARGET].n_channels}; they must have as many."
        )
    prints = {"source": data[SOURCE].fingerprint, "target": data[TARGET].fingerprint}
    is_same = torch.equal(tested.images, data[TARGET].images)
    if is_same and learned == TARGET:
        raise TrainingError(
            f"The images to test with are those in {target} that the method {settings.method!r} "
            "learns the labels of; give others by --test."
        )
    if settings.method == "source-only":  # looks at them as at images of the source
        tested = tested.with_channels(data[SOURCE].n_channels)
    kept = data[TARGET].with_negatives() if settings.inverted_target else data[TARGET]
    inputs = Inputs(data[SOURCE], kept, tested, data[learned].classes, prints, is_same)
    unknown = inputs.unknown_classes
    if unknown and unknown == tested.shown_classes:
        raise TrainingError(
            f"The test images' classes are {', '.join(unknown)}, and none of them is among those "
            f"that are learned ({', '.join(inputs.classes)}); name classes alike in both."
        )
    return inputs
