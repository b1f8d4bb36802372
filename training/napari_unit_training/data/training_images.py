"""Training images: held on the training device, or read where a crop is taken."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from napari_unit.domains import Window
from napari_unit.geometry.regions import Region
from napari_unit.geometry.tiling import Span
from napari_unit_training.data.image_files import ImageFiles


@dataclass(frozen=True, slots=True, eq=False)
class TrainingImage:
    """The planes of one file, each an image to take crops from.

    Parameters
    ----------
    path
        Of the file.
    n_planes, n_channels, height, width
        Of the image.
    window
        Pixel values that map to -1 and 1.
    files
        That the image is read from.
    held
        The mapped planes (P, C, Y, X) on the training device; None: crops are read.
    top, left
        Where this is a part of the file's image: its first row and column there.
    """

    path: Path
    n_planes: int
    n_channels: int
    height: int
    width: int
    window: Window
    files: ImageFiles
    held: Tensor | None = None
    top: int = 0
    left: int = 0

    def part(self, region: Region) -> "TrainingImage":
        """Return a region as an image of its own."""
        y, x = region.rows, region.columns
        held = None if self.held is None else self.held[..., y.start : y.stop, x.start : x.stop]
        return replace(
            self,
            height=y.length,
            width=x.length,
            held=held,
            top=self.top + y.start,
            left=self.left + x.start,
        )

    def crop(self, plane: int, top: int, left: int, side: int) -> Tensor:
        """Return pixels (C, side, side) in [-1, 1], float32; the same bits held or read."""
        if self.held is not None:
            return self.held[plane, :, top : top + side, left : left + side]
        top, left = self.top + top, self.left + left
        region = Region(Span(top, top + side), Span(left, left + side))
        pixels = self.files.planes(self.path).read(plane, region)
        return torch.from_numpy(self.window.to_unit(pixels))

    @property
    def held_bytes(self) -> int:
        """What it takes to hold the image."""
        return 4 * self.n_planes * self.n_channels * self.height * self.width

    def read_all(self) -> Tensor:
        """Return all mapped planes (P, C, Y, X)."""
        planes = self.files.planes(self.path)
        y, x = self.top, self.left
        region = Region(Span(y, y + self.height), Span(x, x + self.width))
        mapped = [self.window.to_unit(planes.read(i, region)) for i in range(self.n_planes)]
        return torch.from_numpy(np.stack(mapped))
