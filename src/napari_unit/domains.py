"""A domain: what its channels are and how its pixel values map to [-1, 1] and back."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

ScalingKind = Literal["percentiles", "range"]


@dataclass(frozen=True, slots=True)
class Window:
    """Pixel values per channel that stand for -1 and 1.

    Parameters
    ----------
    low, high
        One value per channel, ``low < high``, in pixel values of the image.

    Raises
    ------
    ValueError
        If a channel's window is empty or not finite.
    """

    low: tuple[float, ...]
    high: tuple[float, ...]

    def __post_init__(self) -> None:
        """Refuse a window that maps nothing."""
        if len(self.low) != len(self.high) or not self.low:
            raise ValueError(
                f"A window needs one low and one high value per channel; "
                f"it got {len(self.low)} and {len(self.high)}."
            )
        for index, (low, high) in enumerate(zip(self.low, self.high, strict=True)):
            if not (math.isfinite(low) and math.isfinite(high) and low < high):
                raise ValueError(
                    f"The intensity window of channel {index} is {low:g} to {high:g}; "
                    "the low value must be finite and below the high one."
                )

    def to_unit(self, pixels: NDArray[Any]) -> NDArray[np.float32]:
        """Map pixel values to [-1, 1], clipping what lies outside the window.

        Parameters
        ----------
        pixels
            Shape (C, Y, X), any real dtype.

        Returns
        -------
        Shape (C, Y, X), float32.
        """
        if pixels.dtype.kind == "u" and pixels.dtype.itemsize <= 2:
            unit = np.empty(pixels.shape, np.float32)
            tables = _unit_tables(self, pixels.dtype)
            for table, channel, out in zip(tables, pixels, unit, strict=True):
                # of colours that lie side by side, numpy looks up a plain copy faster
                np.take(table, np.ascontiguousarray(channel), out=out, mode="clip")
            return unit
        return self._mapped_to_unit(pixels)

    def _mapped_to_unit(self, pixels: NDArray[Any]) -> NDArray[np.float32]:
        unit = np.empty(pixels.shape, np.float32)
        low, span = self._low_and_span()
        for rows in _bands(pixels.shape):
            # float64 in between: uint32 and float64 pixels would lose their low bits in float32
            values = pixels[:, rows].astype(np.float64)
            values -= low
            values *= 2.0 / span
            values -= 1.0
            unit[:, rows] = np.clip(values, -1.0, 1.0, out=values)
        return unit

    def outside(self, pixels: NDArray[Any]) -> int:
        """Count the pixel values that `to_unit` clips."""
        low = np.asarray(self.low).reshape(-1, 1, 1)
        high = np.asarray(self.high).reshape(-1, 1, 1)
        return int(np.count_nonzero((pixels < low) | (pixels > high)))

    def from_unit(self, unit: NDArray[np.float32], dtype: np.dtype[Any]) -> NDArray[Any]:
        """Map [-1, 1] back to pixel values; integers are rounded and clipped to their range.

        Parameters
        ----------
        unit
            Shape (C, Y, X), values in [-1, 1].
        dtype
            Of the result.

        Returns
        -------
        Shape (C, Y, X).
        """
        pixels = np.empty(unit.shape, dtype)
        for rows in _bands(unit.shape):
            values = self._pixel_values(unit[:, rows])
            if dtype.kind in "iu":
                bounds = np.iinfo(dtype)
                np.clip(np.rint(values, out=values), bounds.min, bounds.max, out=values)
            pixels[:, rows] = values
        return pixels

    def saturated(self, unit: NDArray[np.float32], dtype: np.dtype[Any]) -> int:
        """Count the values that `from_unit` must clip to the range of an integer dtype."""
        if dtype.kind not in "iu":
            return 0
        bounds = np.iinfo(dtype)
        if bounds.min <= round(min(self.low)) and round(max(self.high)) <= bounds.max:
            return 0
        n = 0
        for rows in _bands(unit.shape):
            values = np.rint(self._pixel_values(unit[:, rows]))
            n += int(np.count_nonzero((values < bounds.min) | (values > bounds.max)))
        return n

    def _pixel_values(self, unit: NDArray[np.float32]) -> NDArray[np.float64]:
        low, span = self._low_and_span()
        values = unit.astype(np.float64)
        values += 1.0
        values *= span / 2.0
        values += low
        return values

    def _low_and_span(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        low = np.asarray(self.low, np.float64).reshape(-1, 1, 1)
        high = np.asarray(self.high, np.float64).reshape(-1, 1, 1)
        return low, high - low


_BAND_VALUES = 1 << 15
"""Values that are mapped at once, so that they stay in a CPU's cache."""


