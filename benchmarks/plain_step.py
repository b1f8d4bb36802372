"""The training step of UNIT as it is commonly written: what `train_speed.py` compares with.

The same networks, losses, weights and optimiser as `napari_unit_training.session.Session` with its
default settings, from torch's own layers, in float32 and torch's default layout, one pass through a
network per image, translations made again for the discriminators, crops read from their files.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import tifffile
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations
from torch.utils.data import DataLoader, Dataset

from napari_unit_training.augment import Augmenter
from napari_unit_training.config import TrainSettings
from napari_unit_training.data.loading import DomainImages
from napari_unit_training.session import Session


class PlainLayerNorm(nn.Module):
    """One mean and one deviation for all channels, then a learned affine map."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.rand(channels))
        self.beta = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise each image of x (B, C, H, W)."""
        mean, deviation = x.mean((1, 2, 3), keepdim=True), x.std((1, 2, 3), keepdim=True)
        x = (x - mean) / (deviation + 1e-5)
        return x * self.gamma.view(1, -1, 1, 1) + self.beta.view(1, -1, 1, 1)


class PlainResidual(nn.Module):
    """Two 3x3 convolutions beside an identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.block = nn.Sequential(
            nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3),
            nn.InstanceNorm2d(channels), nn.ReLU(),
            nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3),
            nn.InstanceNorm2d(channels),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        """Map x (B, C, H, W) to the same shape."""
        return x + self.block(x)  # type: ignore[no-any-return]


def encoder(channels: int, width: int, residuals: list[PlainResidual]) -> nn.Sequential:
    """Return the network from an image to its latent mean."""
    return nn.Sequential(
        nn.ReflectionPad2d(3), nn.Conv2d(channels, width, 7),
        nn.InstanceNorm2d(width), nn.ReLU(),
        nn.ReflectionPad2d(1), nn.Conv2d(width, 2 * width, 4, 2),
        nn.InstanceNorm2d(2 * width), nn.ReLU(),
        nn.ReflectionPad2d(1), nn.Conv2d(2 * width, 4 * width, 4, 2),
        nn.InstanceNorm2d(4 * width), nn.ReLU(),
        *residuals,
    )  # fmt: skip


def decoder(channels: int, width: int, residuals: list[PlainResidual]) -> nn.Sequential:
    """Return the network from a latent code to an image."""
    return nn.Sequential(
        *residuals,
        nn.Upsample(scale_factor=2), nn.ReflectionPad2d(2), nn.Conv2d(4 * width, 2 * width, 5),
        PlainLayerNorm(2 * width), nn.ReLU(),
        nn.Upsample(scale_factor=2), nn.ReflectionPad2d(2), nn.Conv2d(2 * width, width, 5),
        PlainLayerNorm(width), nn.ReLU(),
        nn.ReflectionPad2d(3), nn.Conv2d(width, channels, 7), nn.Tanh(),
    )  # fmt: skip


