"""The translation of a whole image, layer by layer, its statistics summed in float64.

What all methods are compared with. One pass of the plain networks does not do for that: on
channels-last maps torch's batch norm adds up all pixels in float32, and at 2048 x 2048 px every
layer is off by up to 0.01.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from engine_case import LeftOut, Prepared, read_case, read_unit
from engine_measures import whole_pass_bytes
from torch import Tensor, nn

from napari_unit.engine.system_memory import available_system_bytes
from napari_unit.geometry.tiling import padded_length
from napari_unit.models.networks import Step, reflect_padded
from napari_unit.models.normalisation import LayerNorm, MeasurableNorm, Moments

ROWS_AT_ONCE = 64


def prepare_reference(folder: Path) -> Prepared:
    """Prepare the reference."""
    case = read_case(folder)
    steps = case.networks().steps(case.source, case.target)
    refuse_too_large(steps, case.size)
    height, width = case.size
    geometry = [step.block.geometry for step in steps]
    far = (0, padded_length(width, geometry) - width, 0, padded_length(height, geometry) - height)
    unit = nn.functional.pad(read_unit(folder), far, mode="reflect")
    return Prepared(lambda: whole_image_pass(steps, unit)[0, :, :height, :width].numpy(), ([], []))


def refuse_too_large(steps: Sequence[Step], size: tuple[int, int]) -> None:
    """Leave out what does not fit into memory."""
    needed, available = whole_pass_bytes(steps, size), available_system_bytes()
    if available is not None and needed > available:
        raise LeftOut(
            f"One pass takes about {needed / 1e9:.1f} GB of memory, and {available / 1e9:.1f} GB "
            "are available."
        )


def whole_image_pass(steps: Sequence[Step], image: Tensor) -> Tensor:
    """Return the translation (1, C, H, W) of an image in [-1, 1] whose sides fit the networks."""
    x = kept = image
    for step in steps:
        block = step.block
        if step.skip == "open":
            kept = x
        padded = reflect_padded(x, block.geometry.padding, block.geometry.upsample)
        del x  # the map before is as large as the next
        x = block.conv(padded)
        del padded
        if block.norm is not None:
            scale, shift = block.norm.affine(moments_of(block.norm, x))
            x.mul_(scale.to(x).view(1, -1, 1, 1)).add_(shift.to(x).view(1, -1, 1, 1))
        x = block.activation(x)
        if step.skip == "close":
            x = x + kept
    return x


def moments_of(norm: MeasurableNorm, x: Tensor) -> Moments:
    """Return by what a normalisation normalises a map (1, C, H, W)."""
    count = float(x.shape[2] * x.shape[3])
    strips = x.split(ROWS_AT_ONCE, dim=2)
    mean = torch.stack([s.double().sum((0, 2, 3)) for s in strips]).sum(0) / count
    if isinstance(norm, LayerNorm):
        mean, count = mean.mean(0, keepdim=True), count * x.shape[1]
    off = [(s.double() - mean.view(1, -1, 1, 1)).square_().sum((0, 2, 3)) for s in strips]
    deviations = torch.stack(off).sum(0)
    if isinstance(norm, LayerNorm):
        deviations = deviations.sum(0, keepdim=True)
    return Moments(count, mean, deviations)