def _bands(shape: tuple[int, ...]) -> Iterator[slice]:
    """Yield rows of pixels (C, Y, X) in bands of a few values."""
    step = max(1, _BAND_VALUES // max(1, shape[0] * shape[2]))
    for first in range(0, shape[1], step):
        yield slice(first, first + step)


@lru_cache(maxsize=8)
def _unit_tables(window: Window, dtype: np.dtype[Any]) -> NDArray[np.float32]:
    """Return what each pixel value of an unsigned type of at most 16 bits maps to, per channel."""
    values = np.arange(np.iinfo(dtype).max + 1, dtype=np.float64)
    shape = (len(window.low), 1, len(values))
    return window._mapped_to_unit(np.broadcast_to(values, shape))[:, 0]


@dataclass(frozen=True, slots=True)
class IntensityScaling:
    """How a domain's pixel values map to [-1, 1], and back.

    Parameters
    ----------
    kind
        ``"range"``: `low` and `high` are pixel values, the same for every image.
        ``"percentiles"``: they are percentiles (0 to 100) of each image, per channel.
    low, high
        What maps to -1 and to 1.
    typical_low, typical_high
        Pixel values per channel that -1 and 1 mean when an image of this domain is made and
        there is none to take percentiles of: the trainer stores the medians over its images.
        Left out with ``"range"``, where they are `low` and `high`.

    Raises
    ------
    ValueError
        If the kind is unknown, or the bounds are not increasing or not in range.
    """

    kind: ScalingKind
    low: float
    high: float
    typical_low: tuple[float, ...] = ()
    typical_high: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a scaling that maps nothing."""
        if self.kind not in ("percentiles", "range"):
            raise ValueError(
                f"The intensity scaling is {self.kind!r}; it must be 'percentiles' or 'range'."
            )
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise ValueError(
                f"The intensity scaling goes from {self.low} to {self.high}; "
                "the low value must be finite and below the high one."
            )
        if self.kind == "percentiles":
            if not 0 <= self.low < self.high <= 100:
                raise ValueError(
                    f"The percentiles are {self.low:g} and {self.high:g}; "
                    "they must lie between 0 and 100."
                )
            Window(self.typical_low, self.typical_high)
        elif self.typical_low or self.typical_high:
            raise ValueError("A fixed range has no typical values; leave them out.")


@dataclass(frozen=True, slots=True)
class Domain:
    """One of the two kinds of image that a model translates between.

    Parameters
    ----------
    name
        As users name it when they translate, e.g. ``"synthetic"``; not empty, no blanks around.
    channels
        A name per channel, in order.
    scaling
        How pixel values map to [-1, 1].

    Raises
    ------
    ValueError
        If the name is empty, there is no channel, or the scaling has another channel count.
    """

    name: str
    channels: tuple[str, ...]
    scaling: IntensityScaling

    def __post_init__(self) -> None:
        """Refuse a domain that cannot be named or has no pixels."""
        if not self.name or self.name != self.name.strip():
            raise ValueError(f"The domain's name is {self.name!r}; it must be a word or words.")
        if not self.channels or not all(self.channels):
            raise ValueError(f"Domain {self.name!r} needs a name for each of its channels.")
        typical = len(self.scaling.typical_low)
        if self.scaling.kind == "percentiles" and typical != len(self.channels):
            raise ValueError(
                f"Domain {self.name!r} has {len(self.channels)} channels, but its scaling has "
                f"typical values for {typical}."
            )

    @property
    def n_channels(self) -> int:
        """Number of channels."""
        return len(self.channels)

    @property
    def typical_window(self) -> Window:
        """The window by which images made for this domain get their pixel values."""
        if self.scaling.kind == "range":
            n = self.n_channels
            return Window((self.scaling.low,) * n, (self.scaling.high,) * n)
        return Window(self.scaling.typical_low, self.scaling.typical_high)

    def window_from(self, percentiles: Sequence[tuple[float, float]]) -> Window:
        """Return the window of one image of this domain.

        Parameters
        ----------
        percentiles
            Per channel the pixel values at the scaling's two percentiles; not read for a range.

        Returns
        -------
        The window by which the image's pixel values map to [-1, 1].
        """
        if self.scaling.kind == "range":
            return self.typical_window
        return Window(
            tuple(float(low) for low, _ in percentiles),
            tuple(float(high) for _, high in percentiles),
        )


def channels_in_words(n: int) -> str:
    """Count channels for users.

    Examples
    --------
    >>> channels_in_words(1), channels_in_words(3)
    ('1 channel', '3 channels')
    """
    return "1 channel" if n == 1 else f"{n} channels"


def domain_in_words(domain: Domain) -> str:
    """Say how many channels images of a domain have, and what they are."""
    return f"{channels_in_words(domain.n_channels)} ({', '.join(domain.channels)})"
