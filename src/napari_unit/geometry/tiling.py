"""Pure integer geometry: which input pixels a region of the output needs, layer by layer.

Everything here is on one axis; `regions` has the product of the two.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LayerGeometry:
    """What a convolution does to one axis: nearest upsampling, padding, then the kernel.

    Parameters
    ----------
    kernel, stride, padding
        Of the convolution, in pixels after the upsampling; the padding acts on both ends.
    upsample
        Nearest upsampling before it.

    Raises
    ------
    ValueError
        If a size is not positive, or a kernel could lie in the padding with its middle.
    """

    kernel: int
    stride: int
    padding: int
    upsample: int

    def __post_init__(self) -> None:
        """Refuse what no tile could be cut for."""
        if min(self.kernel, self.stride, self.upsample) < 1 or not (
            0 <= 2 * self.padding < self.kernel
        ):
            raise ValueError(
                f"A layer cannot have kernel {self.kernel}, stride {self.stride}, padding "
                f"{self.padding} and upsampling {self.upsample}; they must be positive, and the "
                "padding less than half of the kernel."
            )

    def length_after(self, length: int) -> int:
        """Return the axis' length behind the layer."""
        return (length * self.upsample + 2 * self.padding - self.kernel) // self.stride + 1


@dataclass(frozen=True, slots=True)
class Span:
    """The pixels ``start`` to ``stop - 1`` of one axis, counted from the image's true edge.

    Parameters
    ----------
    start, stop
        As of a slice; a span is not empty.

    Raises
    ------
    ValueError
        If it is empty or starts before the edge.
    """

    start: int
    stop: int

    def __post_init__(self) -> None:
        """Refuse a span without pixels."""
        if not 0 <= self.start < self.stop:
            raise ValueError(f"A span cannot go from pixel {self.start} to pixel {self.stop}.")

    @property
    def length(self) -> int:
        """Pixels in the span."""
        return self.stop - self.start

    def contains(self, other: "Span") -> bool:
        """Whether all of the other span lies in this one."""
        return self.start <= other.start and other.stop <= self.stop

    def common(self, other: "Span") -> "Span | None":
        """Return the pixels of both spans; None if there is none."""
        start, stop = max(self.start, other.start), min(self.stop, other.stop)
        return Span(start, stop) if start < stop else None

    def within(self, outer: "Span") -> slice:
        """Return where this span lies in an array that holds the outer one."""
        if not outer.contains(self):
            raise ValueError(f"{self} does not lie in {outer}.")
        return slice(self.start - outer.start, self.stop - outer.start)

    def shifted(self, by: int) -> "Span":
        """Return the span with its ends counted from another pixel."""
        return Span(self.start + by, self.stop + by)

    def at_scale(self, length: int, other_length: int) -> "Span":
        """Return the span at another resolution of an axis, given the axis' lengths at both.

        Raises
        ------
        ValueError
            If an end does not fall between two pixels of the other resolution.
        """
        ends = (self.start * other_length, self.stop * other_length)
        if any(end % length for end in ends):
            raise ValueError(f"{self} of {length} px has no whole pixels among {other_length} px.")
        return Span(ends[0] // length, ends[1] // length)


@dataclass(frozen=True, slots=True)
class AxisStep:
    """What one layer does on one axis of one tile.

    ``source`` is all that the tile holds of the layer's input, in pixels of that resolution
    from the image's true edge. It is upsampled, cropped by ``crop``, reflected by ``pad`` and
    convolved without any padding of its own, which leaves exactly ``target``::

        layer input          ----[=======source=======)-------------     from 0 to its length
        nearest x2           --------[============================)-
        cropped              ----------[=========================)--
        reflect padding      only where a true edge cuts the kernel's view off
        valid convolution
        layer output         -----------[===target===)--------------

    Away from the true edges ``pad`` is (0, 0), so the halo shrinks from layer to layer and no
    layer computes a pixel that is not asked for. At a true edge it is the part of the network's
    own padding that the target's pixels see.

    Parameters
    ----------
    source, target
        What goes in and what comes out.
    crop
        Pixels cut off at either end after the upsampling.
    pad
        Pixels reflected at either end after the cropping.
    """

    source: Span
    target: Span
    crop: tuple[int, int]
    pad: tuple[int, int]


def step_for(layer: LayerGeometry, length: int, target: Span) -> AxisStep:
    """Return what the layer must be given, so that it yields the target.

    Parameters
    ----------
    layer
        The layer.
    length
        Of the axis, at the layer's input.
    target
        Wanted pixels of the layer's output.

    Raises
    ------
    ValueError
        If the target reaches beyond the output, or the axis is too short to be reflected.
    """
    if target.stop > layer.length_after(length):
        raise ValueError(f"{target} reaches beyond the {layer.length_after(length)} px there are.")
    upsampled = length * layer.upsample
    start = target.start * layer.stride - layer.padding
    stop = (target.stop - 1) * layer.stride - layer.padding + layer.kernel
    before, after = max(0, -start), max(0, stop - upsampled)
    if max(before, after) >= upsampled:
        raise ValueError(
            f"An axis of {upsampled} px is too short for a padding of {layer.padding} px."
        )
    # a reflection repeats pixels after the edge one; a kernel that sees it sees them, too
    start, stop = max(0, start), min(upsampled, stop)
    source = Span(start // layer.upsample, -(-stop // layer.upsample))
    crop = (start - source.start * layer.upsample, source.stop * layer.upsample - stop)
    return AxisStep(source, target, crop, (before, after))


def lengths_of(layers: Sequence[LayerGeometry], length: int) -> tuple[int, ...]:
    """Return the axis' length before the first layer, and behind each of them."""
    lengths = [length]
    for layer in layers:
        lengths.append(layer.length_after(lengths[-1]))
    return tuple(lengths)


def plan_axis(layers: Sequence[LayerGeometry], length: int, target: Span) -> tuple[AxisStep, ...]:
    """Return a step per layer, so that the last one yields the target.

    Parameters
    ----------
    layers
        One after the other; any stretch of a network.
    length
        Of the axis, at the first layer's input.
    target
        Wanted pixels of the last layer's output.
    """
    lengths = lengths_of(layers, length)
    steps: list[AxisStep] = []
    for layer, before in zip(reversed(layers), reversed(lengths[:-1]), strict=True):
        step = step_for(layer, before, target)
        steps.append(step)
        target = step.source
    return tuple(reversed(steps))


def lattice_of(layers: Sequence[LayerGeometry]) -> int:
    """Return the pixels of input per pixel of the coarsest map: the networks' total stride."""
    step, coarsest = 1, 1
    for layer in layers:
        step = step * layer.stride // layer.upsample
        coarsest = max(coarsest, step)
    return coarsest


def padded_length(length: int, layers: Sequence[LayerGeometry]) -> int:
    """Return the next multiple of the lattice, the length on which the layers lose no pixel."""
    lattice = lattice_of(layers)
    return math.ceil(length / lattice) * lattice


def reach_of(layers: Sequence[LayerGeometry]) -> int:
    """Return how many pixels away an input pixel can be and still change an output pixel.

    The largest over the output pixels' places on the lattice, on either side.
    """
    lattice = lattice_of(layers)
    middle = lattice << 20  # far from both edges
    reach = 0
    for place in range(middle, middle + lattice):
        source = plan_axis(layers, 2 * middle, Span(place, place + 1))[0].source
        reach = max(reach, place - source.start, source.stop - 1 - place)
    return reach
