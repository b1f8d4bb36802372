"""Simulated scenes for the benchmark: raw, histogram-matched and translated, with one truth."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import torch
from nuclei_splits import LabelledImage, Subject
from numpy.typing import NDArray
from skimage.exposure import match_histograms

from napari_unit.models.file import LoadedModel
from napari_unit.simulate import SceneSettings, simulate_nuclei
from napari_unit.simulate.tissue import TISSUE_NUCLEI, TissueSettings, simulate_tissue

Statistics = Literal["image", "whole", "direct"]
STATISTICS: tuple[Statistics, ...] = ("image", "whole", "direct")

_STREAM = 2017
"""Keeps the benchmark's scenes apart from those that a model was trained on."""


def simulate_scenes(
    count: int, side_px: int, seed: int, subject: Subject = "fluorescence"
) -> tuple[LabelledImage, ...]:
    """Draw scenes with the simulator's own settings; other seeds share no scenes."""
    seeds = np.random.SeedSequence([_STREAM, seed]).generate_state(count, np.uint64)
    shape = (side_px, side_px)
    if subject == "histology":
        tissue = TissueSettings(replace(TISSUE_NUCLEI, shape=shape))
        drawn = [simulate_tissue(tissue, int(scene_seed)) for scene_seed in seeds]
    else:
        settings = SceneSettings(shape=shape)
        drawn = [simulate_nuclei(settings, int(scene_seed)) for scene_seed in seeds]
    return tuple(
        LabelledImage(f"scene_{index:05d}", scene.image, scene.labels)
        for index, scene in enumerate(drawn)
    )


def matched(
    scenes: Sequence[LabelledImage], real: Sequence[LabelledImage], seed: int
) -> tuple[LabelledImage, ...]:
    """Give each scene the histogram of a random real image: what a translation must beat."""
    partners = np.random.default_rng([_STREAM, seed]).integers(len(real), size=len(scenes))
    return tuple(
        replace(
            scene,
            image=match_histograms(
                scene.image.astype(np.float32),
                real[partner].image.astype(np.float32),
                channel_axis=-1 if scene.image.ndim == 3 else None,
            ),
        )
        for scene, partner in zip(scenes, partners, strict=True)
    )


def translated(
    scenes: Sequence[LabelledImage], loaded: LoadedModel, to: str, statistics: Statistics
) -> tuple[LabelledImage, ...]:
    """Translate each scene by itself, as training normalised each crop by itself.

    Parameters
    ----------
    scenes
        Of one size.
    loaded
        The model.
    to
        Name of its domain of real images.
    statistics
        ``"image"`` and ``"whole"`` go through `napari_unit.translate` and its tiled engine.
        ``"direct"`` is the network on the whole scene, without engine: equal to ``"whole"`` but
        for rounding, and faster for so small images.
    """
    if statistics == "direct":
        images = _directly([scene.image for scene in scenes], loaded, to)
    else:
        from napari_unit import translate

        images = [
            np.asarray(
                translate(
                    scene.image,
                    loaded,
                    to=to,
                    axes="YXS"[: scene.image.ndim],
                    statistics=statistics,
                    dtype="uint8" if scene.image.ndim == 3 else "float32",  # float RGB ends at 1
                    progress=False,
                )
            )
            for scene in scenes
        ]
    return tuple(replace(s, image=image) for s, image in zip(scenes, images, strict=True))


@torch.inference_mode()
def _directly(images: Sequence[NDArray[Any]], loaded: LoadedModel, to: str) -> list[NDArray[Any]]:
    """Translate in one piece each, sixteen at a time: statistics are each image's own anyway."""
    model = loaded.model
    target = model.domains[model.index_of(to)]
    source = model.domains[1 - model.index_of(to)]
    scaling = source.scaling
    units = []
    for image in images:
        limits = (
            np.percentile(image, (scaling.low, scaling.high))
            if scaling.kind == "percentiles"
            else (scaling.low, scaling.high)
        )
        both = (float(limits[0]), float(limits[1]))
        window = source.window_from([both] * source.n_channels)
        channels = np.moveaxis(image, -1, 0) if image.ndim == 3 else image[None]
        units.append(torch.from_numpy(window.to_unit(channels)))
    results: list[NDArray[Any]] = []
    for batch in torch.stack(units).split(16):
        out = model.translate(batch, source.name, target.name).numpy()
        made = [target.typical_window.from_unit(unit, np.dtype(np.float32)) for unit in out]
        results += [m[0] if len(m) == 1 else np.moveaxis(m, 0, -1) for m in made]
    return results
