"""Where the nuclei of a scene would like to be, of which shape and brightness."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from napari_unit.simulate import shapes
from napari_unit.simulate.settings import SceneStyle
from napari_unit.simulate.shapes import Nucleus


def plan_nuclei(
    shape: tuple[int, int], style: SceneStyle, rng: np.random.Generator
) -> Iterator[list[Nucleus]]:
    """Yield groups of nuclei (mostly of one) in the order in which they are to be painted.

    The plan holds more than the scene needs, since some will not fit: stop reading when enough of
    the scene is covered.
    """
    area_px = np.pi * style.radius_px**2 * np.exp(2.0 * style.radius_spread**2)
    needed = style.foreground_fraction * shape[0] * shape[1] / area_px
    centres = draw_centres(shape, style, int(6 * needed) + 30, rng)
    recent: list[Nucleus] = []
    for centre in centres:
        if recent and rng.random() < style.touching_fraction:
            neighbour = recent[int(rng.integers(len(recent)))]
            group = [_beside(neighbour, _single(centre, style, rng), rng)]
        else:
            group = _group(centre, style, rng)
        # Only recent ones attract, which keeps clumps small and this list short.
        recent = [*recent[-7:], group[0]]
        yield group


def draw_centres(
    shape: tuple[int, int], style: SceneStyle, count: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Draw `count` centres (count, 2) from an uneven density, reaching a radius over the frame.

    Only the first half follows the density fully. A scene which asks for the second half has its
    dense regions full, so the rest goes more and more to the empty ones.
    """
    cell_px = max(4.0, style.radius_px)
    margin_px = style.radius_px
    grid = tuple(int(np.ceil((size + 2 * margin_px) / cell_px)) for size in shape)
    crowding = np.full(grid, -rng.uniform(0.0, 2.5))
    # One scale of a few nuclei, one of the whole frame: a culture has patches and empty sides.
    for feature in (rng.uniform(4.0, 10.0), max(grid) / rng.uniform(1.5, 4.0)):
        crowding += 2.5 * smooth_field(grid, max(2.0, feature), rng)
    cells = []
    for evenness, share in ((1.0, 0.5), (0.5, 0.25), (0.0, 0.25)):
        # Saturating: a monolayer is either there, about equally dense everywhere, or it is not.
        density = 1.0 / (1.0 + np.exp(-evenness * style.clustering * crowding))
        weight = np.cumsum(density.ravel())
        drawn = np.searchsorted(weight, rng.random(int(np.ceil(share * count))) * weight[-1])
        cells.append(np.minimum(drawn, weight.size - 1))
    corner = np.stack(np.unravel_index(np.concatenate(cells)[:count], grid), axis=1)
    inside: NDArray[np.float64] = (corner + rng.random((count, 2))) * cell_px - margin_px
    return inside


