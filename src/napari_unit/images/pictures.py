"""One picture that shows a translation beside its source: overviews, and insets at full size."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_unit.images.levels import shrink

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

_PAPER = (255, 255, 255)
_INK = (24, 28, 36)
_FAINT = (110, 118, 130)
_COLORS = ((255, 176, 0), (0, 178, 226), (230, 60, 150))
"""Of the insets' frames: told apart on gray and by people with any colour vision."""
_MARGIN_PX = 48
_GAP_PX = 18
_PANEL_PX = 936
_ZOOM = 2
_N_INSETS = 3
_INSET_PX = (_PANEL_PX - (_N_INSETS - 1) * _GAP_PX) // _N_INSETS
_BADGE_PX = 22
_ROUND_LENGTHS_UM = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)


@dataclass(frozen=True, slots=True)
class SideBySide:
    """What the picture shows.

    Parameters
    ----------
    source, translated
        Gray images (Y, X) of one shape.
    labels
        Instances (Y, X) in both.
    source_title, translated_title
        Above the columns.
    caption
        Lines below.
    pixel_size_um
        For the scale bars.
    """

    source: NDArray[Any]
    translated: NDArray[Any]
    labels: NDArray[Any]
    source_title: str
    translated_title: str
    caption: Sequence[str]
    pixel_size_um: float


