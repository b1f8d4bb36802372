"""TIFF of all kinds, opened without reading its pixels."""

import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import ParseError

from napari_unit.images.axes import Axes, axes_of_file
from napari_unit.images.decoding import DECODING_ERRORS, UnreadableError, first_line
from napari_unit.images.placement import PixelSize
from napari_unit.images.source_image import SourceImage
from napari_unit.images.tiff_pixels import TiffPixels
from napari_unit.images.units import checked_pixel_size, time_step_s

if TYPE_CHECKING:
    import tifffile

__all__ = ["TiffPixels", "open_tiff"]


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
            _check_chain(tif)
            if not tif.series:
                raise UnreadableError("the TIFF holds no image")
            _check_whole(tif.series[0])
            n_images = len(tif.series)
            series = tif.series[0]
            stored, shapes = series.axes, tuple(level.shape for level in series.levels)
            n_missing = sum(page is None for page in series.pages) if tif.is_ome else 0
            keyframe = series.keyframe
            has_alpha = "S" in stored and any(
                int(sample) in (1, 2) for sample in keyframe.extrasamples
            )
            size = _pixel_size(tif)
            ome = _first_ome_image(tif.ome_metadata) if tif.ome_metadata else {}
            step_s = time_step_s(ome.get("TimeIncrement"), ome.get("TimeIncrementUnit", "s"))
            if tif.imagej_metadata:
                step_s = time_step_s(tif.imagej_metadata.get("finterval"), "s")
        array, *smaller = (TiffPixels(path, level) for level in range(len(shapes)))
    except DECODING_ERRORS as error:
        raise UnreadableError(first_line(error)) from error
    found = axes_of_file(stored) if axes is None else Axes.parse(axes, len(stored))
    notes = []
    if n_images > 1:
        notes.append(f"{path.name} holds {n_images} images; the first one is taken.")
    if n_missing:
        notes.append(
            f"{n_missing} of the planes that {path.name} names are in no file that is there; they "
            "are taken as zeros."
        )
    return SourceImage(
        array=array,
        axes=found,
        name=path.name.removesuffix(path.suffix).removesuffix(".ome"),
        pixel_size=size,
        channel_names=_channel_names(ome, found.channels_in(shapes[0])),
        time_step_s=step_s,
        has_alpha=has_alpha and found.channel == stored.index("S"),
        level_shapes=shapes,
        smaller=tuple(smaller),
        path=path.absolute(),
        notes=tuple(notes),
    )


def _check_chain(tif: "tifffile.TiffFile") -> None:
    """Refuse pages that name one before them as the next, which tifffile would follow for ever."""
    layout, file = tif.tiff, tif.filehandle
    offset, seen = tif.pages.first.offset, set()
    while 0 < offset < file.size:
        if offset in seen:
            raise UnreadableError("its pages lead back to an earlier one")
        seen.add(offset)
        file.seek(offset)
        try:
            (n_tags,) = struct.unpack(layout.tagnoformat, file.read(layout.tagnosize))
            file.seek(offset + layout.tagnosize + n_tags * layout.tagsize)
            (offset,) = struct.unpack(layout.offsetformat, file.read(layout.offsetsize))
        except struct.error:  # tifffile stops here, too
            return


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
    pixels = _first_ome_image(xml)
    units = {axis: pixels.get(f"PhysicalSize{axis}Unit", "µm") for axis in "YXZ"}
    sides = [pixels.get(f"PhysicalSize{axis}", 0) for axis in "YXZ"]
    if units["X"] != units["Y"]:
        return None
    return checked_pixel_size(
        sides[0], sides[1], sides[2] if units["Z"] == units["Y"] else 0, units["Y"]
    )


def _first_ome_image(xml: str) -> dict[str, Any]:
    """Return what OME-XML says of the pixels of its first image; nothing if it is broken."""
    import tifffile

    try:
        found: Any = tifffile.xml2dict(xml)
    except (ParseError, ValueError):  # tifffile reads the pixels all the same
        return {}
    for name in ("OME", "Image", "Pixels"):
        found = found.get(name) if isinstance(found, dict) else None
        found = found[0] if isinstance(found, list) and found else found
    return found if isinstance(found, dict) else {}


def _channel_names(pixels: dict[str, Any], n_channels: int) -> tuple[str, ...]:
    """Return the names of the channels if the file gives one to each."""
    given = pixels.get("Channel", [])
    names = [
        str(channel["Name"])
        for channel in (given if isinstance(given, list) else [given])
        if isinstance(channel, dict) and "Name" in channel
    ]
    return tuple(names) if len(names) == n_channels else ()
