"""Multi-scale patch discriminators, as in UNIT's current form (2018)."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from napari_unit.models.networks import reflect_padded

MAX_GROWTH = 8
"""A discriminator's feature maps are doubled up to so many times its width."""
INIT_DEVIATION = 0.02
DETAIL_WINDOW_PX = 5


class PatchDiscriminator(nn.Module):
    """4x4 convolutions of stride 2 and a 1x1: one logit per patch.

    A patch has 22, 46, 94 or 190 px with 3, 4, 5 or 6 layers. Reflect padding, no normalisation,
    leaky ReLU of slope 0.2; weights start as N(0, 0.02).

    Parameters
    ----------
    channels
        Of the image.
    width
        Feature maps after the first convolution; each of the next doubles them, up to
        `MAX_GROWTH` times the width.
    n_layers
        How many convolutions of stride 2.
    spectral_norm
        Divide every weight by its largest singular value (Miyato et al. 2018, eq. 8).
    detail_gain
        Above 0, ``tanh(detail_gain * (image - mean over 5x5 pixels))`` is shown beside the image.
        In fluorescence most pixels are dark and nearly constant: far from the rectifiers' kink,
        the first layers are linear and blind to grain and texture. The tanh keeps the edges of
        bright nuclei, a hundred times as strong as the grain, from drowning it.
    """

    def __init__(
        self,
        channels: int,
        width: int,
        n_layers: int = 4,
        *,
        spectral_norm: bool,
        detail_gain: float = 0.0,
    ) -> None:
        super().__init__()
        self.detail_gain = detail_gain
        shown = 2 * channels if detail_gain > 0 else channels
        sizes = [shown, *(width * min(2**i, MAX_GROWTH) for i in range(n_layers))]
        convolutions = [nn.Conv2d(a, b, 4, 2) for a, b in pairwise(sizes)]
        convolutions.append(nn.Conv2d(sizes[-1], 1, 1))
        for convolution in convolutions:
            nn.init.normal_(convolution.weight, 0.0, INIT_DEVIATION)
            assert convolution.bias is not None
            nn.init.zeros_(convolution.bias)
            if spectral_norm:
                parametrizations.spectral_norm(convolution)
        self.convolutions = nn.ModuleList(convolutions)

    def forward(self, image: Tensor) -> Tensor:
        """Return the logits (B, 1, H / 2**n_layers, ...) of image (B, C, H, W)."""
        if self.detail_gain > 0:
            local = nn.functional.avg_pool2d(
                image, DETAIL_WINDOW_PX, 1, DETAIL_WINDOW_PX // 2, count_include_pad=False
            )
            detail = torch.tanh(self.detail_gain * (image - local))
            image = torch.cat([image, detail], dim=1)
        for convolution in self.convolutions[:-1]:
            image = nn.functional.leaky_relu(convolution(reflect_padded(image, 1)), 0.2)
        logits: Tensor = self.convolutions[-1](image)
        return logits


class MultiScaleDiscriminator(nn.Module):
    """One patch discriminator per scale, each on half the resolution of the one before.

    Parameters
    ----------
    channels
        Of the image.
    width
        See `PatchDiscriminator`.
    n_scales
        How many.
    n_layers, spectral_norm, detail_gain
        See `PatchDiscriminator`.
    """

    def __init__(
        self,
        channels: int,
        width: int,
        n_scales: int,
        n_layers: int = 4,
        *,
        spectral_norm: bool,
        detail_gain: float = 0.0,
    ) -> None:
        super().__init__()
        self.scales = nn.ModuleList(
            PatchDiscriminator(
                channels, width, n_layers, spectral_norm=spectral_norm, detail_gain=detail_gain
            )
            for _ in range(n_scales)
        )

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Return the logits of image (B, C, H, W) per scale, the finest first."""
        logits = []
        for index, scale in enumerate(self.scales):
            if index:
                image = nn.functional.avg_pool2d(image, 3, 2, 1, count_include_pad=False)
            logits.append(scale(image))
        return tuple(logits)