def smooth_field(
    shape: tuple[int, ...], feature_px: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Draw a smooth random field (two axes) of about unit variance, with bumps of `feature_px`."""
    rows, columns = (_spline(size, feature_px, rng.random()) for size in shape)
    knots = rng.standard_normal((rows.shape[1], columns.shape[1]))
    # The squared weights of a cubic B-spline add up to 0.48 on average, along each axis.
    field: NDArray[np.float64] = rows @ knots @ columns.T / 0.48
    return field


def _spline(size: int, feature_px: float, shift: float) -> NDArray[np.float64]:
    """Weights (size, knots) of uniform cubic B-splines; de Boor, A Practical Guide to Splines."""
    position = np.arange(size) / feature_px + shift
    first = np.floor(position).astype(int)
    t = position - first
    pieces = ((1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3)
    weights = np.zeros((size, int(first[-1]) + 4))
    for offset, piece in enumerate(pieces):
        weights[np.arange(size), first + offset] = piece / 6.0
    return weights


def _group(
    centre: NDArray[np.float64], style: SceneStyle, rng: np.random.Generator
) -> list[Nucleus]:
    """Draw one nucleus, or a dividing pair, or the fragments of an apoptotic one."""
    chance = rng.random()
    if chance < style.dividing_fraction:
        return _dividing(centre, style, rng)
    if chance < style.dividing_fraction + style.fragment_fraction:
        return _fragments(centre, style, rng)
    if chance < style.dividing_fraction + style.fragment_fraction + style.compact_fraction:
        return [_compact(centre, style, rng)]
    return [_single(centre, style, rng)]


def _single(centre: NDArray[np.float64], style: SceneStyle, rng: np.random.Generator) -> Nucleus:
    outline = shapes.ellipse(_radius_px(style, rng), _aspect(style, rng), _angle(style, rng))
    if rng.random() < style.irregular_fraction:
        outline = shapes.irregular(outline, rng)
    outline = shapes.wavy(outline, style.waviness, 2, 5, rng)
    brightness = _brightness(style, rng)
    if rng.random() < style.dim_fraction:
        brightness *= rng.uniform(0.2, 0.5)
    return Nucleus(centre[0], centre[1], outline, brightness, keeps_clear=True)


def _compact(centre: NDArray[np.float64], style: SceneStyle, rng: np.random.Generator) -> Nucleus:
    """Draw condensed chromatin: smaller, brighter, rough."""
    radius_px = rng.uniform(0.5, 0.8) * _radius_px(style, rng)
    outline = shapes.ellipse(radius_px, rng.uniform(0.45, 1.0), _angle(style, rng))
    outline = shapes.wavy(outline, 0.25, 3, 7, rng)
    brightness = rng.uniform(1.5, 2.6) * _brightness(style, rng)
    return Nucleus(centre[0], centre[1], outline, brightness, keeps_clear=True)


def _dividing(
    centre: NDArray[np.float64], style: SceneStyle, rng: np.random.Generator
) -> list[Nucleus]:
    """Draw two bright parallel plates, on both sides of the centre."""
    radius_px = 0.62 * _radius_px(style, rng)
    across = rng.uniform(0.0, 2.0 * np.pi)
    away_px = radius_px * rng.uniform(0.75, 1.5)
    brightness = rng.uniform(1.2, 2.0) * _brightness(style, rng)
    pair = []
    for side_px in (away_px, -away_px):
        outline = shapes.ellipse(radius_px, rng.uniform(0.4, 0.6), across + np.pi / 2)
        outline = shapes.wavy(outline, 0.15, 2, 6, rng)
        y, x = centre[0] + side_px * np.sin(across), centre[1] + side_px * np.cos(across)
        pair.append(Nucleus(y, x, outline, brightness, keeps_clear=False))
    return pair


def _fragments(
    centre: NDArray[np.float64], style: SceneStyle, rng: np.random.Generator
) -> list[Nucleus]:
    """Draw the small bright round pieces of an apoptotic nucleus."""
    radius_px = _radius_px(style, rng)
    pieces = []
    for _ in range(int(rng.integers(2, 8))):
        # Real annotators outline what they can see: hardly a piece of less than 3 px radius.
        outline = shapes.ellipse(
            max(3.3, rng.uniform(0.18, 0.45) * radius_px), rng.uniform(0.7, 1.0), _angle(style, rng)
        )
        y, x = centre + rng.standard_normal(2) * 0.6 * max(radius_px, 6.0)
        brightness = rng.uniform(1.0, 2.4) * _brightness(style, rng)
        pieces.append(Nucleus(y, x, outline, brightness, keeps_clear=False))
    return pieces


def _beside(neighbour: Nucleus, nucleus: Nucleus, rng: np.random.Generator) -> Nucleus:
    """Move a nucleus against another one, slightly overlapping it."""
    angle = rng.uniform(0.0, 2.0 * np.pi)
    apart_px = neighbour.reach_px(angle) + nucleus.reach_px(angle + np.pi)
    apart_px *= rng.uniform(0.8, 1.0)
    y, x = neighbour.y + apart_px * np.sin(angle), neighbour.x + apart_px * np.cos(angle)
    return replace(nucleus, y=y, x=x, keeps_clear=False)


def _radius_px(style: SceneStyle, rng: np.random.Generator) -> float:
    return float(style.radius_px * np.exp(style.radius_spread * rng.standard_normal()))


def _aspect(style: SceneStyle, rng: np.random.Generator) -> float:
    return float(np.clip(style.aspect + 0.1 * rng.standard_normal(), 0.38, 1.0))


def _angle(style: SceneStyle, rng: np.random.Generator) -> float:
    return float(style.angle_rad + style.angle_spread_rad * rng.standard_normal())


def _brightness(style: SceneStyle, rng: np.random.Generator) -> float:
    return float(np.exp(style.brightness_spread * rng.standard_normal()))
