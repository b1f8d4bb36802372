"""Coupled networks: what is near the pixels is each domain's own, all above it is tied.

The sizes follow the authors' networks for digits (Liu et al. 2017, section 4; 32 px, widths 96
and 64), as a plain description has them: a convolutional auto-encoder with one code per image, and
a discriminator of convolutions and poolings whose top also names the class.
"""

from collections.abc import Iterable
from itertools import pairwise

import torch
from torch import Tensor, nn

SLOPE = 0.01
"""Of the generators' leaky rectifiers."""
DROPOUT = (0.1, 0.3, 0.5, 0.5)
"""After each stage of a discriminator."""


class _Stage(nn.Sequential):
    """A convolution, batch statistics, a learned bias and a leaky rectifier."""

    def __init__(self, convolution: nn.Module, channels: int) -> None:
        # statistics of the batch at hand, always: batches are of one domain, the tied layer of both
        norm = nn.BatchNorm2d(channels, affine=False, track_running_stats=False)
        super().__init__(convolution, norm, _Bias(channels), nn.LeakyReLU(SLOPE))


class _Bias(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.bias


class CoupledEncoders(nn.Module):
    """From images of either domain to the means of their codes.

    Parameters
    ----------
    channels
        Of the images of the two domains.
    side_px
        Of the images, a power of two from 16 on.
    width
        Feature maps after the first convolution, which alone is each domain's own.
    coordinates
        Whether two channels say where a pixel is.
    """

    def __init__(
        self, channels: tuple[int, int], side_px: int, width: int, *, coordinates: bool
    ) -> None:
        super().__init__()
        self.coordinates = coordinates
        extra = 2 if coordinates else 0
        self.own = _alike(
            _Stage(nn.Conv2d(c + extra, width, 5, 2, 2, bias=False), width) for c in channels
        )
        self.tied = nn.Sequential(
            _Stage(nn.Conv2d(width, 2 * width, 5, 2, 2, bias=False), 2 * width),
            _Stage(nn.Conv2d(2 * width, 4 * width, side_px // 4, bias=False), 4 * width),
            _Stage(nn.Conv2d(4 * width, 8 * width, 1, bias=False), 8 * width),
            nn.Conv2d(8 * width, 8 * width, 1),
        )

    def forward(self, image: Tensor, domain: int) -> Tensor:
        """Return the code's mean (B, 8 width, 1, 1) of image (B, C, S, S) of domain 0 or 1."""
        if self.coordinates:
            image = torch.cat([image, _coordinates(image)], 1)
        mean: Tensor = self.tied(self.own[domain](image))
        return mean


def _coordinates(image: Tensor) -> Tensor:
    """Return x and y of every pixel, from -1 to 1, as channels (B, 2, H, W)."""
    height, width = image.shape[2:]
    y = torch.linspace(-1, 1, height, device=image.device).view(1, 1, -1, 1)
    x = torch.linspace(-1, 1, width, device=image.device).view(1, 1, 1, -1)
    size = (len(image), 1, height, width)
    return torch.cat([x.expand(size), y.expand(size)], 1)


class CoupledDecoders(nn.Module):
    """From codes to images of either domain.

    Parameters
    ----------
    channels, side_px, width
        See `CoupledEncoders`; the last two convolutions are each domain's own.
    """

    def __init__(self, channels: tuple[int, int], side_px: int, width: int) -> None:
        super().__init__()
        self._code_channels = 8 * width
        sizes = (8 * width, 4 * width, 2 * width)
        first = nn.ConvTranspose2d(8 * width, sizes[0], side_px // 8, bias=False)
        self.tied = nn.Sequential(
            _Stage(first, sizes[0]),
            *(_Stage(nn.ConvTranspose2d(i, o, 4, 2, 1, bias=False), o) for i, o in pairwise(sizes)),
        )
        self.own = _alike(
            nn.Sequential(
                _Stage(nn.ConvTranspose2d(2 * width, width, 4, 2, 1, bias=False), width),
                nn.Conv2d(width, c, 1),
                nn.Tanh(),
            )
            for c in channels
        )

    @property
    def code_channels(self) -> int:
        """Numbers of a code."""
        return self._code_channels

    def forward(self, code: Tensor, domain: int) -> Tensor:
        """Return the image (B, C, S, S) in [-1, 1] of code (B, 8 width, 1, 1)."""
        image: Tensor = self.own[domain](self.tied(code))
        return image


class CoupledDiscriminators(nn.Module):
    """Whether images of either domain are real, and what they show.

    Parameters
    ----------
    channels
        Of the images of the two domains.
    side_px
        Of the images, a multiple of 16.
    width
        Feature maps after the first convolution, which alone is each domain's own.
    n_classes
        Of the labelled images.
    """

    def __init__(self, channels: tuple[int, int], side_px: int, width: int, n_classes: int) -> None:
        super().__init__()
        self.own = _alike(_convolution(c, width) for c in channels)
        sizes = [width * 2**i for i in range(len(DROPOUT))]
        self.tied = nn.ModuleList(_convolution(i, o) for i, o in pairwise(sizes))
        self.dropouts = nn.ModuleList(nn.Dropout(p) for p in DROPOUT)
        top = side_px // 2 ** len(DROPOUT)
        self.is_real = nn.Conv2d(sizes[-1], 1, top)
        self.classes = nn.Conv2d(sizes[-1], n_classes, top)

    def forward(self, image: Tensor, domain: int) -> tuple[Tensor, Tensor, Tensor]:
        """Judge images (B, C, S, S) of domain 0 or 1.

        Returns
        -------
        Logits of being real (B,), logits of the classes (B, K), and the features (B, F, h, w) of
        the highest convolution, before dropout.
        """
        x = self.dropouts[0](self.own[domain](image))
        features = x
        for stage, dropout in zip(self.tied, list(self.dropouts)[1:], strict=True):
            features = stage(x)
            x = dropout(features)
        return self.is_real(x).flatten(), self.classes(x).flatten(1), features


def _alike(parts: Iterable[nn.Module]) -> nn.ModuleList:
    """Return both domains' parts with the same first weights, where they have the same shapes.

    So an image means the same in both domains at the start: which class of one is which of the
    other is nothing that adversarial terms could tell.
    """
    first, second = parts
    weights = first.state_dict()
    if all(weights[name].shape == value.shape for name, value in second.state_dict().items()):
        second.load_state_dict(weights)
    return nn.ModuleList([first, second])


def _convolution(inputs: int, outputs: int) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, 5, 1, 2)
    nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
    assert convolution.bias is not None
    nn.init.zeros_(convolution.bias)
    return nn.Sequential(convolution, nn.ReLU(), nn.MaxPool2d(2))
