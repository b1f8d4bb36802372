"""A translation as OME-TIFF: tiled, compressed, with its pixel size, whole or not there at all.

Tiles of a translation come in any size and order, those of a compressed TIFF must be written in
order. So they are gathered in an uncompressed scratch file beside it, never in memory.
"""

import errno
import math
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_unit.atomic import written_whole
from napari_unit.geometry.regions import Region
from napari_unit.images.axes import Axes
from napari_unit.images.levels import shrink
from napari_unit.images.placement import PixelSize
from napari_unit.images.stepwise import in_thread
from napari_unit.images.storage import ArraySink

ENDINGS = (".tif", ".tiff")
TILE_PX = 512
_CLASSIC_TIFF_BYTES = 2**32 - 2**25
_KNOWN_TO_OME = "TZCAEHPQRYXS"


@dataclass(frozen=True, slots=True)
class OmeTiffPlan:
    """What is written to an OME-TIFF.

    Parameters
    ----------
    path
        Of the file.
    axes
        As stored: Y and X last, or followed by S.
    shapes
        Of the levels, full resolution first; they differ in Y and X only.
    dtype
        Of the pixels.
    channels
        Names of the channels, in order.
    pixel_size
        None where it is not known.
    name
        Of the image.
    """

    path: Path
    axes: Axes
    shapes: tuple[tuple[int, ...], ...]
    dtype: np.dtype[Any]
    channels: tuple[str, ...]
    pixel_size: PixelSize | None
    name: str

    @property
    def n_bytes(self) -> int:
        """Size of all levels without compression."""
        return sum(math.prod(shape) for shape in self.shapes) * self.dtype.itemsize

    @property
    def metadata(self) -> dict[str, Any]:
        """What tifffile writes into the OME-XML."""
        found: dict[str, Any] = {"axes": self.axes.letters, "Name": self.name}
        if "S" not in self.axes.letters:
            found["Channel"] = {"Name": list(self.channels)}
        if self.pixel_size is not None:
            size = self.pixel_size
            for axis, length in (("X", size.x), ("Y", size.y), ("Z", size.z)):
                if length is not None:
                    found[f"PhysicalSize{axis}"] = length
                    found[f"PhysicalSize{axis}Unit"] = size.unit
        return found


def check_free(path: Path) -> None:
    """Refuse a path that nothing can or may be written to.

    Raises
    ------
    ValueError
        If it ends in something else than .tif or .tiff.
    FileNotFoundError
        If its folder is missing.
    FileExistsError
        If there is such a file already.
    """
    if path.suffix.lower() not in ENDINGS:
        raise ValueError(f"The output is called {path.name!r}; it must end in .ome.tif or .tif.")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"The folder {path.parent} does not exist; make it first.")
    if path.exists():
        raise FileExistsError(f"The output {path} exists already; remove it or give another name.")
    if not os.access(path.parent, os.W_OK):
        raise PermissionError(f"Nothing can be written to the folder {path.parent}.")


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


class OmeTiffSink:
    """Takes pixels in any order and writes them as OME-TIFF at the end; a context manager.

    Leaving the block removes the scratch file; without `finish` nothing else remains either.

    Parameters
    ----------
    plan
        What is written.

    Raises
    ------
    OSError
        If the path cannot be written to, or the disk has no room for the scratch file.
    ValueError
        If OME-TIFF has no such axes or pixels.
    """

    def __init__(self, plan: OmeTiffPlan) -> None:
        check_free(plan.path)
        _check_storable(plan)
        # the scratch file stays until the file is whole, and noise hardly compresses
        needed = 2 * plan.n_bytes
        free = shutil.disk_usage(plan.path.parent).free
        if free < needed:
            raise OSError(
                f"{plan.path.parent} has {free / 1e9:.1f} GB free, and writing {plan.path.name} "
                f"takes up to {needed / 1e9:.1f} GB for a time; choose another disk or dtype."
            )
        self.plan = plan
        self._scratch = plan.path.with_name(f".partial-{os.getpid()}-{plan.path.name}.scratch")
        self._levels: list[NDArray[Any]] = []
        self._sink: ArraySink | None = None

    def __enter__(self) -> "OmeTiffSink":
        _take_room(self._scratch, self.plan.n_bytes)
        # one file for all levels
        flat = np.memmap(self._scratch, mode="r+", dtype=np.uint8, shape=(self.plan.n_bytes,))
        start = 0
        for shape in self.plan.shapes:
            stop = start + math.prod(shape) * self.plan.dtype.itemsize
            self._levels.append(flat[start:stop].view(self.plan.dtype).reshape(shape))
            start = stop
        self._sink = ArraySink(self._levels[0], self.plan.axes)
        return self

    def __exit__(self, *error: object) -> None:
        self._sink = None
        self._levels.clear()  # Windows keeps a file that is mapped
        self._scratch.unlink(missing_ok=True)

    unit_px = 0

    def written(self, plane: int, unit: Region) -> None:
        """Nothing is there from an earlier run."""

    def write(self, plane: int, unit: Region, pixels: NDArray[Any], n_saturated: int = 0) -> None:
        """Take pixels (C, Y, X) of a region of one plane."""
        assert self._sink is not None
        self._sink.write(plane, unit, pixels)

    def finish(self) -> Iterator[tuple[Literal["levels", "writing"], int, int]]:
        """Write the file.

        Yields
        ------
        What is done, and how many steps of how many: rows of a smaller level, or tiles written.
        Closing it leaves no file.
        """
        for larger, smaller in zip(self._levels, self._levels[1:], strict=False):
            for done, n_rows in shrink(larger, smaller, self.plan.axes.y):
                yield "levels", done, n_rows
        n_tiles = sum(_n_tiles(self.plan.axes, shape) for shape in self.plan.shapes)
        with written_whole(self.plan.path) as partial:
            for done in in_thread(lambda tell: _write(partial, self.plan, self._levels, tell)):
                yield "writing", done, n_tiles


