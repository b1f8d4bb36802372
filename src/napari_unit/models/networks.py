"""UNIT's encoder and decoder, as a line of convolution steps that an engine can walk.

Architecture of the authors' current form (2018): encoder 7x7, two 4x4 of stride 2, residual
blocks; decoder residual blocks, two times (nearest x2, 5x5), 7x7 and tanh; reflect padding.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from napari_unit.geometry.tiling import LayerGeometry
from napari_unit.models.architecture import Architecture
from napari_unit.models.normalisation import InstanceNorm, LayerNorm, MeasurableNorm

Activation = Literal["relu", "tanh", "none"]


class ImageTanh(nn.Module):
    """Hyperbolic tangent in float32 at least: near -1, bfloat16 has steps of a grey level."""

    def forward(self, x: Tensor) -> Tensor:
        """Return values in [-1, 1], shape as x."""
        return torch.tanh(x.to(torch.promote_types(x.dtype, torch.float32)))


_ACTIVATIONS: dict[Activation, type[nn.Module]] = {
    "relu": nn.ReLU,
    "tanh": ImageTanh,
    "none": nn.Identity,
}


def reflect_padded(x: Tensor, padding: int, upsample: int = 1) -> Tensor:
    """Return x (B, C, H, W) with every pixel repeated, then mirrored at the edges.

    The dtype is that of x, the layout channels-last, in which convolutions are fastest: those of
    one channel would go on in torch's default layout, and with them all maps that follow.
    """
    # values are only moved, but autocast would do it in float32
    with torch.autocast(x.device.type, enabled=False):
        if upsample > 1:
            x = nn.functional.interpolate(x, scale_factor=float(upsample))
        padded = nn.functional.pad(x, (padding,) * 4, mode="reflect")
    return padded.to(memory_format=torch.channels_last)


class _Conv2d(nn.Conv2d):
    def reset_parameters(self) -> None:
        if self.weight.is_meta:
            return  # a file has its weights; random ones there would need torch's compiler
        # He et al. 2015 for rectifiers; the biases start at zero
        nn.init.kaiming_normal_(self.weight, nonlinearity="relu")
        assert self.bias is not None
        nn.init.zeros_(self.bias)


class ConvBlock(nn.Module):
    """Nearest upsampling, reflect padding, convolution, normalisation, activation; in this order.

    Parameters
    ----------
    in_channels, out_channels
        Feature maps in and out.
    geometry
        Kernel, stride, padding and upsampling, the same on both axes.
    norm
        The normalisation after the convolution, or None.
    activation
        What follows it.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        geometry: LayerGeometry,
        norm: MeasurableNorm | None,
        activation: Activation,
    ) -> None:
        super().__init__()
        self.geometry = geometry
        self.conv = _Conv2d(in_channels, out_channels, geometry.kernel, geometry.stride)
        self.norm = norm
        self.activation = _ACTIVATIONS[activation]()

    def forward(self, x: Tensor) -> Tensor:
        """Map x (B, C_in, H, W) to (B, C_out, H * upsample / stride, ...)."""
        x = self.conv(reflect_padded(x, self.geometry.padding, self.geometry.upsample))
        if self.norm is not None:
            x = self.norm(x)
        activated: Tensor = self.activation(x)
        return activated


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions beside an identity; no activation after the sum.

    Parameters
    ----------
    channels
        Feature maps in and out.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        geometry = LayerGeometry(kernel=3, stride=1, padding=1, upsample=1)
        self.first = ConvBlock(channels, channels, geometry, InstanceNorm(channels), "relu")
        self.second = ConvBlock(channels, channels, geometry, InstanceNorm(channels), "none")

    def forward(self, x: Tensor) -> Tensor:
        """Map x (B, C, H, W) to the same shape."""
        residual: Tensor = self.second(self.first(x))
        return x + residual


@dataclass(frozen=True, slots=True)
class Step:
    """One convolution block on the way through the networks.

    Parameters
    ----------
    block
        The block.
    skip
        ``"open"``: the block's input is kept; ``"close"``: it is added to the block's output.
    """

    block: ConvBlock
    skip: Literal["none", "open", "close"] = "none"


def _steps(blocks: nn.ModuleList) -> Iterator[Step]:
    for block in blocks:
        if isinstance(block, ResidualBlock):
            yield Step(block.first, "open")
            yield Step(block.second, "close")
        elif isinstance(block, ConvBlock):
            yield Step(block)
        else:
            raise TypeError(f"A network is made of convolution and residual blocks, not {block!r}.")


class Encoder(nn.Module):
    """From an image (B, C, H, W) to the mean of its latent code (B, 4 width, H/4, W/4).

    Parameters
    ----------
    channels
        Of the image.
    architecture
        Sizes.
    shared
        Residual blocks that another encoder ends with too, put at the end of this one.
    """

    def __init__(
        self, channels: int, architecture: Architecture, shared: tuple[ResidualBlock, ...]
    ) -> None:
        super().__init__()
        width = architecture.width
        stem = LayerGeometry(kernel=7, stride=1, padding=3, upsample=1)
        down = LayerGeometry(kernel=4, stride=2, padding=1, upsample=1)
        own = architecture.n_residual - len(shared)
        self.blocks = nn.ModuleList(
            [
                ConvBlock(channels, width, stem, InstanceNorm(width), "relu"),
                ConvBlock(width, 2 * width, down, InstanceNorm(2 * width), "relu"),
                ConvBlock(2 * width, 4 * width, down, InstanceNorm(4 * width), "relu"),
                *(ResidualBlock(4 * width) for _ in range(own)),
                *shared,
            ]
        )

    def steps(self) -> tuple[Step, ...]:
        """Return the convolutions in the order in which an image passes them."""
        return tuple(_steps(self.blocks))

    def forward(self, image: Tensor) -> Tensor:
        """Return the latent mean of image (B, C, H, W), values in [-1, 1]."""
        for block in self.blocks:
            image = block(image)
        return image


class Decoder(nn.Module):
    """From a latent code (B, 4 width, H/4, W/4) to an image (B, C, H, W) in [-1, 1].

    Parameters
    ----------
    channels
        Of the image.
    architecture
        Sizes.
    shared
        Residual blocks that another decoder begins with too, put at the start of this one.
    """

    def __init__(
        self, channels: int, architecture: Architecture, shared: tuple[ResidualBlock, ...]
    ) -> None:
        super().__init__()
        width = architecture.width
        up = LayerGeometry(kernel=5, stride=1, padding=2, upsample=2)
        head = LayerGeometry(kernel=7, stride=1, padding=3, upsample=1)
        own = architecture.n_residual - len(shared)
        self.blocks = nn.ModuleList(
            [
                *shared,
                *(ResidualBlock(4 * width) for _ in range(own)),
                ConvBlock(4 * width, 2 * width, up, LayerNorm(2 * width), "relu"),
                ConvBlock(2 * width, width, up, LayerNorm(width), "relu"),
                ConvBlock(width, channels, head, None, "tanh"),
            ]
        )

    def steps(self) -> tuple[Step, ...]:
        """Return the convolutions in the order in which a code passes them."""
        return tuple(_steps(self.blocks))

    def forward(self, latent: Tensor) -> Tensor:
        """Return the image of latent (B, 4 width, H/4, W/4)."""
        for block in self.blocks:
            latent = block(latent)
        return latent
