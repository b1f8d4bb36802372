"""A small segmentation network for nuclei: three classes, a U-Net, instances by watershed.

The benchmark's instrument, the same for every source of training images: it was tuned on real
training images alone (README). It computes in bfloat16 where the processor has it.
"""

import hashlib
import itertools
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from instance_score import Labels, Score, match, score, without_dust
from nuclei_splits import LabelledImage
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from scipy import ndimage
from skimage.segmentation import watershed
from torch import Tensor, nn

BACKGROUND, INTERIOR, BOUNDARY = 0, 1, 2
Image = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class SegmentationSettings:
    """How the network is built and trained; the same for every source of images.

    Parameters
    ----------
    width
        Channels at full resolution; they double at each of `depth` halvings.
    depth
        Halvings of the resolution.
    steps, batch, crop_px
        Training steps, crops per step and their side.
    learning_rate, weight_decay
        Of AdamW; the rate warms up and falls to nothing (one cycle).
    boundary_weight
        Of the boundary class in the cross-entropy; the others have weight 1.
    percentiles
        Of each whole image; they become 0 and 1.
    gain, gamma
        Ranges of the intensity augmentation ``gain * image ** gamma``, drawn log-uniformly.
    noise
        Largest standard deviation of the Gaussian noise added to an augmented crop.
    seed_chance, seed_area_px
        An instance starts from so many connected pixels of so high an interior probability.
    """

    width: int = 16
    depth: int = 3
    steps: int = 400
    batch: int = 16
    crop_px: int = 128
    learning_rate: float = 4e-3
    weight_decay: float = 1e-3
    boundary_weight: float = 2.0
    percentiles: tuple[float, float] = (1.0, 99.8)
    gain: tuple[float, float] = (0.7, 1.4)
    gamma: tuple[float, float] = (0.6, 1.6)
    noise: float = 0.05
    seed_chance: float = 0.8
    seed_area_px: int = 5


def normalised(image: NDArray[Any], percentiles: tuple[float, float]) -> Image:
    """Map two percentiles of a whole image to 0 and 1, clipping at -0.2 and 1.5.

    An image (Y, X) becomes (1, Y, X). One of red, green and blue (Y, X, 3), bright where nothing
    is, becomes its negative (3, Y, X), with one pair of percentiles for all three.
    """
    image = 255.0 - np.moveaxis(image, -1, 0) if image.ndim == 3 else image[None]
    low, high = np.percentile(image, percentiles)
    scaled = (image.astype(np.float32) - low) / max(float(high - low), 1e-6)
    return np.asarray(np.clip(scaled, -0.2, 1.5), np.float32)


def classes(labels: Labels) -> NDArray[np.uint8]:
    """Turn instances (Y, X) into background, interior and boundary.

    A pixel of a nucleus is boundary if one of its eight neighbours is of another label; the edge
    of the image is none.
    """
    differs = ndimage.maximum_filter(labels, 3) != ndimage.minimum_filter(labels, 3)
    inside = np.where(differs, BOUNDARY, INTERIOR)
    return np.where(labels > 0, inside, BACKGROUND).astype(np.uint8)


class _TwoConvolutions(nn.Sequential):
    """Twice 3x3 convolution, batch normalisation, ReLU."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
        )


class UNet(nn.Module):
    """U-Net (Ronneberger et al. 2015) that works on blocks of 2x2 pixels.

    The four pixels of a block enter as channels and the logits of all four come out, so that no
    feature map has the image's full resolution: a quarter of the time for the same boundaries.
    With padding, batch normalisation and nearest-neighbour upsampling.
    (B, C, H, W), H and W multiples of ``2 ** (depth + 1)``, to logits (B, 3, H, W).
    """

    def __init__(self, width: int, depth: int, n_channels: int = 1) -> None:
        super().__init__()
        channels = [width * 2**level for level in range(depth + 1)]
        self.down = nn.ModuleList(
            _TwoConvolutions(i, o)
            for i, o in zip([4 * n_channels, *channels], channels, strict=False)
        )
        self.up = nn.ModuleList(
            _TwoConvolutions(low + high, high) for high, low in itertools.pairwise(channels)
        )
        self.head = nn.Conv2d(width, 4 * 3, 1)

    def forward(self, image: Tensor) -> Tensor:
        """Return logits (B, 3, H, W)."""
        skips: list[Tensor] = []
        features = self.down[0](nn.functional.pixel_unshuffle(image, 2))
        for block in list(self.down)[1:]:
            skips.append(features)
            features = block(nn.functional.max_pool2d(features, 2))
        for block, skip in zip(reversed(list(self.up)), reversed(skips), strict=True):
            raised = nn.functional.interpolate(features, scale_factor=2.0, mode="nearest")
            features = block(torch.cat([skip, raised], 1))
        return nn.functional.pixel_shuffle(self.head(features), 2)


def train(
    images: Sequence[LabelledImage],
    settings: SegmentationSettings,
    seed: int,
) -> UNet:
    """Train a network from scratch on crops drawn evenly over the images.

    Parameters
    ----------
    images
        Each at least one crop large.
    settings
        Of network and training.
    seed
        Of weights, crops and augmentation.

    Returns
    -------
    The network in evaluation mode.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    network = _new_network(settings, images[0])
    pool = [(normalised(i.image, settings.percentiles), classes(i.labels)) for i in images]
    optimiser = torch.optim.AdamW(
        network.parameters(), settings.learning_rate, weight_decay=settings.weight_decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, settings.learning_rate, settings.steps, pct_start=0.15
    )
    weight = torch.tensor([1.0, 1.0, settings.boundary_weight])
    for _ in range(settings.steps):
        crops = [
            draw_crop(*pool[rng.integers(len(pool))], settings, rng) for _ in range(settings.batch)
        ]
        image = torch.from_numpy(np.stack([c[0] for c in crops]))
        truth = torch.from_numpy(np.stack([c[1] for c in crops])).long()
        with _half_precision():
            logits = network(image.contiguous(memory_format=torch.channels_last))
        loss = nn.functional.cross_entropy(logits.float(), truth, weight)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    network.eval()
    return network


