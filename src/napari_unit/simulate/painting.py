"""Painting a planned scene: nuclei with their labels, light that carries no label, the camera."""

import numpy as np
from numpy.typing import NDArray

from napari_unit.simulate.plan import smooth_field
from napari_unit.simulate.settings import SceneStyle
from napari_unit.simulate.shapes import ANGLES, Nucleus

Image = NDArray[np.float32]
Mask = NDArray[np.bool_]

CLEARANCE_PX = 2.0  # gap that a nucleus which keeps clear has around it
MAX_HIDDEN_FRACTION = 0.3  # of a nucleus below others; more, and an annotator would not see it
HAZE_STEP_PX = 4  # unlabelled light is smooth: it is painted on a coarser grid


class Canvas:
    """Brightness and labels of a scene while its nuclei are painted.

    Overlaps follow one rule: who is painted first keeps its pixels. A later nucleus shows only
    where no other one is, and it is left out altogether when too much of it is hidden, when what
    shows is not in one piece, or when it is smaller than `min_area_px`. So what has been painted
    never changes, and each label is one 4-connected component.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns.
    style : SceneStyle
        What the nuclei share.
    min_area_px : int
        Smallest visible area of a nucleus.
    rng : numpy.random.Generator
        For the texture.
    """

    def __init__(
        self, shape: tuple[int, int], style: SceneStyle, min_area_px: int, rng: np.random.Generator
    ) -> None:
        self.light: Image = np.zeros(shape, np.float32)
        self.labels: NDArray[np.int32] = np.zeros(shape, np.int32)
        self.painted: list[Nucleus] = []
        self.covered_px = 0
        self._style = style
        self._min_area_px = min_area_px
        self._rng = rng
        self._texture = texture_tile(style, rng)

    def paint(self, nucleus: Nucleus) -> bool:
        """Paint one nucleus, if it fits; return whether it did."""
        window = self._window(nucleus)
        if window is None or (nucleus.keeps_clear and self._is_taken(nucleus.y, nucleus.x)):
            return False
        inside_px, relative = polar_distance(nucleus, window)
        labels = self.labels[window]
        free, body = labels == 0, inside_px > 0.0
        visible = body & free
        if not self._fits(nucleus, inside_px, visible, free):
            return False
        ramp = np.clip(0.5 + inside_px / self._style.edge_px, 0.0, 1.0)
        shade = 1.0 - self._style.shading * np.minimum(relative, 1.0) ** 2
        profile = nucleus.brightness * ramp * shade * self._texture_at(ramp.shape)
        light = self.light[window]
        np.maximum(light, profile, out=light, where=free)
        self.painted.append(nucleus)
        labels[visible] = len(self.painted)
        self.covered_px += int(np.count_nonzero(visible))
        return True

    def _is_taken(self, y: float, x: float) -> bool:
        """Whether a point is below a nucleus; much cheaper than to fit the whole outline."""
        rows, columns = self.labels.shape
        return 0 <= y < rows and 0 <= x < columns and bool(self.labels[int(y), int(x)])

    def _window(self, nucleus: Nucleus) -> tuple[slice, slice] | None:
        """Part of the frame that the nucleus and its clearance may reach; None if outside."""
        reach_px = float(nucleus.outline_px.max()) + CLEARANCE_PX + self._style.edge_px
        first = [max(0, int(at - reach_px)) for at in (nucleus.y, nucleus.x)]
        last = [
            min(size, int(at + reach_px) + 2)
            for at, size in zip((nucleus.y, nucleus.x), self.labels.shape, strict=True)
        ]
        if first[0] >= last[0] or first[1] >= last[1]:
            return None
        return slice(first[0], last[0]), slice(first[1], last[1])

    def _fits(
        self,
        nucleus: Nucleus,
        inside_px: Image,
        visible: Mask,
        free: Mask,
    ) -> bool:
        from scipy import ndimage

        shown, body = np.count_nonzero(visible), np.count_nonzero(inside_px > 0.0)
        if shown < self._min_area_px or shown < (1.0 - MAX_HIDDEN_FRACTION) * body:
            return False
        if nucleus.keeps_clear and not free[inside_px > -CLEARANCE_PX].all():
            return False
        return int(ndimage.label(visible)[1]) == 1

    def _texture_at(self, shape: tuple[int, ...]) -> Image:
        y, x = (int(self._rng.integers(self._texture.shape[0] - size + 1)) for size in shape)
        return self._texture[y : y + shape[0], x : x + shape[1]]


def polar_distance(nucleus: Nucleus, window: tuple[slice, slice]) -> tuple[Image, Image]:
    """Measure each pixel of a window along the ray from the centre of a nucleus.

    Returns
    -------
    inside_px : numpy.ndarray
        Distance to the outline, positive inside.
    relative : numpy.ndarray
        Distance from the centre over the radius of the outline: 0 in the centre, 1 at the edge.
    """
    dy = np.arange(window[0].start, window[0].stop, dtype=np.float32)[:, None] - np.float32(
        nucleus.y
    )
    dx = np.arange(window[1].start, window[1].stop, dtype=np.float32) - np.float32(nucleus.x)
    bins = np.arctan2(dy, dx) * np.float32(ANGLES / (2.0 * np.pi))
    edge = nucleus.outline_px.astype(np.float32)[np.rint(bins).astype(np.int32) % ANGLES]
    radius: Image = np.hypot(dy, dx)
    inside_px: Image = edge - radius
    relative: Image = radius / edge
    return inside_px, relative


