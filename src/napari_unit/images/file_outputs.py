"""A translation in a file: made in a work folder beside it, and there when it is whole."""

import os
import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

from napari_unit.atomic import put_in_place
from napari_unit.domains import Domain
from napari_unit.engine.planes import PlaneSink
from napari_unit.images import ome_tiff, ome_zarr
from napari_unit.images.axes import Axes
from napari_unit.images.levels import halved_sizes
from napari_unit.images.outputs import FinishingPhase, ResultShape
from napari_unit.images.source_image import SourceImage
from napari_unit.images.storage import RenumberedSink
from napari_unit.images.stored_image import StoredImage
from napari_unit.images.tiff_files import TiffPixels
from napari_unit.images.unit_store import UnitStore, create_store
from napari_unit.images.work_folder import Identity, WorkFolder
from napari_unit.images.zarr_files import ZarrPixels

_TIFF_ENDINGS = (".tif", ".tiff")
_ZARR_ENDING = ".zarr"
_CHUNK_PX = 2048


def check_free(path: Path) -> None:
    """Refuse a path that nothing can or may be written to.

    Raises
    ------
    ValueError
        If its ending is none of a format that can be written.
    FileNotFoundError
        If its folder is missing.
    FileExistsError
        If there is such a file or folder already.
    """
    if path.suffix.lower() not in (*_TIFF_ENDINGS, _ZARR_ENDING):
        raise ValueError(
            f"The output is called {path.name!r}; it must end in .ome.tif or .tif (OME-TIFF), or "
            "in .ome.zarr or .zarr (OME-Zarr)."
        )
    if not path.parent.is_dir():
        raise FileNotFoundError(f"The folder {path.parent} does not exist; make it first.")
    if path.exists():
        raise FileExistsError(f"The output {path} exists already; remove it or give another name.")
    if not os.access(path.parent, os.W_OK):
        raise PermissionError(f"Nothing can be written to the folder {path.parent}.")


def check_room(path: Path, n_bytes: int) -> None:
    """Refuse to write what the disk has no room for.

    Raises
    ------
    OSError
        If there is less room than that.
    """
    free = shutil.disk_usage(path.parent).free
    if free < n_bytes:
        raise OSError(
            f"{path.parent} has {free / 1e9:.1f} GB free, and writing {path.name} takes up to "
            f"{n_bytes / 1e9:.1f} GB; make room, or choose another disk or dtype."
        )


class FileOutput(ABC):
    """Writes a translation to a file or folder; see `file_output`.

    Parameters
    ----------
    result
        Its shape; levels in the file are smaller in Y and X only.
    stored
        Axes in the file, of which C may stand for the result's S.
    path
        Of the file.
    identity
        What its pixels depend on: the same again goes on with what is finished.
    """

    n_copies = 1
    """How often the pixels are on the disk at most."""

    def __init__(self, result: ResultShape, stored: Axes, path: Path, identity: Identity) -> None:
        check_free(path)
        self.work = WorkFolder.beside(path)
        self.path = path
        self._identity = identity
        self._result = result
        self._stored = stored
        self._shapes = _stored_shapes(result, stored)
        self._open = ExitStack()
        self._store: UnitStore | None = None

    def __enter__(self) -> PlaneSink:
        with ExitStack() as stack:
            stack.enter_context(self.work.full_disk_told())
            stack.enter_context(self.work.claimed(self._identity))
            # noise hardly compresses
            one = ResultShape(self._stored, self._shapes, self._result.dtype)
            check_room(self.path, self.n_copies * one.n_bytes - self.work.n_bytes)
            self._store = create_store(self.work, self._stored, self._shapes, self._result.dtype)
            self._open = stack.pop_all()
        return RenumberedSink.between(self._store, self._result.axes, self._stored, self._shapes[0])

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._store = None
        self._open.__exit__(kind, error, traceback)

    def _described(self, image: SourceImage) -> StoredImage:
        origin = () if image.origin is None else image.origin
        return StoredImage(
            self._stored,
            self._shapes,
            self._result.dtype,
            image.name,
            image.pixel_size,
            dict(zip(image.axes.letters, origin, strict=False)),
            image.time_step_s,
        )

    def finish(self, provenance: Mapping[str, Any]) -> Iterator[tuple[FinishingPhase, int, int]]:
        """Make smaller levels and the file; nothing is left of the work folder."""
        assert self._store is not None
        for done, total in self._store.build_levels():
            yield "levels", done, total
        yield from self._write(self._store, provenance)
        self.work.remove()

    def levels(self) -> tuple[Any, ...]:
        """Return dask arrays that read the file."""
        from dask.array import from_array

        found = []
        for level, shape in enumerate(self._shapes):
            pixels, axes = self._pixels(level)
            chunks = tuple(
                1 if letter not in "YXS" else min(_CHUNK_PX, length)
                for letter, length in zip(axes, pixels.shape, strict=True)
            )
            # the name stands for the content in dask's caches
            time_ns = self.path.stat().st_mtime_ns
            name = f"napari-unit-{self.path.absolute()}-{time_ns}-{level}"
            lazy: Any = from_array(pixels, chunks=chunks, name=name, asarray=True)  # type: ignore[no-untyped-call]
            # a TIFF does not keep axes of length 1
            whole = lazy.reshape(shape)
            letters = self._result.axes.letters
            if "C" in self._stored.letters:
                letters = letters.replace("S", "C")
            found.append(whole.transpose([self._stored.letters.index(one) for one in letters]))
        return tuple(found)

    @abstractmethod
    def _write(
        self, store: UnitStore, provenance: Mapping[str, Any]
    ) -> Iterator[tuple[FinishingPhase, int, int]]:
        """Make the file of the levels, and give it its name when it is whole."""

    @abstractmethod
    def _pixels(self, level: int) -> tuple[Any, str]:
        """Return an array that reads a level of the file, and its axes."""


