"""The three questions of the nuclei benchmark, each answered for one seed.

Kinds of image: ``raw`` (simulated), ``matched`` (raw with histograms of real images),
``translated``, ``real``. All numbers are plain floats by kind, so that they go to a file as is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from instance_score import Score
from nuclei_scenes import Statistics
from nuclei_segmentation import SegmentationSettings, UNet, evaluate, trained
from nuclei_splits import LabelledImage, RealImages
from numpy.typing import NDArray
from realism import (
    Features,
    classical_features,
    draw_patches,
    kernel_distance,
    network_features,
    sliced_wasserstein,
    whitening,
)

Images = tuple[LabelledImage, ...]
Numbers = dict[str, dict[str, float]]


@dataclass(frozen=True, slots=True)
class BenchmarkSettings:
    """How much is measured.

    Parameters
    ----------
    scenes, held_out_scenes, scene_px
        Simulated scenes that train, those that are scored, and their side.
    patches, patch_px
        Patches of each kind for the distances, and their side.
    statistics
        Of the translation's normalisation layers; each scene has its own.
    matched
        Whether a network is also trained on histogram-matched scenes.
    segmentation
        The segmentation network.
    """

    scenes: int = 400
    held_out_scenes: int = 100
    scene_px: int = 256
    patches: int = 512
    patch_px: int = 128
    statistics: Statistics = "image"
    matched: bool = True
    segmentation: SegmentationSettings = field(default_factory=SegmentationSettings)


@dataclass(frozen=True, slots=True)
class Scenes:
    """One kind of simulated scenes.

    Parameters
    ----------
    train, held_out
        Disjoint; the same scenes and labels in every kind.
    """

    train: Images
    held_out: Images


def training_pool(images: Mapping[str, Images]) -> Images:
    """Join both real sets: crops are drawn evenly over their images."""
    return tuple(image for group in images.values() for image in group)


def is_useful(
    real: RealImages,
    kinds: Mapping[str, Scenes],
    settings: BenchmarkSettings,
    seed: int,
    cache: Path,
) -> tuple[Numbers, dict[str, UNet]]:
    """Score networks on real images, each trained alike on another kind of image.

    Returns
    -------
    By kind that the network was trained on, the F1 per real set (``/pooled`` for all nuclei
    together), and the networks.
    """
    pools = {"real": training_pool(real.train)} | {kind: s.train for kind, s in kinds.items()}
    numbers: Numbers = {}
    networks: dict[str, UNet] = {}
    for kind, pool in pools.items():
        if kind == "matched" and not settings.matched:
            continue
        networks[kind] = trained(pool, settings.segmentation, seed, cache)
        numbers[kind] = {}
        for set_name, images in real.scored.items():
            _put(numbers[kind], set_name, evaluate(networks[kind], images, settings.segmentation))
    return numbers, networks


def labels_stay_true(
    kinds: Mapping[str, Scenes], networks: Mapping[str, UNet], settings: BenchmarkSettings
) -> Numbers:
    """Score held-out scenes of each kind against the simulated labels.

    Returns
    -------
    By kind: ``real``, the F1 of the network trained on real images, which has never seen a
    simulated scene; ``own``, of the network trained on other scenes of the same kind: how hard
    the scenes are.
    """
    numbers: Numbers = {}
    for kind, scenes in kinds.items():
        numbers[kind] = {}
        for name, trained_on in (("real", "real"), ("own", kind)):
            if trained_on in networks:
                found = evaluate(networks[trained_on], scenes.held_out, settings.segmentation)
                _put(numbers[kind], name, found)
    return numbers


def looks_real(
    real: RealImages, kinds: Mapping[str, Scenes], settings: BenchmarkSettings, seed: int
) -> Numbers:
    """Measure how far each kind of image is from the real images that are scored.

    ``real`` is the distance of the real training images: no kind can be expected below it.
    Patches are drawn from the two real sets in the proportion of their training images.

    Returns
    -------
    By kind ``kernel`` (primary), ``kernel_spread`` over subsets, ``sliced``.
    """
    rng = np.random.default_rng(seed)
    sizes = np.array([len(images) for images in real.train.values()], np.float64)
    groups: dict[str, tuple[list[list[NDArray[Any]]], Sequence[float]]] = {
        "scored": (_pixels(real.scored.values()), list(sizes / sizes.sum())),
        "real": (_pixels(real.train.values()), list(sizes / sizes.sum())),
    }
    for kind, scenes in kinds.items():
        groups[kind] = (_pixels([scenes.train]), [1.0])
    network: dict[str, Features] = {}
    classical: dict[str, Features] = {}
    for kind, (images, weights) in groups.items():
        patches = draw_patches(images, weights, settings.patches, settings.patch_px, rng)
        network[kind], classical[kind] = network_features(patches), classical_features(patches)
    white, plain = whitening(network["real"]), whitening(classical["real"])
    numbers: Numbers = {}
    for kind in groups.keys() - {"scored"}:
        distance = kernel_distance(
            white.whiten(network["scored"]), white.whiten(network[kind]), np.random.default_rng(0)
        )
        sliced = sliced_wasserstein(
            plain.standardise(classical["scored"]),
            plain.standardise(classical[kind]),
            np.random.default_rng(0),
        )
        numbers[kind] = {
            "kernel": distance.mean,
            "kernel_spread": distance.spread,
            "sliced": sliced,
        }
    return numbers


def _pixels(groups: Any) -> list[list[NDArray[Any]]]:
    return [[image.image for image in group] for group in groups]


def _put(numbers: dict[str, float], name: str, found: Score) -> None:
    numbers[name] = found.per_image
    numbers[f"{name}/pooled"] = found.pooled
