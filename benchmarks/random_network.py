"""Features of images that nobody trained: random convolutions, always the same."""

import torch
from torch import Tensor, nn

_SIZES = ((16, 5), (32, 3), (64, 3), (128, 3))


class RandomNetwork(nn.Module):
    """A convolutional network with seeded random weights; it is never trained.

    Means and standard deviations of each channel after each of four stages; every other filter has
    mean zero, so that fine structure is not drowned by brightness. Naeem et al. 2020 ("Reliable
    fidelity and diversity metrics") recommend such networks where images are unlike ImageNet's.

    Parameters
    ----------
    channels
        Of the images.
    seed
        Of the weights.
    """

    def __init__(self, channels: int, seed: int = 0) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.stages = nn.ModuleList()
        inputs = channels
        for outputs, kernel in _SIZES:
            stage = nn.Conv2d(
                inputs, outputs, kernel, padding=kernel // 2, padding_mode="reflect", bias=False
            )
            weights = torch.randn(stage.weight.shape, generator=generator)
            weights[::2] -= weights[::2].mean((1, 2, 3), keepdim=True)
            scale = (2.0 / (inputs * kernel**2)) ** 0.5  # He et al. 2015: keeps the variance
            stage.weight = nn.Parameter(weights * scale, requires_grad=False)
            self.stages.append(stage)
            inputs = outputs

    def forward(self, images: Tensor) -> Tensor:
        """Return features (N, 480), 0 or more, of images (N, C, H, W) in which dark is 0."""
        found: list[Tensor] = []
        signal = images
        for stage in self.stages:
            signal = nn.functional.relu(stage(signal))
            found += [signal.mean((2, 3)), signal.std((2, 3))]
            signal = nn.functional.avg_pool2d(signal, 2)
        return torch.cat(found, 1)