class PlainDiscriminator(nn.Module):
    """Patch discriminators, each on half the resolution of the one before."""

    def __init__(self, channels: int, width: int, n_scales: int) -> None:
        super().__init__()
        self.scales = nn.ModuleList()
        for _ in range(n_scales):
            layers: list[nn.Module] = []
            for a, b in pairwise([channels, *(width * 2**i for i in range(4))]):
                convolution = nn.Conv2d(a, b, 4, 2, 1, padding_mode="reflect")
                layers += [parametrizations.spectral_norm(convolution), nn.LeakyReLU(0.2)]
            layers.append(parametrizations.spectral_norm(nn.Conv2d(width * 8, 1, 1)))
            self.scales.append(nn.Sequential(*layers))
        self.shrink = nn.AvgPool2d(3, 2, 1, count_include_pad=False)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Return the logits of image (B, C, H, W) per scale."""
        logits = []
        for scale in self.scales:
            logits.append(scale(image))
            image = self.shrink(image)
        return logits


def noisy(mean: Tensor) -> Tensor:
    """Sample a latent code."""
    return mean + torch.randn_like(mean)


def squared(logits: list[Tensor], target: float) -> Tensor:
    """Return the least-squares loss of logits that should be `target`, summed over scales."""
    return torch.stack([((of_scale - target) ** 2).mean() for of_scale in logits]).sum()


class PlainStep:
    """Networks and optimisers of a plain training, with the weights of a session.

    Parameters
    ----------
    session
        Whose settings and present weights are taken.
    refines_once
        Refine spectral norms in the discriminators' pass only, as the trainer does; torch's layer
        does so in every pass, unless told otherwise.
    """

    def __init__(self, session: Session, *, refines_once: bool = False) -> None:
        self.refines_once = refines_once
        s = self.settings = session.settings
        channels = [domain.n_channels for domain in session.unit.model.domains]
        ends, starts = ([PlainResidual(4 * s.width) for _ in range(s.n_shared)] for _ in range(2))
        own = s.n_residual - s.n_shared
        latent = 4 * s.width
        self.encoders = nn.ModuleList(
            encoder(c, s.width, [*(PlainResidual(latent) for _ in range(own)), *ends])
            for c in channels
        )
        self.decoders = nn.ModuleList(
            decoder(c, s.width, [*starts, *(PlainResidual(latent) for _ in range(own))])
            for c in channels
        )
        self.discriminators = nn.ModuleList(
            PlainDiscriminator(c, s.discriminator_width, s.n_scales) for c in channels
        )
        model = session.unit.model
        for ours, plain in (
            (model.encoders, self.encoders),
            (model.decoders, self.decoders),
            (session.unit.discriminators, self.discriminators),
        ):
            copy_state(ours, plain.to(session.device))
        generators = [*nn.ModuleList([self.encoders, self.decoders]).parameters()]
        self.generator_optimiser = torch.optim.Adam(
            generators, s.generator_learning_rate, s.betas, weight_decay=s.weight_decay
        )
        self.discriminator_optimiser = torch.optim.Adam(
            self.discriminators.parameters(),
            s.discriminator_learning_rate,
            s.betas,
            weight_decay=s.weight_decay,
        )
        self.averaged = [p.detach().clone() for p in generators]
        self.generators = generators
        self.images_seen = 0

    def step(self, a: Tensor, b: Tensor) -> dict[str, Tensor]:
        """Update generators, then discriminators, on images (B, C, H, W); return the losses."""
        losses = self._generators(a, b) | self._discriminators(a, b)
        self.images_seen += len(a)
        s = self.settings
        if not s.ema_half_life_images:
            return losses
        half_life = min(float(s.ema_half_life_images), s.ema_ramp * self.images_seen)
        decay = 0.5 ** (len(a) / half_life)
        with torch.no_grad():
            for average, weight in zip(self.averaged, self.generators, strict=True):
                average.mul_(decay).add_(weight, alpha=1 - decay)
        return losses

    def _generators(self, a: Tensor, b: Tensor) -> dict[str, Tensor]:
        (encode_a, encode_b), (decode_a, decode_b) = self.encoders, self.decoders
        mean_a, mean_b = encode_a(a), encode_b(b)
        code_a, code_b = noisy(mean_a), noisy(mean_b)
        aa, bb = decode_a(code_a), decode_b(code_b)
        ba, ab = decode_a(code_b), decode_b(code_a)
        mean_ab, mean_ba = encode_b(ab), encode_a(ba)
        aba, bab = decode_a(noisy(mean_ab)), decode_b(noisy(mean_ba))
        self.discriminators.requires_grad_(False)
        self.discriminators.train(not self.refines_once)
        judged_a, judged_b = (d(i) for d, i in zip(self.discriminators, (ba, ab), strict=True))
        self.discriminators.train()
        terms = {
            "adversarial_a": squared(judged_a, 1.0),
            "adversarial_b": squared(judged_b, 1.0),
            "kl_a": 0.5 * (mean_a**2).mean(),
            "kl_b": 0.5 * (mean_b**2).mean(),
            "reconstruction_a": nn.functional.l1_loss(aa, a),
            "reconstruction_b": nn.functional.l1_loss(bb, b),
            "cycle_kl_a": 0.5 * (mean_a**2).mean() + 0.5 * (mean_ab**2).mean(),
            "cycle_kl_b": 0.5 * (mean_b**2).mean() + 0.5 * (mean_ba**2).mean(),
            "cycle_a": nn.functional.l1_loss(aba, a),
            "cycle_b": nn.functional.l1_loss(bab, b),
        }
        weights = self.settings.weights
        total = sum(getattr(weights, name[:-2]) * term for name, term in terms.items())
        assert isinstance(total, Tensor)
        self.generator_optimiser.zero_grad()
        total.backward()
        self.discriminators.requires_grad_(True)
        self.generator_optimiser.step()
        return {name: term.detach() for name, term in terms.items()}

    def _discriminators(self, a: Tensor, b: Tensor) -> dict[str, Tensor]:
        (encode_a, encode_b), (decode_a, decode_b) = self.encoders, self.decoders
        with torch.no_grad():
            ba, ab = decode_a(noisy(encode_b(b))), decode_b(noisy(encode_a(a)))
        losses = {}
        for name, judge, real, fake in zip(
            "ab", self.discriminators, (a, b), (ba, ab), strict=True
        ):
            halves = [logits.chunk(2) for logits in judge(torch.cat([real, fake]))]
            losses[f"discriminator_{name}"] = squared([half[0] for half in halves], 1.0) + squared(
                [half[1] for half in halves], 0.0
            )
        self.discriminator_optimiser.zero_grad()
        (self.settings.weights.adversarial * torch.stack(list(losses.values())).sum()).backward()
        self.discriminator_optimiser.step()
        return {name: loss.detach() for name, loss in losses.items()}


def copy_state(source: nn.Module, target: nn.Module) -> None:
    """Copy weights and buffers between networks that have the same ones in the same order.

    Raises
    ------
    ValueError
        If they have not.
    """
    values, places = source.state_dict().values(), target.state_dict().values()
    if [v.shape for v in values] != [p.shape for p in places]:
        raise ValueError("The two networks do not have the same weights.")
    with torch.no_grad():
        for value, place in zip(values, places, strict=True):
            place.copy_(value)


class CropFiles(Dataset[Tensor]):
    """Random crops, each read from the file of its image."""

    def __init__(self, data: DomainImages, crop_px: int, seed: int) -> None:
        self._images = data.images
        self._crop_px = crop_px
        self._random = np.random.default_rng(seed)

    def __len__(self) -> int:
        """Return a number that no run comes to."""
        return 10**9

    def __getitem__(self, index: int) -> Tensor:
        """Return a crop (1, H, W) in [-1, 1]."""
        image = self._images[int(self._random.integers(len(self._images)))]
        pixels = np.atleast_3d(tifffile.imread(image.path)).transpose(2, 0, 1)
        top, left = (int(self._random.integers(n - self._crop_px + 1)) for n in pixels.shape[1:])
        crop = pixels[:, top : top + self._crop_px, left : left + self._crop_px]
        return torch.from_numpy(image.window.to_unit(crop))


def batches(
    data: tuple[DomainImages, DomainImages], settings: TrainSettings, device: torch.device
) -> Iterator[list[Tensor]]:
    """Yield a batch of each domain, read, augmented and moved to the device."""
    augment = Augmenter(settings.augmentation)
    workers: dict[str, Any] = (
        {"num_workers": 4, "pin_memory": True} if device.type == "cuda" else {}
    )
    loaders = [
        DataLoader(CropFiles(d, settings.crop_px, seed), settings.batch_size, **workers)
        for seed, d in enumerate(data)
    ]
    for pair in zip(*loaders, strict=True):
        yield [augment(crops).to(device) for crops in pair]
