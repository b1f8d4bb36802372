"""Averaged weights: what is exported and previewed."""

import copy

import torch
from torch import Tensor

from napari_unit.models.model import TranslationModel


class AveragedModel:
    """An exponential moving average of a model's weights, counted in images.

    The half-life grows with the run up to its final value, so that early weights fade fast
    (Karras et al. 2020, "Training GANs with limited data", ``ema_rampup`` in their code).

    Parameters
    ----------
    model
        Whose weights are averaged; the average starts as a copy.
    half_life_images
        Images after which a weight's share has halved; 0 keeps just the last weights.
    ramp
        The half-life is at most this fraction of the images seen.
    """

    def __init__(self, model: TranslationModel, half_life_images: int, ramp: float) -> None:
        self.model = copy.deepcopy(model).requires_grad_(False).eval()
        self.half_life_images = half_life_images
        self.ramp = ramp

    def decay(self, images_seen: int, batch_size: int) -> float:
        """Return the share of the old average after a step that ended at `images_seen`."""
        half_life = min(float(self.half_life_images), self.ramp * images_seen)
        return 0.5 ** (batch_size / half_life) if half_life > 0 else 0.0

    @torch.no_grad()
    def update(self, model: TranslationModel, images_seen: int, batch_size: int) -> None:
        """Move the average towards the model's weights."""
        averaged: list[Tensor] = list(self.model.parameters())
        current = [p.detach() for p in model.parameters()]
        torch._foreach_lerp_(averaged, current, 1.0 - self.decay(images_seen, batch_size))
