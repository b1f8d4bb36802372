"""Normalisation layers that can report, merge and be given their statistics."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class Moments:
    """Count, mean and sum of squared deviations of a layer's input, in float64.

    Parameters
    ----------
    count
        Values that each entry of `mean` was taken over.
    mean, squared_deviations
        Shape (C,), or (1,) for a layer that has one mean for all channels.
    """

    count: float
    mean: Tensor
    squared_deviations: Tensor

    def variance(self, *, unbiased: bool) -> Tensor:
        """Return the variance, shape as `mean`; unbiased divides by ``count - 1``."""
        return self.squared_deviations / max(self.count - (1.0 if unbiased else 0.0), 1.0)

    def clone(self) -> "Moments":
        """Return a copy that can be computed with in any mode of torch."""
        return Moments(self.count, self.mean.clone(), self.squared_deviations.clone())

    def merge(self, other: "Moments") -> "Moments":
        """Return the moments of both samples taken together.

        The between-sample variance is included (Chan, Golub, LeVeque 1979, eq. 2.1).
        """
        count = self.count + other.count
        delta = other.mean - self.mean
        return Moments(
            count,
            self.mean + delta * (other.count / count),
            self.squared_deviations
            + other.squared_deviations
            + delta.square() * (self.count * other.count / count),
        )


def merge_all(parts: Iterable[Moments]) -> Moments:
    """Merge one or more moments, in order."""
    iterator = iter(parts)
    total = next(iterator)
    for part in iterator:
        total = total.merge(part)
    return total


class MeasurableNorm(nn.Module):
    """A normalisation over an image's pixels whose statistics can be measured and frozen.

    Live, every image of a batch is normalised by its own statistics. Frozen, all are
    normalised by given ones: the layer is then affine per channel, so it acts on each pixel
    alone and folds into the convolution before it.

    Parameters
    ----------
    channels
        Feature maps.
    eps
        Guards the division for flat inputs.
    """

    frozen: Moments | None

    def __init__(self, channels: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.channels = channels
        self.eps = eps
        self.frozen = None

    @property
    def n_means(self) -> int:
        """Entries of the mean of its moments."""
        return self.channels

    def measure(self, x: Tensor) -> Moments:
        """Return the moments of the whole batch pooled, from x (B, C, H, W)."""
        raise NotImplementedError

    def affine(self, moments: Moments) -> tuple[Tensor, Tensor]:
        """Return scale and shift, both float64 (C,), that normalise by the given moments."""
        raise NotImplementedError

    def normalise(self, x: Tensor) -> Tensor:
        """Normalise each image of x (B, C, H, W) by its own statistics."""
        raise NotImplementedError

    def freeze(self, moments: Moments) -> None:
        """Normalise by these moments from now on."""
        self.frozen = moments

    def thaw(self) -> None:
        """Normalise every image by its own statistics again."""
        self.frozen = None

    def forward(self, x: Tensor) -> Tensor:
        """Normalise x (B, C, H, W); the result has x's shape and dtype."""
        if self.frozen is None:
            return self.normalise(x)
        scale, shift = (v.to(x).view(1, -1, 1, 1) for v in self.affine(self.frozen))
        return x * scale + shift


_EXACT_FROM_PX = 1 << 16
"""Larger maps are normalised by sums in float64."""
_VALUES_AT_ONCE = 1 << 18
"""Values whose moments are taken in float32 before they are merged in float64."""


def _at_least_float32(x: Tensor) -> Tensor:
    return x.to(torch.promote_types(x.dtype, torch.float32))


