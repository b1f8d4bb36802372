"""Convolutions as the engine runs them: normalisation folded in, upsampling rearranged."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from napari_unit.engine.local import LocalAffine, LocalMoments, local_affine
from napari_unit.geometry.regions import Region
from napari_unit.geometry.tiling import LayerGeometry
from napari_unit.models.networks import Activation, ImageTanh, Step
from napari_unit.models.normalisation import Moments

_NAMES: dict[type[nn.Module], Activation] = {
    nn.ReLU: "relu",
    ImageTanh: "tanh",
    nn.Identity: "none",
}
Frozen = Moments | LocalMoments
"""What a normalisation can be frozen by."""
_VECTOR_WIDTH = 16
"""Output channels that a CPU's convolution computes at once; fewer cost as much."""


@dataclass(frozen=True, slots=True, eq=False)
class Filter:
    """Weight and bias of a convolution, on the device where it runs.

    Parameters
    ----------
    weight
        Shape (C_out, C_in, K, K), channels last in memory.
    bias
        Shape (C_out,).
    """

    weight: Tensor
    bias: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """A step of the networks with its normalisation frozen, ready to run on any tile.

    Parameters
    ----------
    geometry
        Of the network's convolution.
    direct
        The convolution as the network has it, the normalisation folded in.
    blocked
        The same operator, yielding ``block * upsample`` pixels of either axis at once from
        the map before the upsampling; None where that saves nothing.
    block
        Its stride.
    activation
        What follows.
    skip
        As in `Step`.
    local
        The normalisation where it differs from pixel to pixel, and thus cannot be folded in;
        the activation comes behind it.
    """

    geometry: LayerGeometry
    direct: Filter
    blocked: Filter | None
    block: int
    activation: Activation
    skip: Literal["none", "open", "close"]
    local: LocalAffine | None = None


@torch.no_grad()
def fold(step: Step, moments: Moments | None) -> tuple[Tensor, Tensor]:
    """Return weight and bias of the convolution and its frozen normalisation as one.

    Parameters
    ----------
    step
        The step.
    moments
        By which its normalisation normalises; None leaves the normalisation out.

    Returns
    -------
    Both float64, on the CPU, shapes (C_out, C_in, K, K) and (C_out,).
    """
    conv, norm = step.block.conv, step.block.norm
    assert conv.bias is not None
    weight, bias = (p.detach().cpu().double() for p in (conv.weight, conv.bias))
    if norm is None or moments is None:
        return weight, bias
    scale, shift = (v.cpu() for v in norm.affine(moments))
    return weight * scale.view(-1, 1, 1, 1), bias * scale + shift


