"""Settings of a domain adaptation: frozen values with the default at the field."""

from dataclasses import dataclass, field, fields
from typing import Literal, get_args

from napari_unit_training.config_tables import check_bounds
from napari_unit_training.errors import TrainingError

Method = Literal["unit", "cogan", "source-only", "target-supervised"]
METHODS: tuple[Method, ...] = get_args(Method)
SOURCE, TARGET = 0, 1
"""The two domains."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaptationWeights:
    """Weights of the terms.

    Parameters
    ----------
    adversarial
        Of the adversarial terms.
    classification
        Of the cross-entropy of the labelled images' classes.
    feature
        Of the L1 distance of the discriminators' highest features of a pair of generated images
        that correspond; UNIT's alone.
    reconstruction, kl
        Of the auto-encoders' L1 and Kullback-Leibler terms.
    cycle
        Of the L1 distance between an image and its way there and back.
    """

    adversarial: float = 1.0
    classification: float = 10.0
    feature: float = 1.0
    reconstruction: float = 10.0
    kl: float = 0.01
    cycle: float = 0.0

    def __post_init__(self) -> None:
        """Refuse weights that would push a term the wrong way."""
        check_bounds(self, {f.name: (0.0, 1e6) for f in fields(self)})


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaptationSettings:
    """All settings of an adaptation; with the images they determine its result.

    Parameters
    ----------
    method
        ``"unit"``: UNIT, Liu et al. 2017, section 4. ``"cogan"``: two tied generators without
        encoders and without the term on features (Liu, Tuzel 2016). ``"source-only"``: the
        classifier sees labelled source images alone. ``"target-supervised"``: it sees labelled
        target images, what nothing can beat.
    side_px
        Images are resized to squares of so many pixels: 16, 32 or 64.
    width
        Of the generators: feature maps at half the images' side.
    discriminator_width
        Feature maps of the discriminators at the images' side.
    coordinates
        Show the encoders where a pixel is: two more channels, from -1 to 1 along x and along y.
    inverted_target
        Add the negatives of the target's training images, as the paper does for MNIST where the
        source has dark digits on bright ground as well as bright ones on dark.
    batch_size, steps
        Images of each domain per step, and steps in all.
    learning_rate, betas, weight_decay
        Of Adam, for generators and discriminators.
    decay_fraction
        Last part of the run in which the learning rate falls linearly to zero.
    weights
        Of the terms.
    report_every, checkpoint_every
        Steps between two reports, and between two checkpoints.
    device
        ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"``.
    seed
        Of everything random.
    """

    method: Method = "unit"
    side_px: int = 32
    width: int = 64
    discriminator_width: int = 64
    coordinates: bool = True
    inverted_target: bool = False
    batch_size: int = 64
    steps: int = 25_000
    learning_rate: float = 2e-4
    betas: tuple[float, float] = (0.5, 0.999)
    weight_decay: float = 5e-4
    decay_fraction: float = 0.0
    weights: AdaptationWeights = field(default_factory=AdaptationWeights)
    report_every: int = 100
    checkpoint_every: int = 1_000
    device: str = "auto"
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse values that no adaptation can have."""
        check_bounds(
            self,
            {
                "width": (1, 512),
                "discriminator_width": (1, 512),
                "batch_size": (2, 4096),
                "steps": (1, 10**9),
                "learning_rate": (0.0, 1.0),
                "weight_decay": (0.0, 1.0),
                "decay_fraction": (0.0, 1.0),
                "report_every": (1, 10**9),
                "checkpoint_every": (1, 10**9),
                "seed": (0, 2**63 - 1),
            },
        )
        if self.side_px not in (16, 32, 64):
            raise TrainingError(f"side_px is {self.side_px}; it must be 16, 32 or 64.")
        if not all(0 <= beta < 1 for beta in self.betas):
            raise TrainingError(f"betas is {self.betas}; both must be from 0 to below 1.")

    @property
    def learned_from(self) -> int:
        """The domain whose labels are learned from."""
        return TARGET if self.method == "target-supervised" else SOURCE
