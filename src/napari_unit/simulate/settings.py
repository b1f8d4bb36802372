"""What may vary between simulated scenes, and the style that one scene draws from it."""

from dataclasses import dataclass

import numpy as np

Range = tuple[float, float]


@dataclass(frozen=True, slots=True)
class SceneSettings:
    """What may vary between scenes. Each pair is the range from which a scene draws its own value.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns of the scene.
    nucleus_radius_px : tuple of float
        Radius of the scene's typical nucleus (of the disc with its area), drawn log-uniformly.
    radius_spread : tuple of float
        Standard deviation of the log radius within the scene.
    foreground_fraction : tuple of float
        Limits for the fraction of pixels that nuclei cover; within them, scenes of larger nuclei
        are covered more. A scene whose nuclei find no more room stays below its draw.
    clustering : tuple of float
        How uneven the density is: 0 is even, 1 leaves large empty regions.
    touching_fraction : tuple of float
        Chance of a nucleus to be placed against another one.
    aspect : tuple of float
        Minor over major axis of the typical nucleus.
    irregular_fraction, dividing_fraction, fragment_fraction, compact_fraction : tuple of float
        Chance of a nucleus to be bean-shaped or lobed; to be a pair of bright daughter plates;
        to be a group of small bright apoptotic fragments; to be small, bright and rough.
    brightness_spread : tuple of float
        Standard deviation of the log brightness between nuclei.
    dim_fraction : tuple of float
        Chance of a nucleus to have only a fifth to a half of the usual brightness.
    texture : tuple of float
        Standard deviation of the log brightness within a nucleus.
    background : tuple of float
        Background level over the brightness of the typical nucleus, drawn log-uniformly.
    haze_chance : float
        Chance of each of: a background gradient, glow around nuclei, cytoplasm streaks,
        blobs out of focus. None of them is labelled.
    blur_sigma_px : tuple of float
        Standard deviation of the Gaussian point spread function.
    vignetting : tuple of float
        Loss of light in the corners of the scene.
    noise : tuple of float
        Standard deviation of the noise at the brightness of the typical nucleus, over that
        brightness; the variance is proportional to the signal.
    brightness_counts : tuple of float
        Counts of the typical nucleus in the 16-bit image, drawn log-uniformly.
    min_area_px : int
        A nucleus of which less would be visible is left out, of image and labels.
    """

    shape: tuple[int, int] = (512, 512)
    nucleus_radius_px: Range = (4.4, 29.0)
    radius_spread: Range = (0.06, 0.26)
    foreground_fraction: Range = (0.015, 0.34)
    clustering: Range = (0.0, 1.0)
    touching_fraction: Range = (0.0, 0.35)
    aspect: Range = (0.57, 0.92)
    irregular_fraction: Range = (0.0, 0.25)
    dividing_fraction: Range = (0.0, 0.04)
    fragment_fraction: Range = (0.0, 0.06)
    compact_fraction: Range = (0.0, 0.08)
    brightness_spread: Range = (0.08, 0.4)
    dim_fraction: Range = (0.0, 0.1)
    texture: Range = (0.03, 0.3)
    background: Range = (0.03, 0.3)
    haze_chance: float = 0.4
    blur_sigma_px: Range = (0.7, 1.5)
    vignetting: Range = (0.0, 0.25)
    noise: Range = (0.003, 0.02)
    brightness_counts: Range = (3000.0, 16000.0)
    min_area_px: int = 30

    def __post_init__(self) -> None:
        for name, size in zip(("rows", "columns"), self.shape, strict=True):
            if size < 16:
                raise ValueError(f"A scene of {size} {name} is too small; give at least 16.")
        for name, low, high in _LIMITS:
            check_range(name, getattr(self, name), low, high)
        if not 0.0 <= self.haze_chance <= 1.0:
            raise ValueError(f"haze_chance is {self.haze_chance}; give a chance between 0 and 1.")
        smallest_px = np.pi * self.nucleus_radius_px[0] ** 2
        if not 1 <= self.min_area_px < smallest_px:
            raise ValueError(
                f"min_area_px is {self.min_area_px}, but the smallest typical nucleus has "
                f"{smallest_px:.0f} px; give at least 1 and less than that."
            )


