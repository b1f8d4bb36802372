"""A translation as OME-TIFF: tiled, compressed, with its pixel size."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_unit.images.axes import Axes
from napari_unit.images.stepwise import in_thread
from napari_unit.images.stored_image import StoredImage

TILE_PX = 512
_READ_PX = 16 * TILE_PX
_CLASSIC_TIFF_BYTES = 2**32 - 2**25
_KNOWN_TO_OME = "TZCAEHPQRYXS"


@dataclass(frozen=True, slots=True)
class OmeTiffPlan:
    """What is written to an OME-TIFF.

    Parameters
    ----------
    stored
        The image; for its axes see `stored_axes`. OME-TIFF has no place for its origin.
    channels
        Names of the channels, in order.
    """

    stored: StoredImage
    channels: tuple[str, ...]

    @property
    def n_bytes(self) -> int:
        """Size of all levels without compression."""
        stored = self.stored
        return sum(math.prod(shape) for shape in stored.shapes) * stored.dtype.itemsize

    @property
    def metadata(self) -> dict[str, Any]:
        """What tifffile writes into the OME-XML."""
        stored = self.stored
        found: dict[str, Any] = {"axes": stored.axes.letters, "Name": stored.name}
        if "S" not in stored.axes.letters:
            found["Channel"] = {"Name": list(self.channels)}
        if stored.pixel_size is not None:
            for axis, length in stored.sides.items():
                found[f"PhysicalSize{axis}"] = length
                found[f"PhysicalSize{axis}Unit"] = stored.pixel_size.unit
        if stored.time_step_s is not None and "T" in stored.axes.letters:
            found |= {"TimeIncrement": stored.time_step_s, "TimeIncrementUnit": "s"}
        return found


def stored_axes(axes: Axes) -> Axes:
    """Return axes in the order of a TIFF: planes and C as they come, then Y, X and S.

    Raises
    ------
    ValueError
        If OME-TIFF has no such axis.
    """
    unknown = [letter for letter in axes.letters if letter not in _KNOWN_TO_OME]
    if unknown:
        raise ValueError(
            f"The axes are {axes.letters!r}, and an OME-TIFF cannot name {', '.join(unknown)}; "
            "use T, Z, C, Y, X, S, and Q for any other."
        )
    lead = "".join(letter for letter in axes.letters if letter not in "YXS")
    return Axes(lead + "YX" + ("S" if "S" in axes.letters else ""))


def write_ome_tiff(
    path: Path, plan: OmeTiffPlan, levels: Sequence[Any]
) -> Iterator[tuple[int, int]]:
    """Write an OME-TIFF, which is half written until the end; closing it leaves it so.

    Parameters
    ----------
    path
        Of the file; one that is there is replaced.
    plan
        What is written.
    levels
        Arrays, numpy or zarr, of the plan's shapes; they are read in rows of tiles.

    Yields
    ------
    Tiles that are written, and how many there are.
    """
    n_tiles = sum(_n_tiles(plan.stored.axes, shape) for shape in plan.stored.shapes)
    for done in in_thread(lambda tell: _write(path, plan, levels, tell)):
        yield done, n_tiles


def check_storable(plan: OmeTiffPlan) -> None:
    """Let tifffile say what OME cannot hold before anything is computed.

    Raises
    ------
    ValueError
        If OME-TIFF has no such pixels.
    """
    import tifffile

    shape = plan.stored.shapes[0]
    samples = shape[-1] if "S" in plan.stored.axes.letters else 1
    n_pages = math.prod(shape) // (shape[plan.stored.axes.y] * shape[plan.stored.axes.x] * samples)
    stored = (n_pages, 1, 1, shape[plan.stored.axes.y], shape[plan.stored.axes.x], samples)
    try:
        tifffile.OmeXml().addimage(plan.stored.dtype, shape, stored, **plan.metadata)
    except tifffile.OmeXmlError as error:
        raise ValueError(
            f"An OME-TIFF cannot hold axes {plan.stored.axes.letters!r} of {plan.stored.dtype} "
            f"pixels ({error})."
        ) from error


def _n_tiles(axes: Axes, shape: Sequence[int]) -> int:
    height, width = shape[axes.y], shape[axes.x]
    samples = shape[-1] if "S" in axes.letters else 1
    n_pages = math.prod(shape) // (height * width * samples)
    return n_pages * math.ceil(height / TILE_PX) * math.ceil(width / TILE_PX)


def _write(path: Path, plan: OmeTiffPlan, levels: Sequence[Any], tell: Callable[[], None]) -> None:
    import tifffile

    is_color = "S" in plan.stored.axes.letters
    is_rgb = is_color and plan.stored.shapes[0][-1] == 3
    size = plan.stored.pixel_size
    per_cm = {"mm": 10.0, "µm": 1e4, "nm": 1e7, "cm": 1.0}.get(size.unit if size else "")
    with tifffile.TiffWriter(path, bigtiff=plan.n_bytes > _CLASSIC_TIFF_BYTES, ome=True) as tif:
        for number, level in enumerate(levels):
            tif.write(
                _tiles(level, is_color, tell),
                shape=level.shape,
                dtype=plan.stored.dtype,
                tile=(TILE_PX, TILE_PX),
                photometric="rgb" if is_rgb else "minisblack",
                planarconfig="contig" if is_color else None,
                compression="zlib",
                compressionargs={"level": 4},
                # the predictor for floats is not understood everywhere
                predictor=plan.stored.dtype.kind in "iu",
                subifds=len(levels) - 1 if number == 0 else None,
                subfiletype=0 if number == 0 else 1,
                resolution=(per_cm / size.x, per_cm / size.y) if size and per_cm else None,
                resolutionunit="CENTIMETER" if size and per_cm else None,
                metadata=plan.metadata if number == 0 else None,
            )


def _tiles(level: Any, is_color: bool, tell: Callable[[], None]) -> Iterator[NDArray[Any]]:
    """Cut a level into tiles in the order of a TIFF."""
    of_page = level.shape[-3:] if is_color else level.shape[-2:]
    for page in np.ndindex(level.shape[: -len(of_page)]):
        for row in range(0, of_page[0], TILE_PX):
            rows = slice(row, row + TILE_PX)
            # several tiles at once: to read from a zarr array costs per read, too
            for start in range(0, of_page[1], _READ_PX):
                band = np.asarray(level[(*page, rows, slice(start, start + _READ_PX))])
                for column in range(0, band.shape[1], TILE_PX):
                    tell()  # before: nothing asks for more after the last tile
                    yield _full_tile(band[:, column : column + TILE_PX])


def _full_tile(part: NDArray[Any]) -> NDArray[Any]:
    """Return a tile of full size; tifffile takes the columns of a column for samples."""
    if part.shape[:2] == (TILE_PX, TILE_PX):
        return np.ascontiguousarray(part)
    tile = np.zeros((TILE_PX, TILE_PX, *part.shape[2:]), part.dtype)
    tile[: part.shape[0], : part.shape[1]] = part
    return tile