class TiffOutput(FileOutput):
    """Writes an OME-TIFF of the units when all are there: its tiles must come in order."""

    n_copies = 2

    def __init__(
        self,
        result: ResultShape,
        image: SourceImage,
        target: Domain,
        path: Path,
        identity: Identity,
    ) -> None:
        super().__init__(result, ome_tiff.stored_axes(result.axes), path, identity)
        self._plan = ome_tiff.OmeTiffPlan(self._described(image), target.channels)
        ome_tiff.check_storable(self._plan)

    def _write(
        self, store: UnitStore, provenance: Mapping[str, Any]
    ) -> Iterator[tuple[FinishingPhase, int, int]]:
        partial = self.work.file_path
        for done, total in ome_tiff.write_ome_tiff(partial, self._plan, store.levels):
            yield "writing", done, total
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        check_free(self.path)
        put_in_place(partial, self.path)

    def _pixels(self, level: int) -> tuple[Any, str]:
        pixels = TiffPixels(self.path, level)
        return pixels, pixels.axes


class ZarrOutput(FileOutput):
    """Writes an OME-Zarr: the units themselves, described and renamed."""

    def __init__(
        self,
        result: ResultShape,
        image: SourceImage,
        target: Domain,
        path: Path,
        identity: Identity,
    ) -> None:
        super().__init__(result, ome_zarr.stored_axes(result.axes), path, identity)
        self._plan = ome_zarr.OmeZarrPlan.of_translation(self._described(image), target)

    def _write(
        self, store: UnitStore, provenance: Mapping[str, Any]
    ) -> Iterator[tuple[FinishingPhase, int, int]]:
        ome_zarr.describe(self.work.store_path, self._plan, provenance)
        check_free(self.path)
        put_in_place(self.work.store_path, self.path)
        yield from ()

    def _pixels(self, level: int) -> tuple[Any, str]:
        return ZarrPixels(self.path, str(level)), self._stored.letters


def file_output(
    result: ResultShape, image: SourceImage, target: Domain, path: Path, identity: Identity
) -> FileOutput:
    """Return what writes a translation in the format that the ending names.

    Parameters
    ----------
    result
        Its shape. An image without levels of its own gets some where it is large.
    image
        What was translated: names the pixel size.
    target
        Names the channels.
    path
        Of the file.
    identity
        What its pixels depend on: plain JSON values by names as users read them.

    Raises
    ------
    OSError
        If nothing can be written there.
    ValueError
        If the format has no such axes or pixels.
    """
    check_free(path)
    kind = ZarrOutput if path.suffix.lower() == _ZARR_ENDING else TiffOutput
    return kind(result, image, target, path, identity)


def _stored_shapes(result: ResultShape, stored: Axes) -> tuple[tuple[int, ...], ...]:
    letters = result.axes.letters
    if "C" in stored.letters:
        letters = letters.replace("S", "C")
    length = dict(zip(letters, result.shapes[0], strict=True))
    sizes = [(shape[result.axes.y], shape[result.axes.x]) for shape in result.shapes]
    if len(sizes) == 1:
        sizes = list(halved_sizes(sizes[0]))
    return tuple(
        tuple((length | {"Y": height, "X": width})[letter] for letter in stored.letters)
        for height, width in sizes
    )
