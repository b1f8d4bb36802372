"""The tables of a settings file, one frozen class each."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from napari_unit_training.errors import TrainingError


def check_bounds(settings: Any, bounds: Mapping[str, tuple[float, float]]) -> None:
    """Refuse a field of the settings that lies outside its bounds, both included.

    Raises
    ------
    TrainingError
        With the name, the value and the bounds.
    """
    for name, (low, high) in bounds.items():
        value = getattr(settings, name)
        if not low <= value <= high:
            raise TrainingError(f"{name} is {value}; it must lie from {low:g} to {high:g}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class LossWeights:
    """Weights of the terms of the UNIT objective, in the ratios of the paper.

    Parameters
    ----------
    adversarial
        Of the adversarial terms (the paper's lambda_0).
    kl
        Of the Kullback-Leibler terms of the two auto-encoders (lambda_1).
    reconstruction
        Of their L1 reconstruction (lambda_2).
    cycle_kl
        Of the Kullback-Leibler terms of the cycle's second code (lambda_3).
    cycle
        Of the L1 distance between an image and its way there and back (lambda_4).
    content
        Of the disagreement of an image with its translation in blocks of 4 px; not part of UNIT.
        Above 0 for domains in which bright stays bright: it keeps structures in their place.
    identity
        Of the L1 distance between an image and what comes of it when it is taken for one of the
        other domain and translated to its own (CycleGAN, Zhu et al. 2017, section 5.2); not part
        of UNIT. For domains with as many channels; costs a pass through all networks.
    """

    adversarial: float = 1.0
    kl: float = 0.01
    reconstruction: float = 10.0
    cycle_kl: float = 0.01
    cycle: float = 10.0
    content: float = 0.0
    identity: float = 0.0

    def __post_init__(self) -> None:
        """Refuse weights that would push a term the wrong way."""
        check_bounds(self, {f.name: (0.0, 1e6) for f in fields(self)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Augmentation:
    """Random changes of the training crops, all in the batch on the training device.

    Parameters
    ----------
    horizontal_flip, vertical_flip
        Mirror a crop with probability one half.
    rotate_90
        Turn a crop by 0, 90, 180 or 270 degrees, each as likely.
    brightness
        Largest shift, as a fraction of the intensity range; 0 switches it off.
    contrast, gamma
        Largest relative change of the gain, and of the exponent, above the low end of the range;
        0 switches them off.
    rotation
        Largest angle of a turn, in degrees; what comes in at the corners is mirrored. 0: off.
    scale
        Largest relative change of size; 0: off.
    blur
        Largest standard deviation of a Gaussian blur that one half of the crops get, in pixels;
        0: off.
    noise
        Standard deviation of Gaussian noise that one half of the crops get, in units of [-1, 1];
        0: off.
    """

    horizontal_flip: bool = True
    vertical_flip: bool = True
    rotate_90: bool = True
    brightness: float = 0.0
    contrast: float = 0.0
    gamma: float = 0.0
    rotation: float = 0.0
    scale: float = 0.0
    blur: float = 0.0
    noise: float = 0.0

    def __post_init__(self) -> None:
        """Refuse changes that would make another image of it."""
        check_bounds(
            self,
            {
                **dict.fromkeys(("brightness", "contrast", "gamma", "scale", "noise"), (0.0, 0.9)),
                "rotation": (0.0, 180.0),
                "blur": (0.0, 5.0),
            },
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Cadence:
    """How often a run reports, in images seen.

    Parameters
    ----------
    log
        Images between two reports of the losses.
    preview
        Images between two preview pictures.
    quality
        Images between two measurements of quality.
    checkpoint
        Images between two checkpoints; what a kill can cost.
    """

    log: int = 100
    preview: int = 2_000
    quality: int = 2_000
    checkpoint: int = 2_000

    def __post_init__(self) -> None:
        """Refuse a cadence that never comes."""
        check_bounds(self, {f.name: (1, 10**9) for f in fields(self)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """On what the quality of a run is measured, by which its best model is chosen.

    Parameters
    ----------
    held_out
        Fraction of each domain's images that the run does not learn from, but is measured on; of
        fewer than five images a part of each. 0: none. Without a meaning where images to measure
        on are given.
    crops
        Of each domain that are measured on, always the same.
    """

    held_out: float = 0.1
    crops: int = 64

    def __post_init__(self) -> None:
        """Refuse what leaves too little to learn or to measure."""
        check_bounds(self, {"held_out": (0.0, 0.5), "crops": (4, 100_000)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Watchdog:
    """When a run is taken back to its last good state, and how often.

    Parameters
    ----------
    every_images
        Images between two looks.
    grace_images
        First images of a run, in which only numbers that are not finite count as trouble.
    patience
        Looks in a row that must find the same trouble, but for numbers that are not finite.
    rate_factor
        What the learning rates are multiplied with each time.
    max_returns
        Times that a run goes back before it gives up; 0 gives up at once.
    """

    every_images: int = 200
    grace_images: int = 2_000
    patience: int = 5
    rate_factor: float = 0.5
    max_returns: int = 3

    def __post_init__(self) -> None:
        """Refuse a watchdog that never looks or makes things worse."""
        check_bounds(
            self,
            {
                "every_images": (1, 10**9),
                "grace_images": (0, 10**9),
                "patience": (1, 1000),
                "rate_factor": (1e-3, 1.0),
                "max_returns": (0, 100),
            },
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainSettings:
    """How one of the two sources of images is understood.

    Parameters
    ----------
    name
        By which users choose the direction; empty: the folder's name.
    scaling
        How pixel values map to [-1, 1]: ``"percentiles:LOW,HIGH"`` of each image,
        ``"range:LOW,HIGH"`` in pixel values, or ``"auto"``: 0 to 255 for 8-bit RGB, else the
        percentiles 0.1 and 99.9.
    channels
        Names of the channels, in order; empty: intensity, or red, green and blue, or numbers.
    axes
        A letter per axis of every image, as in ``"YXS"``, ``"CYX"`` or ``"ZYX"``, where the files
        do not say what their axes are; empty: they do. Axes other than C, S, Y and X are planes.
    """

    name: str = ""
    scaling: str = "auto"
    channels: tuple[str, ...] = ()
    axes: str = ""
