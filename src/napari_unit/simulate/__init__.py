"""Simulated scenes of fluorescent nuclei with instance labels.

Sample data for napari, the synthetic training domain of the model `nuclei`, and training data for
segmentation. A scene is drawn in three steps: a style (typical nucleus size, density, brightness
... of the whole scene), a plan of nuclei, and the painting of the plan. Real images are matched in
geometry and broad brightness only; texture, grain and optics are left to the translation network.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_unit.simulate.painting import Canvas, expose, unlabelled_light
from napari_unit.simulate.plan import plan_nuclei
from napari_unit.simulate.settings import SceneSettings, SceneStyle, draw_style

__all__ = [
    "PIXEL_SIZE_UM",
    "Scene",
    "SceneSettings",
    "nuclei_sample",
    "simulate_nuclei",
    "write_training_scenes",
]

PIXEL_SIZE_UM = 0.65
"""Physical size of a pixel: a 20x objective on a camera with pixels of 6.5 µm."""


@dataclass(frozen=True, slots=True)
class Scene:
    """One simulated field and its truth.

    Parameters
    ----------
    image : numpy.ndarray
        Counts (Y, X); of tissue red, green and blue of 8 bits (Y, X, 3).
    labels : numpy.ndarray
        Instances (Y, X): 0 is background, nuclei are 1..n without gaps, each one 4-connected
        component. A nucleus ends where its profile falls to half its height.
    """

    image: NDArray[np.unsignedinteger[Any]]
    labels: NDArray[np.int32]


def simulate_nuclei(settings: SceneSettings, seed: int) -> Scene:
    """Draw one scene; the same settings and seed give the same scene.

    A scene has one family of nucleus sizes. Where nuclei overlap, the one painted first keeps the
    pixels; a nucleus of which too little would show is in neither image nor labels. Light out of
    focus is in the image only.

    Parameters
    ----------
    settings : SceneSettings
        What may vary; the scene draws its own value from each range.
    seed : int
        Not negative.

    Examples
    --------
    >>> scene = simulate_nuclei(SceneSettings(shape=(64, 96)), seed=3)
    >>> scene.image.shape, scene.image.dtype, scene.labels.dtype
    ((64, 96), dtype('uint16'), dtype('int32'))
    """
    return simulate_style(settings, seed)[0]


def simulate_style(settings: SceneSettings, seed: int) -> tuple[Scene, SceneStyle]:
    """Draw one scene as `simulate_nuclei` does; return the style that it has, too."""
    if seed < 0:
        raise ValueError(f"The seed is {seed}; give an integer of at least 0.")
    # One stream per step: a change in one leaves the draws of the others as they were.
    styling, planning, painting, lighting = np.random.default_rng(seed).spawn(4)
    style = draw_style(settings, styling)
    canvas = Canvas(settings.shape, style, settings.min_area_px, painting)
    enough_px = style.foreground_fraction * canvas.labels.size
    for group in plan_nuclei(settings.shape, style, planning):
        for nucleus in group:
            canvas.paint(nucleus)
        if canvas.covered_px >= enough_px:
            break
    haze = unlabelled_light(canvas, style, lighting)
    return Scene(expose(canvas.light, haze, style, lighting), canvas.labels), style


def nuclei_sample() -> list[tuple[NDArray[Any], dict[str, Any], str]]:
    """Sample data for napari: a field of 1024 x 1024 px and its labels."""
    settings = SceneSettings(
        shape=(1024, 1024),
        nucleus_radius_px=(13.0, 13.0),
        foreground_fraction=(0.18, 0.18),
        haze_chance=1.0,
    )
    scene = simulate_nuclei(settings, seed=7)
    placed = {"scale": (PIXEL_SIZE_UM, PIXEL_SIZE_UM), "units": ("µm", "µm")}
    return [
        (scene.image, {"name": "simulated nuclei", **placed}, "image"),
        (scene.labels, {"name": "simulated nuclei labels", "opacity": 0.4, **placed}, "labels"),
    ]


def write_training_scenes(
    folder: str | Path,
    count: int,
    shape: tuple[int, int] = (256, 256),
    seed: int = 0,
    settings: SceneSettings | None = None,
) -> tuple[Path, Path]:
    """Write scenes as 16-bit TIFF for the trainer: images in `folder`, labels beside it.

    Scene *i* is the same whatever `count` is, and other seeds share no scenes.

    Parameters
    ----------
    folder : str or pathlib.Path
        Folder for `scene_00000.tif` and so on; made if missing. The labels go to the folder of
        that name followed by `_labels`.
    count : int
        Number of scenes.
    shape : tuple of int
        Rows and columns of each scene.
    seed : int
        Not negative.
    settings : SceneSettings, optional
        What may vary; `shape` replaces its shape.

    Returns
    -------
    images, labels : pathlib.Path
        The two folders.

    Raises
    ------
    FileExistsError
        If one of the folders holds anything.
    """
    settings = replace(settings or SceneSettings(), shape=shape)
    return write_scenes(folder, count, seed, lambda number: simulate_nuclei(settings, number))


def write_scenes(
    folder: str | Path, count: int, seed: int, draw: Callable[[int], Scene]
) -> tuple[Path, Path]:
    """Write scenes of any kind; `draw` makes one of its seed. See `write_training_scenes`."""
    import tifffile

    if count < 1:
        raise ValueError(f"The number of scenes is {count}; give at least 1.")
    images = Path(folder)
    labels = images.with_name(images.name + "_labels")
    for target in (images, labels):
        if target.exists() and any(target.iterdir()):
            raise FileExistsError(
                f"The folder {target} is not empty; give a new one, so that no scenes are mixed."
            )
        target.mkdir(parents=True, exist_ok=True)
    for index, scene_seed in enumerate(
        np.random.SeedSequence(seed).generate_state(count, np.uint64)
    ):
        scene = draw(int(scene_seed))
        name = f"scene_{index:05d}.tif"
        tifffile.imwrite(images / name, scene.image, compression="zlib", predictor=True)
        tifffile.imwrite(labels / name, scene.labels, compression="zlib")
    return images, labels