def texture_tile(style: SceneStyle, rng: np.random.Generator) -> Image:
    """Tile of chromatin texture with mean one, from which nuclei cut their windows.

    Log-normal, so that a strong texture is made of bright spots and not of holes.
    """
    from scipy import ndimage

    side = max(256, int(16 * style.radius_px))
    noise = rng.standard_normal((side, side), dtype=np.float32)
    tile = np.zeros_like(noise)
    for sigma_px in (max(0.7, 0.07 * style.radius_px), max(1.0, 0.2 * style.radius_px)):
        smooth = ndimage.gaussian_filter(noise, sigma_px, mode="wrap")
        tile += smooth / smooth.std()
    tile *= np.float32(style.texture / np.sqrt(2.0))
    texture: Image = np.exp(tile - tile.var() / 2)
    return texture


def unlabelled_light(canvas: Canvas, style: SceneStyle, rng: np.random.Generator) -> Image:
    """Background level and gradient, glow, cytoplasm streaks and blobs out of focus."""
    from scipy import ndimage

    step = HAZE_STEP_PX
    rows, columns = (-(-size // step) + 1 for size in canvas.light.shape)
    haze = np.full((rows, columns), style.background, np.float32)
    if style.gradient:
        field = smooth_field((rows, columns), max(rows, columns) / rng.uniform(1.0, 3.0), rng)
        haze *= np.exp(style.gradient * field).astype(np.float32)
    if style.glow:
        # The blur is far wider than the step: nothing is gained by averaging before sampling.
        sampled = np.pad(canvas.light[::step, ::step], (0, 1), mode="edge")
        haze += style.glow * ndimage.gaussian_filter(sampled, 2.5 * style.radius_px / step)
    if style.streaks:
        for nucleus in canvas.painted:
            _add_streak(haze, nucleus, style, rng)
    blobs = rng.poisson(style.blobs * len(canvas.painted))
    for y, x in rng.random((blobs, 2)) * (rows, columns):
        sigma = rng.uniform(0.6, 1.2) * style.radius_px / step
        _add_gaussian(
            haze,
            (y, x),
            (sigma, sigma * rng.uniform(0.7, 1.0)),
            rng.uniform(0.0, np.pi),
            rng.uniform(0.08, 0.35),
        )
    return haze


def _add_streak(haze: Image, nucleus: Nucleus, style: SceneStyle, rng: np.random.Generator) -> None:
    """Add the cytoplasm of one nucleus: faint, long, along the direction of the scene."""
    radius = style.radius_px / HAZE_STEP_PX
    sigma = (radius * rng.uniform(2.5, 6.0), radius * rng.uniform(0.5, 1.0))
    angle = style.angle_rad + min(style.angle_spread_rad, 0.7) * rng.standard_normal()
    along = sigma[0] * rng.normal(0.0, 0.7)
    at = (
        nucleus.y / HAZE_STEP_PX + along * np.sin(angle),
        nucleus.x / HAZE_STEP_PX + along * np.cos(angle),
    )
    _add_gaussian(haze, at, sigma, angle, style.streaks * rng.uniform(0.3, 1.5))


def _add_gaussian(
    haze: Image,
    at: tuple[float, float],
    sigma: tuple[float, float],
    angle_rad: float,
    height: float,
) -> None:
    """Add one Gaussian with `sigma` along and across `angle_rad`; all in pixels of the haze."""
    reach = 3.0 * max(sigma) + 1.0
    y0, x0 = (max(0, int(centre - reach)) for centre in at)
    y1, x1 = (max(0, int(centre + reach) + 1) for centre in at)
    part = haze[y0:y1, x0:x1]
    dy = np.arange(y0, y0 + part.shape[0], dtype=np.float32)[:, None] - np.float32(at[0])
    dx = np.arange(x0, x0 + part.shape[1], dtype=np.float32) - np.float32(at[1])
    cos, sin = np.float32(np.cos(angle_rad)), np.float32(np.sin(angle_rad))
    along = (cos * dx + sin * dy) / np.float32(sigma[0])
    across = (cos * dy - sin * dx) / np.float32(sigma[1])
    part += np.float32(height) * np.exp(-0.5 * (along**2 + across**2))


def expose(
    light: Image, haze: Image, style: SceneStyle, rng: np.random.Generator
) -> NDArray[np.uint16]:
    """Blur, add the unlabelled light, darken the corners, add noise, count. Overwrites `light`."""
    from scipy import ndimage

    ndimage.gaussian_filter(light, style.blur_sigma_px, output=light, truncate=3.0)
    haze = _between(haze, np.arange(light.shape[1]), axis=1)
    y, x = (np.linspace(-1.0, 1.0, size, dtype=np.float32) for size in light.shape)
    corner = np.float32(0.5 * style.vignetting)
    image = np.empty(light.shape, np.uint16)
    for start in range(0, light.shape[0], 256):  # strips: no full-size temporaries
        strip = light[start : start + 256]
        strip += _between(haze, start + np.arange(strip.shape[0]), axis=0)
        strip *= 1.0 - corner * (y[start : start + 256, None] ** 2 + x**2)
        grain = rng.standard_normal(strip.shape, dtype=np.float32)
        strip += np.float32(style.noise) * np.sqrt(strip) * grain
        counts = np.rint(strip * np.float32(style.brightness_counts))
        image[start : start + 256] = np.clip(counts, 0, 65535)
    return image


def _between(haze: Image, position_px: NDArray[np.int_], axis: int) -> Image:
    """Interpolate the haze linearly along one axis to rows or columns of the full frame."""
    first, rest = np.divmod(position_px, HAZE_STEP_PX)
    part = (rest / HAZE_STEP_PX).astype(np.float32)
    low, high = np.take(haze, first, axis), np.take(haze, first + 1, axis)
    between: Image = low + (part[:, None] if axis == 0 else part) * (high - low)
    return between
