"""Outlines of simulated nuclei: radius as a function of the polar angle, one table per nucleus."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Outline = NDArray[np.float64]  # (ANGLES,) radius in px, counter-clockwise from the +x axis

ANGLES = 256
THETA: Outline = np.linspace(0.0, 2.0 * np.pi, ANGLES, endpoint=False)
_COSINES, _SINES = (wave(np.outer(np.arange(10), THETA)) for wave in (np.cos, np.sin))


@dataclass(frozen=True, slots=True)
class Nucleus:
    """One nucleus that a scene would like to hold.

    Parameters
    ----------
    y, x : float
        Centre, in px; it may lie outside the frame.
    outline_px : numpy.ndarray
        Distance from the centre to the edge at each of `ANGLES` polar angles.
    brightness : float
        Relative to the typical nucleus of the scene.
    keeps_clear : bool
        Whether it must leave a gap to every other nucleus. Otherwise it may touch others and lie
        partly below them.
    """

    y: float
    x: float
    outline_px: Outline
    brightness: float
    keeps_clear: bool

    def reach_px(self, angle_rad: float) -> float:
        """Distance from the centre to the edge in one direction."""
        return float(self.outline_px[int(angle_rad / (2.0 * np.pi) * ANGLES) % ANGLES])


def ellipse(radius_px: float, aspect: float, angle_rad: float) -> Outline:
    """Ellipse with the area of a disc of `radius_px`; `aspect` is minor over major axis."""
    turned = THETA - angle_rad
    shape = 1.0 / np.hypot(aspect * np.cos(turned), np.sin(turned))
    return of_radius(shape, radius_px)


def of_radius(outline: Outline, radius_px: float) -> Outline:
    """Scale an outline to the area of a disc of `radius_px`: area = integral of r^2 / 2."""
    scaled: Outline = outline * (radius_px / np.sqrt(np.mean(outline**2)))
    return scaled


def wavy(
    outline: Outline, amount: float, first: int, last: int, rng: np.random.Generator
) -> Outline:
    """Perturb with the Fourier orders `first`..`last`, higher orders less.

    Orders go up to 9. The relative amplitudes fall as order^-1.3, which keeps corners away;
    `amount` is the standard deviation at order one.
    """
    orders = np.arange(first, last + 1)
    cosine, sine = rng.standard_normal((2, orders.size)) * amount * orders**-1.3
    factor = 1.0 + cosine @ _COSINES[orders] + sine @ _SINES[orders]
    perturbed: Outline = outline * np.clip(factor, 0.35, 2.0)
    return perturbed


def notched(outline: Outline, angle_rad: float, depth: float, width_rad: float) -> Outline:
    """Press one dent into the outline: a bean for a wide dent, a cleft nucleus for a narrow one."""
    apart = np.angle(np.exp(1j * (THETA - angle_rad)))
    dented: Outline = outline * (1.0 - depth * np.exp(-0.5 * (apart / width_rad) ** 2))
    return dented


def lobed(outline: Outline, lobes: int, depth: float, angle_rad: float) -> Outline:
    """Give the outline `lobes` equal bulges."""
    return outline * (1.0 + depth * np.cos(lobes * (THETA - angle_rad)))


def irregular(outline: Outline, rng: np.random.Generator) -> Outline:
    """Turn an outline into a bean, a cleft or a lobed one, by chance."""
    radius_px = float(np.sqrt(np.mean(outline**2)))
    angle, depth = rng.uniform(0.0, 2.0 * np.pi), rng.uniform(0.15, 0.45)
    if rng.random() < 0.6:
        shape = notched(outline, angle, depth, rng.uniform(0.25, 0.7))
    else:
        shape = lobed(outline, int(rng.integers(2, 5)), 0.5 * depth, angle)
    return of_radius(shape, radius_px)
