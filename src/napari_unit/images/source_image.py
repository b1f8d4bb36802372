"""An image to translate or to learn from, wherever it comes from."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_unit.domains import channels_in_words
from napari_unit.images.axes import Axes
from napari_unit.images.placement import PixelSize, Placement


@dataclass(frozen=True, slots=True, eq=False)
class SourceImage:
    """An image as plain values: what is needed of a layer or a file, whichever thread works on it.

    Parameters
    ----------
    array
        Level 0: a numpy, dask or zarr array, or anything else that has a shape and a dtype and
        gives numpy arrays when sliced.
    axes
        Of the array; the last one is S for colour.
    name
        Of the layer, or of the file.
    placement
        Where the layer stands; None for a bare array, which stands nowhere.
    pixel_size
        None where it is not known.
    origin
        Where the first pixel stands along each axis of the array, in the unit of `pixel_size`
        (0 along axes without a size); None where it is not known.
    channel_names
        Of all channels, as the file names them; empty where it does not.
    time_step_s
        Seconds between two images along T; None where it is not known.
    channels
        Numbers of the channels to translate, in the order in which a model wants them; None is
        all of them as they are.
    has_alpha
        The last channel is opacity, and is not translated.
    level_shapes
        Of all levels of a multiscale layer, level 0 first; one for other images.
    smaller
        Arrays of the levels after level 0, where there are such.
    path
        Of the file that it was read from, where that is known.
    notes
        What a user should know of how it was read: sentences for the provenance.
    """

    array: Any
    axes: Axes
    name: str
    placement: Placement | None = None
    pixel_size: PixelSize | None = None
    origin: tuple[float, ...] | None = None
    channel_names: tuple[str, ...] = ()
    time_step_s: float | None = None
    channels: tuple[int, ...] | None = None
    has_alpha: bool = False
    level_shapes: tuple[tuple[int, ...], ...] = ()
    smaller: tuple[Any, ...] = ()
    path: Path | None = None
    notes: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of level 0."""
        return tuple(int(length) for length in self.array.shape)

    @property
    def n_channels(self) -> int:
        """Channels to translate: without opacity; 1 where there is no channel axis."""
        return len(self.channels_read)

    @property
    def channels_read(self) -> tuple[int, ...]:
        """Numbers of the channels to translate, in order."""
        if self.channels is not None:
            return self.channels
        return tuple(range(self.axes.channels_in(self.shape) - self.has_alpha))

    def with_channels(self, channels: Sequence[int]) -> "SourceImage":
        """Return the image with some of its channels chosen, in this order.

        Raises
        ------
        ValueError
            If the image has no such channels.
        """
        there = self.axes.channels_in(self.shape)
        if not channels or not all(0 <= number < there for number in channels):
            raise ValueError(
                f"The channels chosen are {list(channels)}, and {self.name!r} has "
                f"{channels_in_words(there)}; choose from 0 to {there - 1}."
            )
        return replace(self, channels=tuple(channels))

    @property
    def is_multiscale(self) -> bool:
        """Tell whether there are smaller levels besides level 0."""
        return len(self.level_shapes) > 1

    @property
    def bytes_held(self) -> int:
        """Memory that the image takes at most between reads: all of it if it was decoded."""
        if isinstance(self.array, np.ndarray):
            return 0 if isinstance(self.array, np.memmap) else self.array.nbytes
        return int(getattr(self.array, "bytes_held", 0))
