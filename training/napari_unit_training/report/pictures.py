"""Pictures of a run as parts of a page."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from napari_unit_training.preview import GAP_PX
from napari_unit_training.report.record import name_of

N_COLUMNS = 8
"""Of a preview."""
MAX_TIMES = 8
_LARGE_PX = 2100
_LARGE_BYTES = 2_000_000
_STRIP_PX = 1100


@dataclass(frozen=True, slots=True)
class Embedded:
    """A picture in the page.

    Parameters
    ----------
    uri
        Its bytes, as the address of an ``<img>``.
    width, height
        In pixels, as shown.
    scale
        At most 1: how much smaller than the file.
    """

    uri: str
    width: int
    height: int
    scale: float


def open_picture(folder: Path, name: str) -> Image.Image | None:
    """Return a picture of this folder by its name; None if it is not there or damaged.

    Parameters
    ----------
    folder
        The only one that is looked into.
    name
        Of the file.
    """
    own = folder / name
    if name != name_of(Path(name)) or own.suffix != ".png":
        return None
    if own.is_symlink() or not own.is_file():
        return None
    try:
        with Image.open(own, formats=["PNG"]) as picture:
            return picture.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None


def embedded_large(picture: Image.Image) -> Embedded:
    """Embed a picture to be looked at closely: to the last pixel where it is not too large."""
    shown = _at_most(picture, _LARGE_PX)
    content, kind = _encoded(shown, "png"), "png"
    if len(content) > _LARGE_BYTES:
        content, kind = _encoded(shown, "jpeg"), "jpeg"
    return _embedded(content, kind, shown, picture)


def embedded_strip(picture: Image.Image) -> Embedded:
    """Embed one picture of many."""
    shown = _at_most(picture, _STRIP_PX)
    return _embedded(_encoded(shown, "jpeg"), "jpeg", shown, picture)


def rows_of(picture: Image.Image) -> list[Image.Image]:
    """Return the rows of a preview, one per crop; the picture itself where it is no preview."""
    side = (picture.width - GAP_PX * (N_COLUMNS - 1)) // N_COLUMNS
    if side < 1 or (picture.height + GAP_PX) % (side + GAP_PX):
        return [picture]
    tops = range(0, picture.height, side + GAP_PX)
    return [picture.crop((0, top, picture.width, top + side)) for top in tops]


def spread(count: int, most: int = MAX_TIMES) -> Sequence[int]:
    """Return at most so many indices: the first, the last, and evenly spaced ones in between."""
    if count <= most:
        return range(count)
    return [round(i * (count - 1) / (most - 1)) for i in range(most)]


def _at_most(picture: Image.Image, width: int) -> Image.Image:
    if max(picture.size) <= width:
        return picture
    smaller = picture.copy()
    smaller.thumbnail((width, width), Image.Resampling.LANCZOS)
    return smaller


def _encoded(picture: Image.Image, kind: str) -> bytes:
    r, g, b = picture.split()
    is_gray = r.tobytes() == g.tobytes() == b.tobytes()
    buffer = io.BytesIO()
    options = {"quality": 85, "subsampling": 0} if kind == "jpeg" else {"compress_level": 9}
    (r if is_gray else picture).save(buffer, format=kind, **options)
    return buffer.getvalue()


def _embedded(content: bytes, kind: str, shown: Image.Image, whole: Image.Image) -> Embedded:
    text = base64.b64encode(content).decode("ascii")
    return Embedded(f"data:image/{kind};base64,{text}", *shown.size, shown.width / whole.width)