_LIMITS = (
    ("nucleus_radius_px", 2.0, 200.0),
    ("radius_spread", 0.0, 0.5),
    ("foreground_fraction", 0.001, 0.5),
    ("clustering", 0.0, 1.0),
    ("touching_fraction", 0.0, 0.9),
    ("aspect", 0.3, 1.0),
    ("irregular_fraction", 0.0, 1.0),
    ("dividing_fraction", 0.0, 1.0),
    ("fragment_fraction", 0.0, 1.0),
    ("compact_fraction", 0.0, 1.0),
    ("brightness_spread", 0.0, 0.8),
    ("dim_fraction", 0.0, 1.0),
    ("texture", 0.0, 0.6),
    ("background", 0.001, 0.5),
    ("blur_sigma_px", 0.3, 5.0),
    ("vignetting", 0.0, 0.6),
    ("noise", 0.0, 0.3),
    ("brightness_counts", 200.0, 20000.0),
)


def check_range(name: str, value: Range, low: float, high: float) -> None:
    """Refuse a range that is none, or lies outside its limits."""
    if not low <= value[0] <= value[1] <= high:
        raise ValueError(
            f"{name} is {value}; give (lowest, highest), both between {low:g} and {high:g} "
            "and the lowest first."
        )


@dataclass(frozen=True, slots=True)
class SceneStyle:
    """What all nuclei of one scene share; units and meanings as in `SceneSettings`."""

    radius_px: float
    radius_spread: float
    foreground_fraction: float
    clustering: float
    touching_fraction: float
    aspect: float
    angle_rad: float  # preferred direction of the long axes
    angle_spread_rad: float
    waviness: float
    irregular_fraction: float
    dividing_fraction: float
    fragment_fraction: float
    compact_fraction: float
    brightness_spread: float
    dim_fraction: float
    texture: float
    shading: float  # brightness lost from the centre to the edge; negative: a bright rim
    edge_px: float  # width of the ramp at the edge of a nucleus
    background: float
    gradient: float
    glow: float
    streaks: float
    blobs: float
    blur_sigma_px: float
    vignetting: float
    noise: float
    brightness_counts: float


def draw_style(settings: SceneSettings, rng: np.random.Generator) -> SceneStyle:
    """Draw the style of one scene."""

    def sometimes(low: float, high: float) -> float:
        amount = float(rng.uniform(low, high))
        return amount if rng.random() < settings.haze_chance else 0.0

    radius_px = _log_uniform(settings.nucleus_radius_px, rng)
    return SceneStyle(
        radius_px=radius_px,
        radius_spread=rng.uniform(*settings.radius_spread),
        foreground_fraction=_foreground_fraction(radius_px, settings, rng),
        clustering=rng.uniform(*settings.clustering),
        touching_fraction=_skewed(settings.touching_fraction, rng),
        aspect=rng.uniform(*settings.aspect),
        angle_rad=rng.uniform(0.0, np.pi),
        # A quarter of the scenes are aligned; beyond one radian no direction is left to see.
        angle_spread_rad=rng.uniform(0.2, 0.6) if rng.random() < 0.25 else 3.0,
        waviness=rng.uniform(0.02, 0.16),
        irregular_fraction=_skewed(settings.irregular_fraction, rng),
        dividing_fraction=_skewed(settings.dividing_fraction, rng),
        fragment_fraction=_skewed(settings.fragment_fraction, rng),
        compact_fraction=_skewed(settings.compact_fraction, rng),
        brightness_spread=rng.uniform(*settings.brightness_spread),
        dim_fraction=_skewed(settings.dim_fraction, rng),
        texture=_skewed(settings.texture, rng),
        shading=rng.uniform(-0.15, 0.6),
        edge_px=rng.uniform(1.0, 2.0) + 0.12 * radius_px,
        background=_log_uniform(settings.background, rng),
        gradient=sometimes(0.05, 0.35),
        glow=sometimes(0.05, 0.25),
        streaks=sometimes(0.02, 0.08),
        blobs=sometimes(0.02, 0.15),
        blur_sigma_px=rng.uniform(*settings.blur_sigma_px),
        vignetting=rng.uniform(*settings.vignetting),
        noise=rng.uniform(*settings.noise),
        brightness_counts=_log_uniform(settings.brightness_counts, rng),
    )


def _foreground_fraction(
    radius_px: float, settings: SceneSettings, rng: np.random.Generator
) -> float:
    """Covered fraction of a scene: on real slides it grows with radius^1.3, scattered by e^0.8."""
    typical = 0.0039 * radius_px**1.33
    drawn = typical * np.exp(0.8 * rng.standard_normal())
    return float(np.clip(drawn, *settings.foreground_fraction))


def _log_uniform(limits: Range, rng: np.random.Generator) -> float:
    return float(np.exp(rng.uniform(*np.log(limits))))


def _skewed(limits: Range, rng: np.random.Generator) -> float:
    """Draw from a range with more weight at its low end: what is rare is rare in most scenes."""
    low, high = limits
    return float(low + (high - low) * rng.random() ** 2)