def draw(content: SideBySide) -> "Image":
    """Return the picture: two columns, each an overview over insets of the same places.

    The last inset shows the outlines of the labels.
    """
    from PIL import Image, ImageDraw

    places = inset_places(content.labels, _INSET_PX // _ZOOM, _N_INSETS)
    overview_height = round(_PANEL_PX * content.source.shape[0] / content.source.shape[1])
    top = _MARGIN_PX + 44
    below = top + overview_height + _GAP_PX
    height = below + _INSET_PX + 30 + 26 * len(content.caption) + _MARGIN_PX
    page = Image.new("RGB", (2 * _PANEL_PX + 2 * _GAP_PX + 2 * _MARGIN_PX, height), _PAPER)
    pen = ImageDraw.Draw(page)
    columns = (
        (content.source_title, content.source),
        (content.translated_title, content.translated),
    )
    for number, (title, image) in enumerate(columns):
        left = _MARGIN_PX + number * (_PANEL_PX + 2 * _GAP_PX)
        _text(pen, (left, _MARGIN_PX - 6), title, 28, _INK)
        gray = _Gray(image)
        page.paste(gray.overview((overview_height, _PANEL_PX)), (left, top))
        scale = _PANEL_PX / image.shape[1]
        _scale_bar(pen, (left, top, _PANEL_PX, overview_height), content.pixel_size_um / scale)
        for index, place in enumerate(places):
            _frame(pen, (left, top), place, scale, index)
            x = left + index * (_INSET_PX + _GAP_PX)
            outlined = content.labels if index == _N_INSETS - 1 else None
            page.paste(gray.inset(place, outlined, _COLORS[index]), (x, below))
            _inset_border(pen, (x, below), index)
            if index == 0:
                box = (x, below, _INSET_PX, _INSET_PX)
                _scale_bar(pen, box, content.pixel_size_um / _ZOOM)
    for line, caption in enumerate(content.caption):
        y = below + _INSET_PX + 24 + 26 * line
        _text(pen, (_MARGIN_PX, y), caption, 18, _FAINT)
    return page


def inset_places(
    labels: NDArray[Any], side_px: int, n_places: int
) -> tuple[tuple[slice, slice], ...]:
    """Return windows that are worth a look: full of objects, and far from each other.

    Parameters
    ----------
    labels
        Instances (Y, X).
    side_px
        Of a window; shorter where the image is.
    n_places
        How many.
    """
    height, width = (min(side_px, length) for length in labels.shape)
    grid: list[tuple[int, int, int]] = []
    for y in range(0, labels.shape[0] - height + 1, max(1, height // 2)):
        for x in range(0, labels.shape[1] - width + 1, max(1, width // 2)):
            n_objects = len(np.unique(labels[y : y + height, x : x + width]))
            grid.append((n_objects, y, x))
    grid.sort(key=lambda window: (-window[0], window[1:]))
    chosen: list[tuple[int, int, int]] = []
    reach = max(labels.shape) / 3
    while len(chosen) < n_places:
        free = [
            window
            for window in grid
            if all(np.hypot(window[1] - y, window[2] - x) >= reach for _, y, x in chosen)
        ]
        if free:
            chosen.append(free[0])
        elif reach < 1:
            chosen.append(grid[0])  # a small image: the same place again
        else:
            reach /= 2
    return tuple((slice(y, y + height), slice(x, x + width)) for _, y, x in chosen)


class _Gray:
    """An image with the black and the white at which it is shown, alike in all panels."""

    def __init__(self, image: NDArray[Any]) -> None:
        self._image = image
        sample = image[:: max(1, image.shape[0] // 1024), :: max(1, image.shape[1] // 1024)]
        low, high = np.percentile(sample, (0.5, 99.7))
        self._low, self._span = float(low), max(float(high - low), 1e-6)

    def overview(self, shape: tuple[int, int]) -> "Image":
        from PIL import Image

        if any(n > m for n, m in zip(shape, self._image.shape, strict=True)):
            return self._shown(self._image).resize(shape[::-1], Image.Resampling.BICUBIC)
        small = np.empty(shape, np.float32)
        for _ in shrink(self._image.astype(np.float32), small, 0):
            pass
        return self._shown(small)

    def inset(
        self,
        place: tuple[slice, slice],
        labels: NDArray[Any] | None,
        color: tuple[int, int, int],
    ) -> "Image":
        from PIL import Image

        shown = self._shown(self._image[place])
        shown = shown.resize((_INSET_PX, _INSET_PX), Image.Resampling.BICUBIC)
        if labels is not None:
            outlines = _outlines(labels[place], _INSET_PX)
            shown.paste(color, mask=Image.fromarray(outlines))
        return shown

    def _shown(self, pixels: NDArray[Any]) -> "Image":
        from PIL import Image

        unit = (pixels.astype(np.float32) - self._low) / self._span
        gray = np.rint(255 * np.clip(unit, 0, 1) ** 0.8).astype(np.uint8)
        return Image.fromarray(gray).convert("RGB")


def _outlines(labels: NDArray[Any], side_px: int) -> NDArray[np.uint8]:
    """Return 255 on the outer pixels of each instance, drawn at the inset's resolution."""
    rows = np.arange(side_px) * labels.shape[0] // side_px
    columns = np.arange(side_px) * labels.shape[1] // side_px
    large = labels[np.ix_(rows, columns)]
    edge = np.zeros(large.shape, bool)
    for axis in (0, 1):
        for step in (-1, 1):
            edge |= large != np.roll(large, step, axis)
            edge |= large != np.roll(large, 2 * step, axis)
    edge[[0, 1, -2, -1]] = edge[:, [0, 1, -2, -1]] = False  # what rolled in from the other end
    return np.where(edge & (large > 0), 255, 0).astype(np.uint8)


def _text(
    pen: "ImageDraw",
    at: tuple[float, float],
    text: str,
    size_px: int,
    color: tuple[int, int, int],
    anchor: str = "la",
) -> None:
    from PIL import ImageFont

    pen.text(at, text, fill=color, font=ImageFont.load_default(size_px), anchor=anchor)


def _frame(
    pen: "ImageDraw",
    origin: tuple[int, int],
    place: tuple[slice, slice],
    scale: float,
    index: int,
) -> None:
    rows, columns = place
    left, top = origin[0] + columns.start * scale, origin[1] + rows.start * scale
    right, bottom = origin[0] + columns.stop * scale, origin[1] + rows.stop * scale
    pen.rectangle((left, top, right, bottom), outline=_COLORS[index], width=2)
    # at the upper left corner of the frame, where the picture has room for it
    _badge(pen, (max(origin[0], left - _BADGE_PX), max(origin[1], top - _BADGE_PX)), index)


def _inset_border(pen: "ImageDraw", at: tuple[int, int], index: int) -> None:
    x, y = at
    box = (x, y, x + _INSET_PX - 1, y + _INSET_PX - 1)
    pen.rectangle(box, outline=_COLORS[index], width=3)
    _badge(pen, at, index)


def _badge(pen: "ImageDraw", at: tuple[float, float], index: int) -> None:
    x, y = at
    pen.rectangle((x, y, x + _BADGE_PX, y + _BADGE_PX), fill=_COLORS[index])
    _text(pen, (x + _BADGE_PX / 2, y + _BADGE_PX / 2), str(index + 1), 18, (0, 0, 0), "mm")


def _scale_bar(pen: "ImageDraw", box: tuple[int, int, int, int], um_per_px: float) -> None:
    """Draw a bar of a round length, at most a quarter of the box wide, at its lower right."""
    left, top, width, height = box
    fitting = [n for n in _ROUND_LENGTHS_UM if n / um_per_px <= width / 4]
    length_um = fitting[-1] if fitting else _ROUND_LENGTHS_UM[0]
    length_px = length_um / um_per_px
    right, bottom = left + width - 16, top + height - 16
    # a dark plate keeps bar and text readable over bright nuclei
    plate = (right - max(length_px, 64) - 8, bottom - 34, right + 8, bottom + 8)
    pen.rectangle(plate, fill=(0, 0, 0))
    pen.rectangle((right - length_px, bottom - 4, right, bottom), fill=_PAPER)
    middle = (plate[0] + plate[2]) / 2, bottom - 12
    if length_um < 1000:
        _micrometres(pen, middle, str(length_um))
    else:
        _text(pen, middle, f"{length_um // 1000} mm", 18, _PAPER, "ms")


def _micrometres(pen: "ImageDraw", middle: tuple[float, float], number: str) -> None:
    """Write a length on a baseline; Pillow's own font has no µ, so a u gets its tail here."""
    from PIL import ImageFont

    size_px = 18
    font = ImageFont.load_default(size_px)
    x, y = middle[0] - font.getlength(f"{number} um") / 2, middle[1]
    pen.text((x, y), f"{number} um", fill=_PAPER, font=font, anchor="ls")
    stem = round(x + font.getlength(f"{number} ")) + round(0.06 * size_px)
    pen.rectangle((stem, y - 0.4 * size_px, stem + 1, y + 0.22 * size_px), fill=_PAPER)