def _moments_per_channel(x: Tensor) -> Moments:
    """Pool x (B, C, H, W) per channel: moments of small groups of pixels, merged in float64."""
    values = _at_least_float32(x)
    if x.device.type == "cpu":
        # torch's var_mean over the pixels of a channels-last map is ten times slower than this
        pixels = values.permute(0, 2, 3, 1).reshape(-1, x.shape[1])
        at_once = min(8192, max(1, _VALUES_AT_ONCE // x.shape[1]))
        groups = pixels.split(at_once)
        counts = torch.tensor([len(group) for group in groups], dtype=torch.float64)
        mean = torch.stack([group.mean(0) for group in groups])  # (G, C)
        deviations = torch.stack(
            [(group - m).square_().sum(0) for group, m in zip(groups, mean, strict=True)]
        )
    else:
        variance, mean = torch.var_mean(values, dim=(2, 3), correction=0)  # (B, C)
        n_px = x.shape[2] * x.shape[3]
        counts = torch.full((x.shape[0],), float(n_px), dtype=torch.float64)
        deviations = variance * n_px
    # moments live on the CPU: not every device knows float64
    mean, deviations, counts = mean.cpu().double(), deviations.cpu().double(), counts.view(-1, 1)
    pooled = (mean * counts).sum(0) / counts.sum()
    between = (counts * (mean - pooled).square()).sum(0)
    return Moments(float(counts.sum()), pooled, deviations.sum(0) + between)


class InstanceNorm(MeasurableNorm):
    """Per channel, zero mean and unit (biased) variance; no learned parameters.

    Source: Ulyanov et al. 2016, eq. 2; UNIT uses it in encoders and residual blocks.
    """

    def measure(self, x: Tensor) -> Moments:
        """Return the moments per channel."""
        return _moments_per_channel(x)

    def affine(self, moments: Moments) -> tuple[Tensor, Tensor]:
        """Return ``1 / sqrt(variance + eps)`` and the shift that removes the mean."""
        scale = (moments.variance(unbiased=False) + self.eps).rsqrt()
        return scale, -moments.mean * scale

    def normalise(self, x: Tensor) -> Tensor:
        """Normalise in float32 at least, whatever the precision of x."""
        if x.device.type != "cpu":
            return nn.functional.instance_norm(_at_least_float32(x), eps=self.eps).to(x.dtype)
        if x.shape[2] * x.shape[3] > _EXACT_FROM_PX and not torch.is_grad_enabled():
            # the batch norm below sums all pixels in float32: a thousandth off for a million
            return torch.cat([self._normalised_exactly(image) for image in x.split(1)])
        # A batch norm of one image is the same, computed in the precision of its weights, and keeps
        # channels-last maps as they are: torch's instance norm copies them to another layout.
        dtype = torch.promote_types(x.dtype, torch.float32)
        affine = x.new_ones(self.channels, dtype=dtype), x.new_zeros(self.channels, dtype=dtype)
        images = [
            nn.functional.batch_norm(image, None, None, *affine, training=True, eps=self.eps)
            for image in x.split(1)
        ]
        return images[0] if len(images) == 1 else torch.cat(images)

    def _normalised_exactly(self, image: Tensor) -> Tensor:
        scale, shift = (v.view(1, -1, 1, 1) for v in self.affine(self.measure(image)))
        values = _at_least_float32(image)
        return torch.addcmul(shift.to(values), values, scale.to(values)).to(image.dtype)


class LayerNorm(MeasurableNorm):
    """One mean and one (unbiased) deviation for all channels, then a learned affine map.

    ``gamma * (x - mean) / (std + eps) + beta``: eps is added to the deviation, not to the
    variance, and gamma starts uniform in [0, 1], as in UNIT's upsampling layers.
    """

    def __init__(self, channels: int, eps: float = 1e-5) -> None:
        super().__init__(channels, eps)
        self.gamma = nn.Parameter(torch.rand(channels))
        self.beta = nn.Parameter(torch.zeros(channels))

    @property
    def n_means(self) -> int:
        """One, for all channels."""
        return 1

    def measure(self, x: Tensor) -> Moments:
        """Return the moments over all channels together, shape (1,)."""
        per_channel = _moments_per_channel(x)
        mean = per_channel.mean.mean(0, keepdim=True)
        between = (per_channel.mean - mean).square() * per_channel.count
        deviations = (per_channel.squared_deviations + between).sum(0, keepdim=True)
        return Moments(per_channel.count * self.channels, mean, deviations)

    def affine(self, moments: Moments) -> tuple[Tensor, Tensor]:
        """Return the scale and shift per channel, the learned ones included."""
        deviation = moments.variance(unbiased=True).sqrt()
        scale = self.gamma.to(deviation) / (deviation + self.eps)
        return scale, self.beta.to(deviation) - moments.mean * scale

    def normalise(self, x: Tensor) -> Tensor:
        """Normalise in float32 at least, whatever the precision of x."""
        values = _at_least_float32(x)
        deviation, mean = torch.std_mean(values, dim=(1, 2, 3), keepdim=True)
        gamma, beta = self.gamma.view(1, -1, 1, 1), self.beta.view(1, -1, 1, 1)
        return (gamma * (values - mean) / (deviation + self.eps) + beta).to(x.dtype)
