"""Networks, optimisers and the one training step; everything that a checkpoint must hold."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from napari_unit.domains import Domain
from napari_unit.models.model import TranslationModel
from napari_unit.runs.events import OPEN_END
from napari_unit.torch_import import import_triton
from napari_unit_training.augment import Augmenter
from napari_unit_training.config import TrainSettings
from napari_unit_training.data.loading import DomainImages
from napari_unit_training.data.sampling import sample_crops, seed_of
from napari_unit_training.discriminators import MultiScaleDiscriminator
from napari_unit_training.ema import AveragedModel
from napari_unit_training.errors import TrainingError
from napari_unit_training.methods.unit import Pair, Unit
from napari_unit_training.precision import autocast
from napari_unit_training.schedule import learning_rate_factor
from napari_unit_training.share import Share
from napari_unit_training.team import ALONE, Kind, Order, Team

INITIALISATION, CROPS_A, CROPS_B, STEP, PREVIEW_A, PREVIEW_B, AUGMENTED = range(7)
N_STREAMS = 16
"""Streams of random numbers, see `napari_unit_training.data.sampling.seed_of`."""


def make_unit(settings: TrainSettings, domains: tuple[Domain, Domain]) -> Unit:
    """Return the networks of a run with random weights, from torch's global generator.

    Raises
    ------
    TrainingError
        If the settings ask for what the domains cannot have.
    """
    model = TranslationModel(*domains, settings.architecture)
    discriminators = [
        MultiScaleDiscriminator(
            domain.n_channels,
            settings.discriminator_width,
            settings.n_scales,
            settings.discriminator_layers,
            spectral_norm=settings.spectral_norm,
            detail_gain=settings.detail_gain,
        )
        for domain in domains
    ]
    try:
        return Unit(
            model,
            discriminators[0],
            discriminators[1],
            settings.adversarial,
            settings.weights,
            cycle_kl_codes=settings.cycle_kl_codes,
            latent_noise=settings.latent_noise,
        )
    except ValueError as error:
        raise TrainingError(str(error)) from error


class Session:
    """A training in progress.

    All randomness is a function of the seed and of the images seen, so that nothing but the
    tensors of `state` has to be kept to go on exactly.

    Parameters
    ----------
    settings
        Of the run.
    domains
        a and b.
    device
        Where it computes.
    team
        The processes that train together; every batch is shared among them.

    Attributes
    ----------
    images_seen, images_total
        Crops of each domain so far, and in all.
    returns
        How often it was taken back to an earlier state; each time lowers the learning rates.
    last_batch
        Images and translations of the last step, the share of this process.
    """

    def __init__(
        self,
        settings: TrainSettings,
        domains: tuple[Domain, Domain],
        device: torch.device,
        team: Team = ALONE,
    ) -> None:
        self.settings = settings
        self.device = device
        self.team = team
        self.images_seen = 0
        self.images_total = OPEN_END if settings.minutes else settings.images_total
        self.returns = 0
        self.last_batch: tuple[Pair, Pair] | None = None
        with seeded(seed_of(settings.seed, 0, INITIALISATION), device):
            self.unit = make_unit(settings, domains)
        # on a CPU, reordering weights in each convolution costs less than Adam on reordered ones
        layout = torch.contiguous_format if device.type == "cpu" else torch.channels_last
        self.unit.to(device, memory_format=layout)  # type: ignore[call-overload]
        self.averaged = AveragedModel(
            self.unit.model, settings.ema_half_life_images, settings.ema_ramp
        )
        self.augmenter = Augmenter(settings.augmentation)
        import_triton()  # Adam does, and this process may have a window
        self.generator_optimiser = self._adam(self.unit.model, settings.generator_learning_rate)
        self.discriminator_optimiser = self._adam(
            self.unit.discriminators, settings.discriminator_learning_rate
        )

    def _adam(self, networks: torch.nn.Module, learning_rate: float) -> torch.optim.Adam:
        return torch.optim.Adam(
            networks.parameters(),
            lr=learning_rate,
            betas=self.settings.betas,
            weight_decay=self.settings.weight_decay,
            fused=self.device.type in ("cpu", "cuda"),
        )

    def step(self, data: tuple[DomainImages, DomainImages]) -> dict[str, Tensor]:
        """Update the generators, then the discriminators, on one batch of each domain.

        Returns
        -------
        Every unweighted term that was computed, by name, as a scalar without gradient, over the
        whole batch.
        """
        settings = self.settings
        self.team.give(Order(Kind.STEP, self.images_seen, self.images_total, self.returns))
        batch_size = min(settings.batch_size, self.images_total - self.images_seen)
        self._set_learning_rates()
        share = self.team.share(batch_size)
        with seeded(seed_of(settings.seed, self.images_seen, self._stream(STEP)), self.device):
            images = Pair(
                self._batch(data[0], CROPS_A, share), self._batch(data[1], CROPS_B, share)
            )
            losses = self._translate(images, share)
        self.images_seen += batch_size
        self.averaged.update(self.unit.model, self.images_seen, batch_size)
        return self.team.mean_losses(losses, share.weight)

    def _translate(self, images: Pair, share: Share) -> dict[str, Tensor]:
        """Update the generators on the whole objective, then the discriminators."""
        settings = self.settings
        with autocast(self.device, settings.precision):
            generated = self.unit.generator_pass(images, share)
        objective = share.weight * generated.terms.weighted_sum(settings.weights)
        self._update(self.unit.model, self.generator_optimiser, objective)
        with autocast(self.device, settings.precision):
            fakes = generated.fakes
            if not settings.reuse_fakes:
                fakes = self.unit.translations(images, share)
            losses = self.unit.discriminator_losses(images, fakes)
        told = {
            **generated.terms.detached(),
            "discriminator_a": losses.a.detach(),
            "discriminator_b": losses.b.detach(),
        }
        self.last_batch = (images, fakes)
        total = settings.weights.adversarial * (losses.a + losses.b)
        every = settings.gradient_penalty_every
        if settings.gradient_penalty and self.images_seen // settings.batch_size % every == 0:
            penalty = self.unit.gradient_penalties(images, fakes, share)
            total = total + every * settings.gradient_penalty * (penalty.a + penalty.b)
            told |= {
                "gradient_penalty_a": penalty.a.detach(),
                "gradient_penalty_b": penalty.b.detach(),
            }
        self._update(self.unit.discriminators, self.discriminator_optimiser, share.weight * total)
        return told

    def _update(
        self, networks: torch.nn.Module, optimiser: torch.optim.Adam, objective: Tensor
    ) -> None:
        """Take one step down the objective of all processes, of which this is one summand."""
        optimiser.zero_grad()
        objective.backward()
        self.team.sum_gradients(networks)
        optimiser.step()

    def _batch(self, data: DomainImages, stream: int, share: Share) -> Tensor:
        settings = self.settings
        crops = sample_crops(
            data.images,
            seed=settings.seed,
            images_seen=self.images_seen + share.start,
            stream=self._stream(stream),
            batch_size=share.stop - share.start,
            crop_px=settings.crop_px,
            min_deviation=settings.min_crop_deviation,
            device=self.device,
        )
        changed = share.part(self.augmenter(share.padded(crops)))
        return changed.contiguous(memory_format=torch.channels_last)

    @property
    def is_open_ended(self) -> bool:
        """Whether the run's length is not known yet, because it has a time and no number."""
        return self.images_total == OPEN_END

    def settle(self, images_total: int | None) -> None:
        """Fix how many images the run will see; None leaves that open."""
        if images_total is not None:
            self.images_total = images_total

    def _stream(self, stream: int) -> int:
        """Return another stream of random numbers after each return: not into the same trouble."""
        return stream + N_STREAMS * self.returns

    @property
    def learning_rate_factor(self) -> float:
        """What the learning rates are multiplied with at the next step."""
        s = self.settings
        lowered: float = s.watchdog.rate_factor**self.returns
        return lowered * learning_rate_factor(
            self.images_seen, self.images_total, s.decay_fraction, s.halve_every_images
        )

    def _set_learning_rates(self) -> None:
        factor = self.learning_rate_factor
        for optimiser, rate in (
            (self.generator_optimiser, self.settings.generator_learning_rate),
            (self.discriminator_optimiser, self.settings.discriminator_learning_rate),
        ):
            for group in optimiser.param_groups:
                group["lr"] = rate * factor

    def obey(self, order: Order) -> None:
        """Be where the leader is, before a step of a process that follows."""
        _, self.images_seen, self.images_total, self.returns = order

    def is_finite(self) -> bool:
        """Whether all weights, the averaged ones too, are numbers, and can still change.

        Where Adam's second moment is infinite, by one huge gradient, its weight stays for good.
        """
        networks = (self.unit, self.averaged.model)
        optimisers = (self.generator_optimiser, self.discriminator_optimiser)
        weights = [p for network in networks for p in network.parameters()]
        moments = [s["exp_avg_sq"] for o in optimisers for s in o.state.values()]
        return all(bool(torch.isfinite(numbers).all()) for numbers in weights + moments)

    def state(self) -> dict[str, Any]:
        """Return all that `load_state` needs to go on exactly, as tensors and plain values."""
        return {
            "images_seen": self.images_seen,
            "images_total": self.images_total,
            "returns": self.returns,
            "networks": self.unit.state_dict(),
            "averaged": self.averaged.model.state_dict(),
            "generator_optimiser": self.generator_optimiser.state_dict(),
            "discriminator_optimiser": self.discriminator_optimiser.state_dict(),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from what `state` returned, the leader with all that follow it."""
        self.team.send_state({name: state[name] for name in self.state()})
        self.images_seen = int(state["images_seen"])
        self.images_total = int(state["images_total"])
        self.returns = int(state["returns"])
        self.last_batch = None
        self.unit.load_state_dict(state["networks"])
        self.averaged.model.load_state_dict(state["averaged"])
        self.generator_optimiser.load_state_dict(state["generator_optimiser"])
        self.discriminator_optimiser.load_state_dict(state["discriminator_optimiser"])


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Seed torch's global generators inside, and put them back as they were."""
    cuda = [device.index or 0] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=cuda):
        torch.manual_seed(seed)
        yield
