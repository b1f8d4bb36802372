"""A napari layer in a file of its own: an OME-Zarr, which appears when it is whole."""

import math
from collections.abc import Generator
from pathlib import Path

from napari_unit.atomic import put_in_place
from napari_unit.geometry.regions import grid
from napari_unit.images import ome_zarr
from napari_unit.images.blocks import BlockReader
from napari_unit.images.file_outputs import check_free, check_room
from napari_unit.images.layer_state import LayerToSave
from napari_unit.images.unit_store import UNIT_PX, UnitStore, create_store
from napari_unit.images.work_folder import WorkFolder

_ENDING = ".ome.zarr"
_WHAT = "layer to save"
"""By which the folder of a layer that is being saved is told from a translation's."""


def path_of(path: str | Path) -> Path:
    """Return the path to write to: a name without the ending of a zarr gets one."""
    given = Path(path)
    return given if given.suffix.lower() == ".zarr" else given.with_name(given.name + _ENDING)


def save_layer(layer: LayerToSave, path: Path) -> Generator[tuple[int, int], None, None]:
    """Write the layer; it appears under its name when it is whole.

    The levels are made anew from the full resolution. What a killed process has left of an
    earlier attempt is replaced.

    Parameters
    ----------
    layer
        What is written.
    path
        Of the folder; ends in ``.zarr``.

    Yields
    ------
    Steps done, and how many there are.

    Raises
    ------
    OSError
        If there is such a path already, or it cannot be written, or the pixels cannot be read.
    MemoryError
        If there is not the memory to read them.
    """
    check_free(path)
    stored = layer.plan.stored
    work = WorkFolder.beside(path)
    _clear(work)
    with work.full_disk_told(), work.claimed({_WHAT: stored.name}):
        try:
            needed = sum(math.prod(shape) for shape in stored.shapes) * stored.dtype.itemsize
            check_room(path, needed)
            store = create_store(work, stored.axes, stored.shapes, stored.dtype)
            yield from _steps(layer, store)
            ome_zarr.describe(work.store_path, layer.plan, layer.provenance)
            check_free(path)
            put_in_place(work.store_path, path)
        finally:
            work.remove()


def _steps(layer: LayerToSave, store: UnitStore) -> Generator[tuple[int, int], None, None]:
    reader = BlockReader(layer.array, layer.axes, layer.plan.stored.axes, UNIT_PX)
    blocks = list(reader.blocks())
    smaller = range(1, len(store.levels))
    n_smaller = sum(store.n_units(level) for level in smaller)
    for done, block in enumerate(blocks, 1):
        for plane in block.planes:
            for unit in grid(block.region, UNIT_PX):
                store.write(plane, unit, reader.read(block, plane, unit))
        yield done, len(blocks) + n_smaller
    for done, _ in store.build_levels():
        yield len(blocks) + done, len(blocks) + n_smaller


def _clear(work: WorkFolder) -> None:
    """Remove what a killed process has left of a layer that it was saving.

    Raises
    ------
    OSError
        If something else is there, such as a translation that can be gone on with.
    """
    begun = work.begun_with()
    if begun is None:
        return
    if set(begun) != {_WHAT}:
        raise FileExistsError(
            f"{work.path} holds a translation that is not finished; go on with it, remove the "
            "folder, or give another name."
        )
    with work.claimed(begun):
        work.remove()