def blocked_weight(weight: Tensor, geometry: LayerGeometry, block: int) -> Tensor:
    """Rearrange nearest upsampling and a convolution into one convolution on the small map.

    Every output pixel of a block is a channel of its own. The taps of the kernel that fall on
    the same small pixel are summed, so 5x5 after x2 costs 4 * 3x3 instead of 4 * 5x5; that is
    algebra, not an approximation.

    Parameters
    ----------
    weight
        Shape (C_out, C_in, K, K).
    geometry
        Of the convolution; its stride is 1.
    block
        Small pixels per block; the stride of the result.

    Returns
    -------
    Shape (n * n * C_out, C_in, K', K') with ``n = block * upsample``; the channels are ordered
    (row in the block, column in the block, C_out).
    """
    n, up, pad = block * geometry.upsample, geometry.upsample, geometry.padding
    first = -pad // up
    size = (n - 1 + geometry.kernel - 1 - pad) // up - first + 1
    # where[a, k, t] is 1 where tap t of output pixel a falls on small pixel k
    where = torch.zeros(n, size, geometry.kernel, dtype=weight.dtype)
    for a in range(n):
        for t in range(geometry.kernel):
            where[a, (a + t - pad) // up - first, t] = 1.0
    rearranged = torch.einsum("akt,bls,oits->aboikl", where, where, weight)
    return rearranged.reshape(n * n * weight.shape[0], weight.shape[1], size, size)


def _block_of(geometry: LayerGeometry, out_channels: int, device: torch.device) -> int:
    """Return the block that computes the convolution with the least arithmetic, 0 for none."""
    if geometry.stride != 1:
        return 0
    if geometry.upsample > 1:
        # each pixel of a block must see the same small pixels, as with 5x5 after x2
        after = geometry.kernel - 1 - geometry.padding
        return int(geometry.padding % geometry.upsample == 0 == after % geometry.upsample)
    # A 7x7 convolution to one channel leaves 15 of 16 lanes of a CPU's vectors idle
    best, least = 0, float(geometry.kernel**2 * max(out_channels, _VECTOR_WIDTH))
    for block in (2, 4) if device.type == "cpu" else ():
        lanes = -(-block * block * out_channels // _VECTOR_WIDTH) * _VECTOR_WIDTH
        cost = (geometry.kernel + block - 1) ** 2 * lanes / block**2
        if cost < 0.9 * least:
            best, least = block, cost
    return best


def make_layer(
    step: Step,
    moments: Frozen | None,
    device: torch.device,
    size: tuple[int, int] = (0, 0),
    dtype: torch.dtype | None = None,
) -> Layer:
    """Make a step ready to run.

    Parameters
    ----------
    step
        The step.
    moments
        Of its normalisation. None for a step that has a normalisation leaves out that and all
        that follows it: the layer then yields what is to be measured.
    device
        Where it will run; in the precision of the network's parameters, at least float32.
    size
        Height and width of the step's whole output; read for local moments only.
    dtype
        In which it runs; None leaves that to the parameters.
    """
    geometry = step.block.geometry
    norm = step.block.norm
    local = None
    if isinstance(moments, LocalMoments):
        assert norm is not None
        local = local_affine(norm, moments, size)
    weight, bias = fold(step, None if isinstance(moments, LocalMoments) else moments)
    runs_in = dtype or torch.promote_types(step.block.conv.weight.dtype, torch.float32)
    block = _block_of(geometry, weight.shape[0], device)

    def on_device(w: Tensor, b: Tensor) -> Filter:
        return Filter(
            w.to(device=device, dtype=runs_in).contiguous(memory_format=torch.channels_last),
            b.to(device=device, dtype=runs_in),
        )

    blocked = None
    if block:
        per_pixel = (block * geometry.upsample) ** 2
        blocked = on_device(blocked_weight(weight, geometry, block), bias.repeat(per_pixel))
    is_raw = norm is not None and moments is None
    return Layer(
        geometry,
        on_device(weight, bias),
        blocked,
        block,
        "none" if is_raw else _NAMES[type(step.block.activation)],
        "none" if is_raw else step.skip,
        local,
    )


@torch.no_grad()
def apply_frozen(
    step: Step,
    moments: Frozen | None,
    x: Tensor,
    skip: Tensor | None,
    region: Region,
    size: tuple[int, int],
) -> None:
    """Turn, in place, what a layer without its moments yielded into the step's output.

    Parameters
    ----------
    step
        The step.
    moments
        Of its normalisation, now known; None if it has none.
    x
        Shape (1, C, H, W).
    skip
        What a closing step adds, shape as `x`.
    region, size
        Where `x` lies in the step's whole output, and how large that is.
    """
    norm = step.block.norm
    if norm is not None and moments is not None:
        if isinstance(moments, LocalMoments):
            scale, shift = local_affine(norm, moments, size).at(region, x)
        else:
            scale, shift = (v.to(x).view(1, -1, 1, 1) for v in norm.affine(moments))
        torch.addcmul(shift, x, scale, out=x)
    activate(x, _NAMES[type(step.block.activation)])
    if step.skip == "close":
        assert skip is not None
        x += skip


def activate(x: Tensor, activation: Activation) -> None:
    """Apply an activation in place."""
    if activation == "relu":
        x.relu_()
    elif activation == "tanh":
        x.tanh_()