def _take_room(path: Path, n_bytes: int) -> None:
    """Make a file of this size with its room on the disk taken, where the system can do that.

    A disk that fills up later would kill the process in the middle of writing to the map.
    """
    try:
        with path.open("xb") as file:
            file.truncate(n_bytes)
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, n_bytes)
    except OSError as error:
        if error.errno in (errno.EINVAL, errno.EOPNOTSUPP):
            return  # a file system that takes no room ahead
        path.unlink(missing_ok=True)
        raise OSError(
            f"There is no room for {n_bytes / 1e9:.1f} GB in {path.parent} ({error.strerror}); "
            "choose another disk or dtype."
        ) from error


def _check_storable(plan: OmeTiffPlan) -> None:
    """Let tifffile say what OME cannot hold before anything is computed."""
    import tifffile

    shape = plan.shapes[0]
    samples = shape[-1] if "S" in plan.axes.letters else 1
    n_pages = math.prod(shape) // (shape[plan.axes.y] * shape[plan.axes.x] * samples)
    stored = (n_pages, 1, 1, shape[plan.axes.y], shape[plan.axes.x], samples)
    try:
        tifffile.OmeXml().addimage(plan.dtype, shape, stored, **plan.metadata)
    except tifffile.OmeXmlError as error:
        raise ValueError(
            f"An OME-TIFF cannot hold axes {plan.axes.letters!r} of {plan.dtype} pixels ({error})."
        ) from error


def _n_tiles(axes: Axes, shape: Sequence[int]) -> int:
    height, width = shape[axes.y], shape[axes.x]
    samples = shape[-1] if "S" in axes.letters else 1
    n_pages = math.prod(shape) // (height * width * samples)
    return n_pages * math.ceil(height / TILE_PX) * math.ceil(width / TILE_PX)


def _write(
    path: Path, plan: OmeTiffPlan, levels: Sequence[NDArray[Any]], tell: Callable[[], None]
) -> None:
    import tifffile

    is_color = "S" in plan.axes.letters
    is_rgb = is_color and plan.shapes[0][-1] == 3
    size = plan.pixel_size
    per_cm = {"mm": 10.0, "µm": 1e4, "nm": 1e7, "cm": 1.0}.get(size.unit if size else "")
    with tifffile.TiffWriter(path, bigtiff=plan.n_bytes > _CLASSIC_TIFF_BYTES, ome=True) as tif:
        for number, level in enumerate(levels):
            tif.write(
                _tiles(level, is_color, tell),
                shape=level.shape,
                dtype=plan.dtype,
                tile=(TILE_PX, TILE_PX),
                photometric="rgb" if is_rgb else "minisblack",
                planarconfig="contig" if is_color else None,
                compression="zlib",
                compressionargs={"level": 4},
                # the predictor for floats is not understood everywhere
                predictor=plan.dtype.kind in "iu",
                subifds=len(levels) - 1 if number == 0 else None,
                subfiletype=0 if number == 0 else 1,
                resolution=(per_cm / size.x, per_cm / size.y) if size and per_cm else None,
                resolutionunit="CENTIMETER" if size and per_cm else None,
                metadata=plan.metadata if number == 0 else None,
            )


def _tiles(level: NDArray[Any], is_color: bool, tell: Callable[[], None]) -> Iterator[NDArray[Any]]:
    """Cut a level into tiles in the order of a TIFF."""
    of_page = level.shape[-3:] if is_color else level.shape[-2:]
    for page in level.reshape(-1, *of_page):
        for row in range(0, page.shape[0], TILE_PX):
            for column in range(0, page.shape[1], TILE_PX):
                tell()  # before: nothing asks for more after the last tile
                yield np.ascontiguousarray(page[row : row + TILE_PX, column : column + TILE_PX])
