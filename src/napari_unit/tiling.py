"""Pure integer geometry: which input pixels a region of the output needs, layer by layer.

Everything is computed on one axis; an image is the product of its axes.
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
    """

    kernel: int
    stride: int
    padding: int
    upsample: int

    def length_after(self, length: int) -> int:
        """Return the axis' length behind the layer."""
        return (length * self.upsample + 2 * self.padding - self.kernel) // self.stride + 1


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
