"""Settings of a training run: frozen values with the default at the field."""

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from napari_unit.models.architecture import Architecture
from napari_unit_training.config_tables import (
    Augmentation,
    Cadence,
    DomainSettings,
    LossWeights,
    Validation,
    Watchdog,
    check_bounds,
)
from napari_unit_training.errors import TrainingError

Adversarial = Literal["least-squares", "cross-entropy"]
Precision = Literal["auto", "float32"]
CycleKl = Literal["both", "second"]
WeightsDtype = Literal["float32", "float16"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainSettings:
    """All settings of a run; with the images they determine its result.

    Parameters
    ----------
    name, description
        Of the exported model; empty: made from the names of the domains.
    domain_a, domain_b
        How the two sources are understood.
    skip_bad_images
        Leave out images that cannot be used, with a note, instead of refusing the source.
    width, n_residual, n_shared
        Sizes of encoders and decoders, see `napari_unit.models.architecture.Architecture`.
    discriminator_width
        Feature maps after the first convolution of a discriminator; 64 is the paper's.
    discriminator_layers
        Convolutions of stride 2 in each; the depth of the paper's ablation.
    n_scales
        Discriminators per domain, each on half the resolution of the one before; the authors'
        later form has 3.
    spectral_norm
        Bound the discriminators' Lipschitz constant (Miyato et al. 2018).
    detail_gain
        Above 0, the discriminators see the image's local detail too, this many times as strong
        and bounded by a tanh: for images that are mostly dark, where they would long overlook
        grain and texture.
    crop_px
        Side of the square training crops, a multiple of 4.
    min_crop_deviation
        Crops whose standard deviation, in units of [-1, 1], is below it in every channel are
        drawn again, a few times: they teach nothing and instance norm blows up their noise.
    batch_size
        Crops of each domain per step.
    images_total
        Crops of each domain that the run sees, in all.
    minutes
        Above 0 the run has so many minutes instead: its speed is measured at the start, and then
        `images_total` follows.
    generator_learning_rate, discriminator_learning_rate
        Of Adam.
    betas, weight_decay
        Of Adam; the decay is the L2 term inside Adam, as in the paper's.
    decay_fraction
        Last part of the run in which the learning rates fall linearly to zero.
    halve_every_images
        Images after which the learning rates are halved, again and again; 0: never.
    adversarial
        ``"least-squares"`` (Mao et al. 2017) or ``"cross-entropy"`` (Goodfellow et al. 2014).
    cycle_kl_codes
        Whose divergences `weights.cycle_kl` counts: ``"both"`` codes of the cycle, as the paper
        writes, or the ``"second"`` alone, as the authors' later code has it.
    latent_noise
        Add N(0, I) to the latent codes in training, as a variational auto-encoder does; without
        it, and without KL terms, the auto-encoders are plain ones.
    reuse_fakes
        Show the discriminators the translations that the generators were just updated with;
        else they are made again by the updated generators, which costs an eighth of a step.
    gradient_penalty
        Weight of the zero-centred gradient penalty on the discriminators (Mescheder et al. 2018);
        0: off.
    gradient_penalty_every
        Steps between two penalties, each of which counts so many times (Karras et al. 2020).
    weights
        Of the terms of the objective.
    ema_half_life_images
        Half-life of the averaged weights that are exported, in images; 0 exports the last ones.
    ema_ramp
        At the start the half-life is at most this fraction of the images seen so far.
    augmentation
        Random changes of the crops.
    precision
        ``"auto"``: bfloat16 convolutions where the device is fast at them; ``"float32"``.
    device
        ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"``.
    devices
        How many train together, each on its share of every batch: GPUs, or processes that share
        the cores of the CPU.
    seed
        Of everything random: weights, crops, augmentation, latent noise.
    cadence
        How often the run reports.
    validation
        What its quality is measured on.
    watchdog
        When it goes back.
    weights_dtype
        Of the exported model file.
    """

    name: str = ""
    description: str = ""
    domain_a: DomainSettings = field(default_factory=DomainSettings)
    domain_b: DomainSettings = field(default_factory=DomainSettings)
    skip_bad_images: bool = False
    width: int = 64
    n_residual: int = 4
    n_shared: int = 1
    discriminator_width: int = 64
    discriminator_layers: int = 4
    n_scales: int = 1
    spectral_norm: bool = True
    detail_gain: float = 0.0
    crop_px: int = 256
    min_crop_deviation: float = 0.01
    batch_size: int = 1
    images_total: int = 100_000
    minutes: float = 0.0
    generator_learning_rate: float = 1e-4
    discriminator_learning_rate: float = 1e-4
    betas: tuple[float, float] = (0.5, 0.999)
    weight_decay: float = 1e-4
    decay_fraction: float = 0.5
    halve_every_images: int = 0
    adversarial: Adversarial = "least-squares"
    cycle_kl_codes: CycleKl = "both"
    latent_noise: bool = True
    reuse_fakes: bool = True
    gradient_penalty: float = 0.0
    gradient_penalty_every: int = 16
    weights: LossWeights = field(default_factory=LossWeights)
    ema_half_life_images: int = 0
    ema_ramp: float = 0.05
    augmentation: Augmentation = field(default_factory=Augmentation)
    precision: Precision = "auto"
    device: str = "auto"
    devices: int = 1
    seed: int = 0
    cadence: Cadence = field(default_factory=Cadence)
    validation: Validation = field(default_factory=Validation)
    watchdog: Watchdog = field(default_factory=Watchdog)
    weights_dtype: WeightsDtype = "float32"

    def __post_init__(self) -> None:
        """Refuse values that no run can have."""
        check_bounds(
            self,
            {
                "discriminator_width": (1, 512),
                "discriminator_layers": (1, 8),
                "n_scales": (1, 6),
                "detail_gain": (0.0, 1000.0),
                "min_crop_deviation": (0.0, 1.0),
                "batch_size": (1, 4096),
                "images_total": (1, 10**9),
                "minutes": (0.0, 10**6),
                "generator_learning_rate": (0.0, 1.0),
                "discriminator_learning_rate": (0.0, 1.0),
                "weight_decay": (0.0, 1.0),
                "decay_fraction": (0.0, 1.0),
                "halve_every_images": (0, 10**9),
                "gradient_penalty": (0.0, 1e6),
                "gradient_penalty_every": (1, 10**6),
                "ema_half_life_images": (0, 10**9),
                "ema_ramp": (1e-6, 1.0),
                "devices": (1, 4096),
                "seed": (0, 2**63 - 1),
            },
        )
        try:
            Architecture(self.width, self.n_residual, self.n_shared)
        except ValueError as error:
            raise TrainingError(str(error)) from error
        if not all(0 <= beta < 1 for beta in self.betas):
            raise TrainingError(f"betas is {self.betas}; both must be from 0 to below 1.")
        if self.batch_size < self.devices:
            raise TrainingError(
                f"batch_size is {self.batch_size} and devices is {self.devices}; each device needs "
                "an image of every batch: raise batch_size, or take fewer devices."
            )
        if self.crop_px % 4 or self.crop_px < self.smallest_crop_px:
            raise TrainingError(
                f"crop_px is {self.crop_px}; it must be a multiple of 4 and at least "
                f"{self.smallest_crop_px} for n_scales = {self.n_scales} and "
                f"discriminator_layers = {self.discriminator_layers}."
            )

    @property
    def smallest_crop_px(self) -> int:
        """The least side of a crop: the coarsest discriminator makes one logit of it."""
        return 1 << (self.discriminator_layers + self.n_scales - 1)

    @property
    def architecture(self) -> Architecture:
        """Sizes of encoders and decoders."""
        return Architecture(self.width, self.n_residual, self.n_shared)

    def to_mapping(self) -> dict[str, Any]:
        """Return the settings as plain JSON values, nested as in TOML."""
        mapping: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return mapping
