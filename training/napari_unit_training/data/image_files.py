"""Image files by their paths, the last few of them open. Needs no torch."""

from collections import OrderedDict
from pathlib import Path

import numpy as np

from napari_unit.images.files import open_path
from napari_unit.images.source_image import SourceImage
from napari_unit.images.storage import ArraySource

MAX_OPEN = 64
"""Files that are open at a time; systems allow a few hundred."""
MAX_DECODED_BYTES = 256 << 20
"""Pixels of formats that cannot be read in parts, of files that are open at a time."""


class ImageFiles:
    """Image files by their paths, the last few of them open.

    Parameters
    ----------
    axes
        A letter per axis of every image, or None where the files say it.
    """

    def __init__(self, axes: str | None) -> None:
        self._axes = axes
        self._open: OrderedDict[Path, SourceImage] = OrderedDict()

    def open(self, path: Path) -> SourceImage:
        """Return an image.

        Raises
        ------
        ValueError, OSError
            If it cannot be read as one.
        """
        if path not in self._open:
            self._open[path] = open_path(path, self._axes)
        self._open.move_to_end(path)
        while len(self._open) > 1 and (
            len(self._open) > MAX_OPEN
            or sum(map(_decoded_bytes, self._open.values())) > MAX_DECODED_BYTES
        ):
            self._open.popitem(last=False)
        return self._open[path]

    def close(self, path: Path) -> None:
        """Let an image go that is not read any more."""
        self._open.pop(path, None)

    def planes(self, path: Path) -> ArraySource:
        """Return the planes of an image; channels without opacity."""
        image = self.open(path)
        return ArraySource(image.array, image.axes, image.n_channels)


def _decoded_bytes(image: SourceImage) -> int:
    array = image.array
    is_decoded = isinstance(array, np.ndarray) and not isinstance(array, np.memmap)
    return array.nbytes if is_decoded else 0
