"""How much memory a translation takes, and how to stay within what it may take."""

from dataclasses import dataclass

import torch

from napari_unit.engine.devices import available_bytes
from napari_unit.engine.local import cells_of
from napari_unit.engine.runner import BLOCK_PX, Route
from napari_unit.engine.sampling import MAX_SAMPLED, SAMPLE_CORE_PX, Field
from napari_unit.engine.settings import EngineSettings
from napari_unit.engine.sweep_plan import plan_sweep
from napari_unit.geometry.regions import Region, grid, whole
from napari_unit.geometry.tiling import Span, lattice_of, reach_of
from napari_unit.pace import size_in_words

TILE_SIZES_PX = (256, 384, 512, 768, 1024, 1536, 2048)
"""What ``"auto"`` chooses from."""
FIELD_SIZES_PX = (4096, 2048, 1024, 512)
"""Sides of the fields that an image is cut into to be measured, the larger the less arithmetic."""
_FIELD_BYTES = 10**9
"""What the maps of one field may take; the fields of an image do not depend on the computer."""
_CPU_MAP_BYTES = 32 << 20
"""Larger tensors are fetched from the system anew each time, page by page."""
_SHARE_OF_FIELDS = 0.6
"""Of the memory; the rest is for the tiles, and what is read and written."""


@dataclass(frozen=True, slots=True)
class FieldChoice:
    """Which fields are measured, and where their maps are kept.

    Parameters
    ----------
    regions
        The fields of each plane, where all of it is measured; else none.
    device
        In whose memory the maps are.
    on_disk
        Whether they are in files instead.
    scratch_bytes
        What the files take.
    held_bytes
        What the maps take of the memory at a time.
    """

    regions: tuple[Region, ...] = ()
    device: str = "cpu"
    on_disk: bool = False
    scratch_bytes: int = 0
    held_bytes: int = 0


def choose_fields(
    route: Route,
    size: tuple[int, int],
    n_planes: int,
    settings: EngineSettings,
    device: torch.device,
    measures_all: bool,
) -> FieldChoice:
    """Choose the fields whose statistics are measured, and where their maps are kept.

    Where one field does not fit into the memory, smaller ones are taken, and where all of them
    do not, they go to files.

    Parameters
    ----------
    route, size, n_planes
        Layers, padded height and width, and number of planes.
    settings
        How to translate.
    device
        Where to compute.
    measures_all
        Whether every pixel is measured; else a sample is.
    """
    if not measures_all:
        return _for_sample(route, size, n_planes, settings, device)
    limit = min(_FIELD_BYTES, int(_SHARE_OF_FIELDS * settings.memory_bytes))
    if settings.statistics == "local":
        candidates = [cells_of(size, lattice_of(route.geometry)).regions]
    else:
        candidates = [tuple(grid(whole(size), side)) for side in FIELD_SIZES_PX]
    for regions in candidates:
        held = max(_state_bytes(route, size, (r,)) for r in _corner_and_middle(regions))
        if held <= limit:
            break
    in_all = len(regions) * held
    if len(regions) <= 64:
        in_all = _state_bytes(route, size, regions)
    in_memory = _in_memory(in_all * n_planes, settings, device)
    if in_memory is not None:
        return FieldChoice(regions, in_memory[0], False, 0, in_memory[1])
    return FieldChoice(regions, "cpu", True, 3 * in_all * n_planes // 2, held)


def _corner_and_middle(regions: tuple[Region, ...]) -> tuple[Region, ...]:
    """Return fields among which is the one with the largest surroundings."""
    return regions[:2] + regions[len(regions) // 2 :][:2]


def _for_sample(
    route: Route,
    size: tuple[int, int],
    n_planes: int,
    settings: EngineSettings,
    device: torch.device,
) -> FieldChoice:
    side = SAMPLE_CORE_PX
    rows, columns = (-(-length // side) for length in size)
    one = _state_bytes(route, size, (_middle(size, side),))
    n = min(MAX_SAMPLED, rows * columns * n_planes)
    in_memory = _in_memory(n * one, settings, device)
    if in_memory is not None:
        return FieldChoice((), in_memory[0], False, 0, in_memory[1])
    return FieldChoice((), "cpu", True, 3 * n * one // 2, one)


def _middle(size: tuple[int, int], side: int) -> Region:
    """Return the square amid a plane, which has the largest surroundings."""
    rows, columns = (length // 2 // side * side for length in size)
    return Region(
        Span(rows, min(rows + side, size[0])), Span(columns, min(columns + side, size[1]))
    )


def _in_memory(
    n_bytes: int, settings: EngineSettings, device: torch.device
) -> tuple[str, int] | None:
    """Return in whose memory maps of this size fit, and their size; None if in no one's."""
    if device.type != "cpu":
        available = available_bytes(device)
        if available is not None and n_bytes <= available // 2:
            return str(device), n_bytes
    available = available_bytes(torch.device("cpu"))
    limit = settings.memory_bytes if available is None else min(settings.memory_bytes, available)
    return ("cpu", n_bytes) if n_bytes <= int(_SHARE_OF_FIELDS * limit) else None


def _state_bytes(route: Route, size: tuple[int, int], regions: tuple[Region, ...]) -> int:
    plan = plan_sweep(route, size, [Field(0, region) for region in regions])
    return plan.state_bytes(_itemsize(route))


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


def choose_tile(
    route: Route,
    size: tuple[int, int],
    n_channels: tuple[int, int],
    settings: EngineSettings,
    device: torch.device,
    left: int,
) -> tuple[int, int]:
    """Return the tile asked for, or one that is large but leaves most of the memory free.

    Parameters
    ----------
    route, size, n_channels, settings, device
        As of `tile_bytes` and `choose_fields`.
    left
        Bytes that may be taken.

    Returns
    -------
    Its side, and the bytes that it takes.

    Raises
    ------
    MemoryError
        If there is too little.
    """
    lattice = lattice_of(route.geometry)
    tile_px = TILE_SIZES_PX[0]
    if settings.tile_px != "auto":
        tile_px = -(-settings.tile_px // lattice) * lattice
    needed = tile_bytes(route, size, tile_px, n_channels)
    if needed > left:
        raise MemoryError(
            f"A tile of {tile_px} px takes about {size_in_words(needed)} of memory, and "
            f"{size_in_words(left)} may be taken; use a smaller tile, give more (memory), or use "
            "a narrower model."
        )
    if settings.tile_px != "auto":
        return tile_px, needed
    for larger in TILE_SIZES_PX[1:]:
        is_slow = device.type == "cpu" and _coarse_bytes(route, size, larger) > _CPU_MAP_BYTES
        if is_slow or tile_bytes(route, size, larger, n_channels) > left // 2:
            break
        tile_px = larger
    tile_px = min(tile_px, max(size))
    return tile_px, tile_bytes(route, size, tile_px, n_channels)


def _itemsize(route: Route) -> int:
    return max(4, route.steps[0].block.conv.weight.element_size())
