"""What the engine's benchmark translates: an image, the same in [-1, 1], and the networks."""

import json
from collections.abc import Callable, Generator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from tiled_vs_whole import CHANNELS_FIRST, random_network
from torch import Tensor, nn

from napari_unit.engine.intensities import measure_intensities
from napari_unit.geometry.regions import Region
from napari_unit.geometry.tiling import Span
from napari_unit.images.files import open_path
from napari_unit.images.storage import ArraySource
from napari_unit.models.file import load_model
from napari_unit.models.model import TranslationModel

_Found = TypeVar("_Found")


class LeftOut(Exception):
    """Why a method cannot be measured here; one sentence for the table."""


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A method that has loaded what it needs.

    Parameters
    ----------
    run
        Translates and returns pixels (C, Y, X) in float32; this is what is timed.
    borders
        First rows and first columns of its tiles.
    unit
        Brings what `run` returned into [-1, 1].
    facts
        What else there is to say; `run` may add to it.
    """

    run: Callable[[], NDArray[np.float32]]
    borders: tuple[list[int], list[int]]
    unit: Callable[[NDArray[np.float32]], NDArray[np.float32]] = lambda pixels: pixels
    facts: dict[str, Any] = field(default_factory=dict)


class PlainNetwork(nn.Module):
    """The networks as they are written, from an image (B, C, H, W) in [-1, 1] to its translation.

    Parameters
    ----------
    model, source, target
        The model, and the names of its domains.
    """

    def __init__(self, model: TranslationModel, source: str, target: str) -> None:
        super().__init__()
        self.model = model
        self.names = (source, target)

    def forward(self, image: Tensor) -> Tensor:
        """Translate; each image of the batch is normalised by itself."""
        return self.model.translate(image, *self.names)


@dataclass(frozen=True, slots=True)
class Case:
    """An image and networks for it, in a folder that every method reads them from.

    Parameters
    ----------
    name
        Of the image.
    shape
        (C, Y, X).
    dtype
        Of the pixels.
    model
        File; None for random weights.
    width, seed
        Of the random weights; the width is that of the file, too.
    source, target
        Names of the domains.
    """

    name: str
    shape: tuple[int, int, int]
    dtype: str
    model: str | None
    width: int
    seed: int
    source: str
    target: str

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.shape[1], self.shape[2]

    @property
    def n_px(self) -> int:
        """Pixels of the image."""
        return self.shape[1] * self.shape[2]

    def networks(self) -> TranslationModel:
        """Return the model, ready to translate."""
        if self.model is None:
            return random_network(self.shape[0], self.width, self.seed).eval()
        return load_model(self.model).model.eval()

    def plain(self) -> PlainNetwork:
        """Return the networks of the direction."""
        return PlainNetwork(self.networks(), self.source, self.target).eval()


def choose_direction(
    image: NDArray[Any], model: Path | None, to: str | None, width: int
) -> tuple[int, str, str]:
    """Return width, source and target of a model for this image; of random weights without one."""
    if model is None:
        return width, "a", "b"
    found = load_model(model).model
    target = to or found.domains[1].name
    source = found.domains[1 - found.index_of(target)]
    if source.n_channels != len(image):
        raise SystemExit(
            f"The image has {len(image)} channels and {source.name!r} {source.n_channels}; "
            "give an image that fits the model, or no model."
        )
    return found.architecture.width, source.name, target


def write_case(folder: Path, case: Case, image: NDArray[Any]) -> None:
    """Write the image as it is, and in [-1, 1] by the window that the engine measures."""
    model = case.networks()
    planes = ArraySource(image, CHANNELS_FIRST, len(image))
    source = model.domains[model.index_of(case.source)]
    window = outcome(measure_intensities(planes, source)).window
    np.save(folder / "image.npy", image)
    np.save(folder / "unit.npy", window.to_unit(image))
    (folder / "case.json").write_text(json.dumps(asdict(case)))


def read_case(folder: Path) -> Case:
    """Read what `write_case` has written, without the pixels."""
    found = json.loads((folder / "case.json").read_text())
    return Case(**(found | {"shape": tuple(found["shape"])}))


def read_unit(folder: Path) -> Tensor:
    """Return the image (1, C, Y, X) in [-1, 1]."""
    return torch.from_numpy(np.load(folder / "unit.npy"))[None]


def read_crop(path: Path, at: tuple[int, int], side: int) -> NDArray[Any]:
    """Read a square (C, Y, X) of an image's first plane, cropped where the image ends."""
    opened = open_path(path)
    planes = ArraySource(opened.array, opened.axes, opened.n_channels)
    rows, columns = (
        Span(start, min(start + side, length))
        for start, length in zip(at, (planes.height, planes.width), strict=True)
    )
    return planes.read(0, Region(rows, columns))


def outcome(job: Generator[Any, None, _Found]) -> _Found:
    """Carry out a job and return what it found."""
    while True:
        try:
            next(job)
        except StopIteration as end:
            found: _Found = end.value
            return found
