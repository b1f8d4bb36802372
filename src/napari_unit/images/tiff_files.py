"""TIFF of all kinds, opened without reading its pixels."""

import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import ParseError

import numpy as np
from numpy.typing import NDArray

from napari_unit.images.axes import Axes, axes_of_file
from napari_unit.images.decoding import DECODING_ERRORS, UnreadableError, first_line
from napari_unit.images.placement import PixelSize
from napari_unit.images.source_image import SourceImage
from napari_unit.images.units import checked_pixel_size

if TYPE_CHECKING:
    import tifffile

_COARSE_CHUNK_PX = 2**24
"""From this size on, a chunk that covers a whole plane is kept instead of decoded per tile."""


class TiffPixels:
    """One level of a TIFF series as an array that reads what is sliced.

    Parameters
    ----------
    path
        Of the file; it stays open until the array is let go.
    level
        0 is the full resolution.
    """

    def __init__(self, path: Path, level: int = 0) -> None:
        import tifffile
        import zarr

        self._made_of = (path, level)
        self._plane: tuple[Any, NDArray[Any]] | None = None
        with tifffile.TiffFile(path) as tif:
            series = tif.series[0].levels[level]
            stored_plainly = series.dataoffset is not None and not tif.is_mmstack
            self.axes = series.axes
        if stored_plainly and level == 0:
            # one uncompressed block may be a single strip, which zarr would read whole per tile
            self._pixels: Any = tifffile.memmap(path, mode="r", series=0)
            self._is_coarse = False
        else:
            store = tifffile.imread(path, aszarr=True, series=0, level=level)
            weakref.finalize(self, store.close)
            self._pixels = zarr.open_array(store, mode="r")
            y, x = self.axes.index("Y"), self.axes.index("X")
            chunk = self._pixels.chunks
            whole = chunk[y] >= self._pixels.shape[y] and chunk[x] >= self._pixels.shape[x]
            self._is_coarse = whole and chunk[y] * chunk[x] >= _COARSE_CHUNK_PX
        self.shape = tuple(int(length) for length in self._pixels.shape)
        self.dtype = np.dtype(self._pixels.dtype)
        self.ndim = len(self.shape)

    def __getitem__(self, index: Any) -> NDArray[Any]:
        try:
            if self._is_coarse:
                return self._of_kept_plane(index)
            return np.asarray(self._pixels[index])
        except DECODING_ERRORS as error:
            path, _ = self._made_of
            raise OSError(f"{path} is damaged: {first_line(error)}.") from error

    def __reduce__(self) -> tuple[Any, ...]:
        return TiffPixels, self._made_of

    def _of_kept_plane(self, index: Any) -> NDArray[Any]:
        """Slice the plane that was read last, so that neighbouring tiles decode it once."""
        given = index if isinstance(index, tuple) else (index,)
        given = (*given, *(slice(None),) * (self.ndim - len(given)))
        spatial = (self.axes.index("Y"), self.axes.index("X"))
        of_plane = tuple(slice(None) if i in spatial else part for i, part in enumerate(given))
        key = repr(of_plane)
        if self._plane is None or self._plane[0] != key:
            self._plane = (key, np.asarray(self._pixels[of_plane]))
        # an integer took its axis away already
        rest = tuple(
            part if i in spatial else slice(None)
            for i, part in enumerate(given)
            if not isinstance(of_plane[i], int | np.integer)
        )
        return self._plane[1][rest]


def open_tiff(path: Path, axes: str | None) -> SourceImage:
    """Open a TIFF, its first image, tile by tile.

    Raises
    ------
    UnreadableError
        If it is damaged or holds no image.
    """
    import tifffile

    try:
        with tifffile.TiffFile(path) as tif:
            if not tif.series:
                raise UnreadableError("the TIFF holds no image")
            _check_whole(tif.series[0])
            n_images = len(tif.series)
            series = tif.series[0]
            stored, shapes = series.axes, tuple(level.shape for level in series.levels)
            keyframe = series.keyframe
            has_alpha = "S" in stored and any(
                int(sample) in (1, 2) for sample in keyframe.extrasamples
            )
            size = _pixel_size(tif)
        array = TiffPixels(path)
    except DECODING_ERRORS as error:
        raise UnreadableError(first_line(error)) from error
    found = axes_of_file(stored) if axes is None else Axes.parse(axes, len(stored))
    note = f"{path.name} holds {n_images} images; the first one is taken."
    return SourceImage(
        array=array,
        axes=found,
        name=path.name.removesuffix(path.suffix).removesuffix(".ome"),
        pixel_size=size,
        has_alpha=has_alpha and found.channel == stored.index("S"),
        level_shapes=shapes,
        path=path.absolute(),
        notes=(note,) if n_images > 1 else (),
    )


def _check_whole(series: "tifffile.TiffPageSeries") -> None:
    """Refuse a file that ends before its pixels do."""
    for page in (series.pages[0], series.pages[-1]):
        if page is None or page.parent.filehandle.closed:
            continue  # an empty plane, or one in a file beside this one
        ends = (o + n for o, n in zip(page.dataoffsets, page.databytecounts, strict=True))
        if max(ends, default=0) > page.parent.filehandle.size:
            raise UnreadableError("the file is shorter than its pixels; copy it again")


def _pixel_size(tif: "tifffile.TiffFile") -> PixelSize | None:
    """Return the physical pixel size that a TIFF states, whichever dialect it speaks."""
    if tif.ome_metadata:
        return _ome_pixel_size(tif.ome_metadata)
    if tif.is_stk and tif.stk_metadata:
        found = tif.stk_metadata
        sides = found.get("YCalibration", 0), found.get("XCalibration", 0)
        return checked_pixel_size(
            *sides, found.get("ZDistance", [0])[0], found.get("CalibrationUnits")
        )
    tags = tif.pages.first.tags
    resolution = [tags[name].value if name in tags else (0, 1) for name in _RESOLUTION_TAGS]
    y, x = (bottom / top if top else 0.0 for top, bottom in resolution)
    if tif.imagej_metadata:
        found = tif.imagej_metadata
        return checked_pixel_size(y, x, found.get("spacing", 0), found.get("unit"))
    # inches are left out: programs write 72 or 96 of them per inch without knowing anything
    in_cm = "ResolutionUnit" in tags and tags["ResolutionUnit"].value == 3
    return checked_pixel_size(1e4 * y, 1e4 * x, 0, "µm") if in_cm else None


_RESOLUTION_TAGS = ("YResolution", "XResolution")


def _ome_pixel_size(xml: str) -> PixelSize | None:
    import tifffile

    try:
        images = tifffile.xml2dict(xml).get("OME", {}).get("Image", {})
    except ParseError:  # tifffile reads the pixels all the same
        return None
    image = images[0] if isinstance(images, list) else images
    pixels: dict[str, Any] = image.get("Pixels", {})
    units = {axis: pixels.get(f"PhysicalSize{axis}Unit", "µm") for axis in "YXZ"}
    sides = [pixels.get(f"PhysicalSize{axis}", 0) for axis in "YXZ"]
    if units["X"] != units["Y"]:
        return None
    return checked_pixel_size(
        sides[0], sides[1], sides[2] if units["Z"] == units["Y"] else 0, units["Y"]
    )
