"""Simulated sections of stained tissue, RGB, with instance labels of the nuclei.

The same plan of nuclei as in fluorescence, seen in transmitted light: hematoxylin in the nuclei,
eosin and some hematoxylin around them, and Beer and Lambert's law. Real sections are matched in
geometry and broad color only, and in where fibres run; chromatin and optics are left to the
translation network.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_unit.simulate import Scene, SceneSettings, simulate_style, write_scenes
from napari_unit.simulate.plan import smooth_field
from napari_unit.simulate.settings import Range, check_range

HEMATOXYLIN = (0.650, 0.704, 0.286)
EOSIN = (0.072, 0.990, 0.105)
"""Optical densities in red, green and blue, of length 1 (Ruifrok, Johnston 2001, table 2)."""

PIXEL_SIZE_UM = 0.25
"""Side of a pixel in a scan of 40x, in micrometers."""

TISSUE_NUCLEI = SceneSettings(
    nucleus_radius_px=(6.0, 22.0),
    radius_spread=(0.15, 0.4),
    foreground_fraction=(0.08, 0.4),
    clustering=(0.2, 1.0),
    touching_fraction=(0.0, 0.5),
    aspect=(0.4, 0.9),
    irregular_fraction=(0.0, 0.3),
    dividing_fraction=(0.0, 0.02),
    fragment_fraction=(0.0, 0.02),
    compact_fraction=(0.0, 0.2),
    brightness_spread=(0.1, 0.35),
    dim_fraction=(0.0, 0.2),
    texture=(0.03, 0.3),
    background=(0.001, 0.02),
    haze_chance=0.6,
    vignetting=(0.0, 0.0),
    noise=(0.005, 0.03),
)
"""Nuclei as sections at 20x and 40x show them."""


@dataclass(frozen=True, slots=True)
class TissueSettings:
    """What may vary between sections. Each pair is the range that a section draws from.

    Parameters
    ----------
    nuclei : SceneSettings
        Shape of the section, and its nuclei; brightness is how much stain they hold.
    nucleus_density : tuple of float
        Optical density of the typical nucleus.
    ground_density : tuple of float
        Optical density of what is around nuclei.
    ground_texture : tuple of float
        Its relative standard deviation within a section.
    ground_hematoxylin : tuple of float
        Part of it that is hematoxylin; the rest is eosin.
    fibre_chance : float
        Chance of a section to have fibres.
    fibres : tuple of float
        How strong they are: the ground's density has a relative standard deviation of 0.8 times
        this across them.
    lumen_chance : float
        Chance of a section to have clear regions: ground fades there, nuclei stay.
    tint : float
        Standard deviation of each stain's three densities between sections: dyes, section
        thickness and white balance.
    noise : tuple of float
        Standard deviation of the camera's noise, in levels of 255.
    """

    nuclei: SceneSettings = field(default_factory=lambda: TISSUE_NUCLEI)
    nucleus_density: Range = (0.8, 1.8)
    ground_density: Range = (0.1, 0.5)
    ground_texture: Range = (0.05, 0.25)
    ground_hematoxylin: Range = (0.0, 0.8)
    fibre_chance: float = 0.6
    fibres: Range = (0.1, 0.5)
    lumen_chance: float = 0.4
    tint: float = 0.08
    noise: Range = (0.5, 3.0)

    def __post_init__(self) -> None:
        """Refuse what no section can have."""
        for name, low, high in _LIMITS:
            check_range(name, getattr(self, name), low, high)
        for name in ("fibre_chance", "lumen_chance"):
            chance = getattr(self, name)
            if not 0.0 <= chance <= 1.0:
                raise ValueError(f"{name} is {chance}; give a chance from 0 to 1.")
        if not 0.0 <= self.tint <= 0.5:
            raise ValueError(f"tint is {self.tint}; give a deviation from 0 to 0.5.")


_LIMITS = (
    ("nucleus_density", 0.1, 4.0),
    ("ground_density", 0.0, 2.0),
    ("ground_texture", 0.0, 1.0),
    ("ground_hematoxylin", 0.0, 1.0),
    ("fibres", 0.0, 1.0),
    ("noise", 0.0, 50.0),
)


def simulate_tissue(settings: TissueSettings, seed: int) -> Scene:
    """Draw one section; the same settings and seed give the same section.

    Parameters
    ----------
    settings : TissueSettings
        What may vary.
    seed : int
        Not negative.

    Returns
    -------
    Scene
        With the image (Y, X, 3), red, green and blue of 8 bits; see `simulate_nuclei` for labels.

    Examples
    --------
    >>> from dataclasses import replace
    >>> scene = simulate_tissue(TissueSettings(replace(TISSUE_NUCLEI, shape=(64, 96))), seed=3)
    >>> scene.image.shape, scene.image.dtype, scene.labels.shape
    ((64, 96, 3), dtype('uint8'), (64, 96))
    """
    scene, style = simulate_style(settings.nuclei, seed)
    # streams of its own, so that the nuclei are those of the same scene in fluorescence
    rng = np.random.default_rng([_STREAM, seed])
    stain = scene.image.astype(np.float32) / np.float32(style.brightness_counts)
    nuclei = np.float32(rng.uniform(*settings.nucleus_density)) * stain
    ground = _ground(settings, scene.labels.shape, rng)
    # a nucleus takes the place of what would be around it
    ground *= 1.0 - np.clip(stain, 0.0, 1.0)
    hematoxylin, eosin = (_tinted(vector, settings, rng) for vector in (HEMATOXYLIN, EOSIN))
    part = np.float32(rng.uniform(*settings.ground_hematoxylin))
    around = part * hematoxylin + (1 - part) * eosin
    density = nuclei[..., None] * hematoxylin + ground[..., None] * around
    light = 255.0 * np.exp(-density)
    light += np.float32(rng.uniform(*settings.noise)) * rng.standard_normal(
        light.shape, dtype=np.float32
    )
    image: NDArray[np.uint8] = np.rint(np.clip(light, 0.0, 255.0)).astype(np.uint8)
    return Scene(image, scene.labels)


def tissue_sample() -> list[tuple[NDArray[Any], dict[str, Any], str]]:
    """Sample data for napari: a section of 768 x 768 px and its labels."""
    nuclei = replace(
        TISSUE_NUCLEI,
        shape=(768, 768),
        nucleus_radius_px=(12.0, 12.0),
        foreground_fraction=(0.25, 0.25),
    )
    settings = TissueSettings(nuclei, fibre_chance=1.0, lumen_chance=0.0)
    scene = simulate_tissue(settings, seed=7)
    placed = {"scale": (PIXEL_SIZE_UM, PIXEL_SIZE_UM), "units": ("µm", "µm")}
    labels = {"name": "simulated tissue labels", "opacity": 0.4, **placed}
    return [
        (scene.image, {"name": "simulated tissue", "rgb": True, **placed}, "image"),
        (scene.labels, labels, "labels"),
    ]


def write_training_tissue(
    folder: str | Path,
    count: int,
    shape: tuple[int, int] = (256, 256),
    seed: int = 0,
    settings: TissueSettings | None = None,
) -> tuple[Path, Path]:
    """Write sections as RGB TIFF for the trainer: images in `folder`, labels beside it.

    Parameters, result and errors are those of `write_training_scenes`.
    """
    settings = settings or TissueSettings()
    settings = replace(settings, nuclei=replace(settings.nuclei, shape=shape))
    return write_scenes(folder, count, seed, lambda number: simulate_tissue(settings, number))


_STREAM = 2001


def _ground(
    settings: TissueSettings, shape: tuple[int, ...], rng: np.random.Generator
) -> NDArray[np.float32]:
    """Draw the optical density of what is around nuclei, as if there were none."""
    level, texture = rng.uniform(*settings.ground_density), rng.uniform(*settings.ground_texture)
    fine, coarse = (smooth_field(shape, rng.uniform(*s), rng) for s in ((2.0, 6.0), (12.0, 50.0)))
    relative = 1.0 + texture * (0.6 * fine + 0.8 * coarse)
    if rng.random() < settings.fibre_chance:
        relative += rng.uniform(*settings.fibres) * _fibres(shape, rng)
    ground = level * np.clip(relative, 0.0, None)
    if rng.random() < settings.lumen_chance:
        where = smooth_field(shape, rng.uniform(0.2, 0.6) * max(shape), rng)
        edge = rng.uniform(0.0, 1.0)  # in standard deviations of the field: up to half is clear
        ground *= 1.0 / (1.0 + np.exp(np.clip(12.0 * (where - edge), -50.0, 50.0)))
    return ground.astype(np.float32)


def _fibres(shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw wavy strands side by side in parts of a section, of a deviation of about 0.8 there.

    Across them density is a random function of one coordinate; waves bend that coordinate.
    """
    angle = rng.uniform(0.0, np.pi)
    y, x = np.indices(shape)
    across = y * np.cos(angle) + x * np.sin(angle)
    wave_px = rng.uniform(25.0, 120.0)
    across = across + wave_px * rng.uniform(0.05, 0.35) * smooth_field(shape, wave_px, rng)
    position = (across - across.min()) / rng.uniform(1.5, 4.0)
    strands = rng.standard_normal(int(position.max()) + 2)
    where = smooth_field(shape, rng.uniform(15.0, 80.0), rng)
    drawn: NDArray[np.float64] = np.interp(position, np.arange(strands.size), strands)
    drawn /= 1.0 + np.exp(-3.0 * where)
    return drawn


def _tinted(
    vector: tuple[float, float, float], settings: TissueSettings, rng: np.random.Generator
) -> NDArray[np.float32]:
    changed = np.clip(np.array(vector) + settings.tint * rng.standard_normal(3), 0.02, None)
    return (changed / np.linalg.norm(changed)).astype(np.float32)
