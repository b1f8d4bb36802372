"""Plan a tiled translation: check that it can be done, and choose how."""

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import torch

from napari_unit.engine.devices import available_bytes, resolve_device
from napari_unit.engine.planes import PlaneSource
from napari_unit.engine.runner import BLOCK_PX, Route, route_of
from napari_unit.engine.sampling import MAX_SAMPLED, SAMPLE_CORE_PX, Field
from napari_unit.engine.statistics import StatisticsMode
from napari_unit.engine.sweep_plan import plan_sweep
from napari_unit.geometry.regions import whole
from napari_unit.geometry.tiling import lattice_of, padded_length, reach_of
from napari_unit.models.architecture import MIN_SIZE_PX
from napari_unit.models.model import TranslationModel

TILE_SIZES_PX = (256, 384, 512, 768, 1024, 1536, 2048)
"""What ``"auto"`` chooses from."""
MIN_TILE_PX = 16
_CPU_MAP_BYTES = 32 << 20
"""Larger tensors are fetched from the system anew each time, page by page."""
_OUTPUT_DTYPES = ("float32", "uint8", "int8", "uint16", "int16", "uint32", "int32")


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """How to translate.

    Parameters
    ----------
    statistics
        What the normalisation layers are told: ``"image"``, a sample of the image; ``"whole"``,
        all of it; ``"tile"``, each tile alone (for comparison only: the tiles do not match).
    tile_px
        Side of a tile, or ``"auto"``. The result does not depend on it.
    device
        ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"``.
    dtype
        Of the result: float32 or an integer type of at most 32 bits.
    seed
        Of the sample.

    Raises
    ------
    ValueError
        If a value is none of these.
    """

    statistics: StatisticsMode = "image"
    tile_px: int | Literal["auto"] = "auto"
    device: str = "auto"
    dtype: np.dtype[Any] = np.dtype("float32")  # noqa: RUF009 - immutable
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be done."""
        if self.statistics not in get_args(StatisticsMode):
            raise ValueError(
                f"The statistics are {self.statistics!r}; they must be 'image', 'whole' or 'tile'."
            )
        if self.tile_px != "auto" and not (
            type(self.tile_px) is int and self.tile_px >= MIN_TILE_PX
        ):
            raise ValueError(
                f"The tile is {self.tile_px!r}; it must be 'auto' or a whole number of pixels "
                f"from {MIN_TILE_PX} on."
            )
        if self.dtype.name not in _OUTPUT_DTYPES:
            raise ValueError(
                f"The output dtype is {self.dtype}; it must be one of {', '.join(_OUTPUT_DTYPES)}."
            )
        if type(self.seed) is not int or self.seed < 0:
            raise ValueError(f"The seed is {self.seed!r}; it must be a whole number from 0 on.")


@dataclass(frozen=True, slots=True)
class TranslationPlan:
    """What will be done.

    Parameters
    ----------
    source_domain, target_domain
        Names of the model's domains.
    settings
        As given.
    device
        The device chosen.
    size
        Height and width of a plane as the networks see it, a multiple of the lattice.
    tile_px
        Side of a tile, a multiple of the lattice.
    n_tiles
        Of all planes.
    reach_px
        How far away an input pixel can be and still change an output pixel.
    lattice_px
        Pixels of the image per pixel of the networks' coarsest map.
    memory_bytes
        What the statistics and one tile will take on the device at a time, about.
    """

    source_domain: str
    target_domain: str
    settings: EngineSettings
    device: str
    size: tuple[int, int]
    tile_px: int
    n_tiles: int
    reach_px: int
    lattice_px: int
    memory_bytes: int


def plan_translation(
    model: TranslationModel,
    source_domain: str,
    target_domain: str,
    planes: PlaneSource,
    settings: EngineSettings,
) -> TranslationPlan:
    """Plan a translation; nothing is read or computed yet.

    Parameters
    ----------
    model
        The model.
    source_domain, target_domain
        Names of its domains.
    planes
        The image.
    settings
        How to translate.

    Raises
    ------
    ValueError
        If the model, the image and the settings do not go together.
    MemoryError
        If it would take more memory than there is.
    """
    route = route_of(model.steps(source_domain, target_domain))
    _check_image(model, source_domain, planes)
    device = resolve_device(settings.device)
    size = (
        padded_length(planes.height, route.geometry),
        padded_length(planes.width, route.geometry),
    )
    available = available_bytes(device)
    held = _statistics_bytes(route, size, planes.n_planes, settings.statistics)
    if available is not None and held > available:
        advice = (
            "use statistics 'image', or a smaller part of the image"
            if settings.statistics == "whole"
            else "free some memory, or use a narrower model"
        )
        raise MemoryError(
            f"Measuring the statistics {settings.statistics!r} takes about {_size(held)} of "
            f"memory, and {_size(available)} are available; {advice}."
        )
    left = None if available is None else available - held
    n_channels = (planes.n_channels, model.domains[model.index_of(target_domain)].n_channels)
    tile_px = _choose_tile(route, size, n_channels, settings, device, left)
    rows, columns = (-(-length // tile_px) for length in (planes.height, planes.width))
    return TranslationPlan(
        source_domain,
        target_domain,
        settings,
        str(device),
        size,
        tile_px,
        planes.n_planes * rows * columns,
        reach_of(route.geometry),
        lattice_of(route.geometry),
        held + tile_bytes(route, size, tile_px, n_channels),
    )


def _check_image(model: TranslationModel, source_domain: str, planes: PlaneSource) -> None:
    domain = model.domains[model.index_of(source_domain)]
    if planes.dtype.kind not in "iuf":
        raise ValueError(
            f"The image's pixels are of dtype {planes.dtype}; they must be real numbers, "
            "integer or float."
        )
    if planes.n_planes < 1:
        raise ValueError("The image has no planes; there is nothing to translate.")
    if min(planes.height, planes.width) < MIN_SIZE_PX:
        raise ValueError(
            f"The image is {planes.height} x {planes.width} px; both sides must have at least "
            f"{MIN_SIZE_PX}."
        )
    if planes.n_channels != domain.n_channels:
        names = ", ".join(domain.channels)
        raise ValueError(
            f"The image has {_channels(planes.n_channels)}, but domain {domain.name!r} has "
            f"{_channels(domain.n_channels)} ({names}); choose another domain, model or channels."
        )


def _channels(n: int) -> str:
    return f"{n} channel" if n == 1 else f"{n} channels"


def _statistics_bytes(
    route: Route, size: tuple[int, int], n_planes: int, mode: StatisticsMode
) -> int:
    """Return the size of the maps that measuring keeps at a time."""
    if mode == "tile":
        return 0
    fields = [Field(plane, whole(size)) for plane in range(n_planes)]
    wanted = plan_sweep(route, size, fields).memory_bytes(_itemsize(route))
    if mode == "whole":
        return wanted
    square = (SAMPLE_CORE_PX + 2 * reach_of(route.geometry)) ** 2
    return min(wanted, wanted * MAX_SAMPLED * square // (n_planes * size[0] * size[1]))


def tile_bytes(
    route: Route, size: tuple[int, int], tile_px: int, n_channels: tuple[int, int]
) -> int:
    """Estimate what translating one tile takes on its device.

    Parameters
    ----------
    route
        The layers.
    size
        Height and width of the padded planes.
    tile_px
        Side of the tile.
    n_channels
        Of the image and of the translation.
    """
    itemsize = _itemsize(route)
    fine = max(s.block.conv.out_channels for s in (*route.steps[: route.down], *route.steps[-1:]))
    block = min(BLOCK_PX, tile_px) ** 2
    # a coarse step's input, output and skip; a block's maps before, in and behind its widest step
    maps = 3 * _coarse_bytes(route, size, tile_px) + 4 * fine * block * itemsize
    seen, made = (
        min(size[0], side) * min(size[1], side)
        for side in (tile_px + 2 * reach_of(route.geometry), tile_px)
    )
    # pixel values are mapped in float64
    return maps + 24 * (n_channels[0] * seen + n_channels[1] * made)


def _coarse_bytes(route: Route, size: tuple[int, int], tile_px: int) -> int:
    """Return the size of the largest map that a tile has at the coarsest resolution."""
    side = tile_px + 2 * reach_of(route.geometry)
    rows, columns = (min(length, side) // lattice_of(route.geometry) for length in size)
    channels = max(s.block.conv.out_channels for s in route.steps[route.down - 1 : route.up])
    return rows * columns * channels * _itemsize(route)


def _choose_tile(
    route: Route,
    size: tuple[int, int],
    n_channels: tuple[int, int],
    settings: EngineSettings,
    device: torch.device,
    left: int | None,
) -> int:
    """Return the tile asked for, or one that is large but leaves most of the memory free."""
    lattice = lattice_of(route.geometry)
    tile_px = TILE_SIZES_PX[0]
    if settings.tile_px != "auto":
        tile_px = -(-settings.tile_px // lattice) * lattice
    needed = tile_bytes(route, size, tile_px, n_channels)
    if left is not None and needed > left:
        raise MemoryError(
            f"A tile of {tile_px} px takes about {_size(needed)} of memory, and {_size(left)} are "
            "available; use a smaller tile or a narrower model."
        )
    if settings.tile_px != "auto":
        return tile_px
    for larger in TILE_SIZES_PX[1:]:
        is_slow = device.type == "cpu" and _coarse_bytes(route, size, larger) > _CPU_MAP_BYTES
        needed = tile_bytes(route, size, larger, n_channels)
        if is_slow or (left is not None and needed > left // 4):
            break
        tile_px = larger
    return min(tile_px, max(size))


def _itemsize(route: Route) -> int:
    return max(4, route.steps[0].block.conv.weight.element_size())


def _size(n_bytes: int) -> str:
    return f"{n_bytes / 1e9:.1f} GB" if n_bytes >= 1e9 else f"{n_bytes / 1e6:.0f} MB"