def draw_crop(
    image: Image, truth: NDArray[np.uint8], settings: SegmentationSettings, rng: np.random.Generator
) -> tuple[Image, NDArray[np.uint8]]:
    """Draw one augmented crop (C, side, side): place, orientation, gain, gamma, noise."""
    side = settings.crop_px
    top, left = (int(rng.integers(size - side + 1)) for size in truth.shape)
    window = (slice(top, top + side), slice(left, left + side))
    turns, mirrored = int(rng.integers(4)), bool(rng.integers(2))

    def oriented(plane: NDArray[Any]) -> NDArray[Any]:
        turned = np.rot90(plane[..., *window], turns, (-2, -1))
        return turned[..., ::-1] if mirrored else turned

    gain, gamma = (
        np.exp(rng.uniform(*np.log(limits))) for limits in (settings.gain, settings.gamma)
    )
    crop = oriented(image)
    crop = gain * np.sign(crop) * np.abs(crop) ** gamma
    crop = crop + rng.uniform(0.0, settings.noise) * rng.standard_normal(crop.shape)
    return crop.astype(np.float32), np.ascontiguousarray(oriented(truth))


@torch.inference_mode()
def find_instances(network: UNet, image: NDArray[Any], settings: SegmentationSettings) -> Labels:
    """Segment one whole image, (Y, X) or (Y, X, 3), into instances.

    Returns labels (Y, X).
    """
    height, width = image.shape[:2]
    multiple = 2 ** (settings.depth + 1)
    padding = (0, -width % multiple, 0, -height % multiple)
    plane = torch.from_numpy(normalised(image, settings.percentiles))[None]
    plane = nn.functional.pad(plane, padding, mode="reflect")
    with _half_precision():
        logits = network(plane.contiguous(memory_format=torch.channels_last))
    chances = logits.float().softmax(1)[0, :, :height, :width].numpy()
    return instances(chances, settings)


def instances(chances: Image, settings: SegmentationSettings) -> Labels:
    """Turn class probabilities (3, Y, X) into instances (Y, X).

    Seeds are connected regions that are surely interior; they grow by watershed over all that is
    not background. What holds no seed, a nucleus too small for an interior, is an instance itself.
    """
    foreground = chances[BACKGROUND] < 0.5
    cores, _ = ndimage.label(foreground & (chances[INTERIOR] > settings.seed_chance))
    seeds = without_dust(cores.astype(np.int32), settings.seed_area_px)
    regions, n_regions = ndimage.label(foreground)
    seeded = np.zeros(n_regions + 1, bool)
    seeded[regions[seeds > 0]] = True
    seeds = np.where(seeded[regions], seeds, regions + int(seeds.max()))
    grown = watershed(-chances[INTERIOR], seeds, mask=foreground)  # type: ignore[no-untyped-call]
    return np.asarray(grown, np.int32)


def evaluate(
    network: UNet, images: Sequence[LabelledImage], settings: SegmentationSettings
) -> Score:
    """Score a network on labelled images."""
    return score([match(i.labels, find_instances(network, i.image, settings)) for i in images])


def trained(
    images: Sequence[LabelledImage], settings: SegmentationSettings, seed: int, cache: Path
) -> UNet:
    """Train a network, or read it from the cache if this very training was done before.

    The file's name is a hash of everything that decides the weights: pixels, labels, settings,
    seed and this module.
    """
    digest = hashlib.sha256(f"{settings} {seed} {torch.__version__}".encode())
    digest.update(Path(__file__).read_bytes())
    for image in images:
        digest.update(f"{image.image.dtype} {image.image.shape}".encode())
        digest.update(image.image.tobytes())
        digest.update(image.labels.tobytes())
    path = cache / f"{digest.hexdigest()[:32]}.safetensors"
    network = _new_network(settings, images[0])
    if path.is_file():
        network.load_state_dict(load_file(path))
        network.eval()
        return network
    network = train(images, settings, seed)
    cache.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}.partial")
    save_file({k: v.contiguous() for k, v in network.state_dict().items()}, partial)
    partial.replace(path)
    return network


def _new_network(settings: SegmentationSettings, like: LabelledImage) -> UNet:
    n_channels = like.image.shape[2] if like.image.ndim == 3 else 1
    network = UNet(settings.width, settings.depth, n_channels)
    for parameter in network.parameters():  # `Module.to` has no typed way to say it
        parameter.data = parameter.data.contiguous(
            memory_format=torch.channels_last if parameter.ndim == 4 else torch.contiguous_format
        )
    return network


def _half_precision() -> torch.autocast:
    """Compute convolutions in bfloat16 where the processor has it, else in float32."""
    return torch.autocast("cpu", torch.bfloat16, enabled=torch.cpu._is_avx512_bf16_supported())
