"""Random changes of training crops, by kornia, in the batch and on its device."""

import math
from typing import Any

import kornia.augmentation as kornia_augmentation
import torch
from torch import Tensor

from napari_unit_training.config_tables import Augmentation


class Augmenter:
    """Flips, quarter turns, small turns and sizes; gamma, gain, brightness; blur, then noise.

    In the order in which they come about in a microscope: the specimen, the light, the camera.

    Random numbers come from torch's global generator, which the training loop seeds per step.

    Parameters
    ----------
    settings
        Which changes and how large.
    """

    def __init__(self, settings: Augmentation) -> None:
        geometry = kornia_augmentation
        self._geometric: list[torch.nn.Module] = []
        if settings.horizontal_flip:
            self._geometric.append(geometry.RandomHorizontalFlip(p=0.5))
        if settings.vertical_flip:
            self._geometric.append(geometry.RandomVerticalFlip(p=0.5))
        if settings.rotate_90:
            # kornia rounds a uniform number: -1, 0, 1 and 2 have an interval of length 1 each;
            # any other resampling than nearest would blur by rounding errors
            times: Any = (-1.5, 2.5)
            self._geometric.append(
                geometry.RandomRotation90(times=times, p=1.0, resample="nearest")
            )
        if settings.rotation or settings.scale:
            self._geometric.append(
                geometry.RandomAffine(
                    settings.rotation,
                    scale=_about_one(settings.scale) if settings.scale else None,
                    padding_mode="REFLECTION",
                    align_corners=True,
                    p=1.0,
                )
            )
        self._intensity: list[torch.nn.Module] = []
        if settings.gamma:
            self._intensity.append(
                geometry.RandomGamma(_about_one(settings.gamma), (1.0, 1.0), p=1.0)
            )
        if settings.contrast:
            self._intensity.append(geometry.RandomContrast(_about_one(settings.contrast), p=1.0))
        if settings.brightness:
            self._intensity.append(
                geometry.RandomBrightness(_about_one(settings.brightness), p=1.0)
            )
        if settings.blur:
            side = 2 * math.ceil(3 * settings.blur) + 1
            sigma = (0.1 * settings.blur, settings.blur)
            self._intensity.append(geometry.RandomGaussianBlur((side, side), sigma, p=0.5))
        if settings.noise:
            # half of the range, as the values are from 0 to 1 here
            self._intensity.append(geometry.RandomGaussianNoise(std=settings.noise / 2, p=0.5))

    def __call__(self, crops: Tensor) -> Tensor:
        """Return changed crops (B, C, H, W), H equal to W, float32 in [-1, 1] as they came."""
        for change in self._geometric:
            crops = change(crops)
        if not self._intensity:
            return crops
        unit = (crops + 1.0) * 0.5
        for change in self._intensity:
            unit = change(unit).clamp(0.0, 1.0)
        return unit * 2.0 - 1.0


def _about_one(deviation: float) -> tuple[float, float]:
    return 1.0 - deviation, 1.0 + deviation
