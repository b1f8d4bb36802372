"""An adaptation in progress: networks, optimisers, and the one step."""

from typing import Any

import torch
from torch import Tensor

from napari_unit_training.adapting.labelled_images import LabelledImages
from napari_unit_training.adapting.objective import Adaptation, Batch, Generated
from napari_unit_training.adapting.settings import AdaptationSettings
from napari_unit_training.data.sampling import seed_of
from napari_unit_training.schedule import learning_rate_factor
from napari_unit_training.session import seeded

INITIALISATION, STEP, PICTURES = range(3)
"""Streams of random numbers, see `napari_unit_training.data.sampling.seed_of`."""


class AdaptationSession:
    """An adaptation in progress; a function of its settings, its images and its steps.

    Parameters
    ----------
    settings
        Of the run.
    source, target
        Training images; the labels of those that are learned from are needed.
    device
        Where it computes.

    Attributes
    ----------
    steps_done
        So far.
    """

    def __init__(
        self,
        settings: AdaptationSettings,
        source: LabelledImages,
        target: LabelledImages,
        device: torch.device,
    ) -> None:
        self.settings = settings
        self.data = (source, target)
        self.device = device
        self.steps_done = 0
        channels = (source.n_channels, target.n_channels)
        with seeded(seed_of(settings.seed, 0, INITIALISATION), device):
            n_classes = len(self.data[settings.learned_from].classes)
            adaptation = Adaptation(settings, channels, n_classes)
        # a quarter faster on a CPU than torch's default layout
        layout = torch.channels_last
        self.adaptation = adaptation.to(device, memory_format=layout)  # type: ignore[call-overload]
        generators = self.adaptation.generator_parameters
        self._optimisers = {
            "discriminators": self._adam(list(self.adaptation.discriminators.parameters()))
        }
        if generators:
            self._optimisers["generators"] = self._adam(generators)

    def _adam(self, parameters: list[torch.nn.Parameter]) -> torch.optim.Adam:
        settings = self.settings
        return torch.optim.Adam(
            parameters,
            lr=settings.learning_rate,
            betas=settings.betas,
            weight_decay=settings.weight_decay,
        )

    def step(self) -> dict[str, Tensor]:
        """Update the generators, then the discriminators with the classifier, on one batch.

        Returns
        -------
        Every unweighted term by name, ``generators_adversarial`` and so on, without gradient.
        """
        adaptation = self.adaptation
        factor = learning_rate_factor(
            self.steps_done, self.settings.steps, self.settings.decay_fraction
        )
        for optimiser in self._optimisers.values():
            for group in optimiser.param_groups:
                group["lr"] = factor * self.settings.learning_rate
        told: dict[str, Tensor] = {}
        with seeded(seed_of(self.settings.seed, self.steps_done, STEP), self.device):
            batch = self._batch()
            made: tuple[Generated, ...] = ()
            if "generators" in self._optimisers:
                terms, made = adaptation.generator_terms(batch)
                told |= self._update("generators", terms)
            told |= self._update("discriminators", adaptation.discriminator_terms(batch, made))
        self.steps_done += 1
        return told

    def _batch(self) -> Batch:
        """Draw images evenly, each domain for itself."""
        n = self.settings.batch_size
        places = [torch.randint(len(data.images), (n,)) for data in self.data]
        source, target = (
            data.batch(p, self.device) for data, p in zip(self.data, places, strict=True)
        )
        learned = self.settings.learned_from
        labels = self.data[learned].labels
        assert labels is not None
        return Batch((source, target), labels[places[learned]].to(self.device))

    def _update(self, part: str, terms: dict[str, Tensor]) -> dict[str, Tensor]:
        optimiser = self._optimisers[part]
        optimiser.zero_grad()
        self.adaptation.weighted_sum(terms).backward()
        optimiser.step()
        return {f"{part}_{name}": term.detach() for name, term in terms.items()}

    def classify(self, images: LabelledImages) -> Tensor:
        """Return the probabilities (N, K) of the classes of target images, on the CPU."""
        places = torch.arange(len(images.images)).split(1000)
        found = [self.adaptation.classify(images.batch(p, self.device)).cpu() for p in places]
        return torch.cat(found)

    @torch.no_grad()
    def shown(self, batch: Batch) -> tuple[Generated, ...]:
        """Return what the generators make of a batch, the same each time."""
        with seeded(seed_of(self.settings.seed, self.steps_done, PICTURES), self.device):
            made: tuple[Generated, ...] = self.adaptation.generate(batch)
        return made

    def state(self) -> dict[str, Any]:
        """Return all that `load_state` needs to go on exactly."""
        return {
            "images_seen": self.steps_done * self.settings.batch_size,
            "steps_done": self.steps_done,
            "networks": self.adaptation.state_dict(),
            **{name: optimiser.state_dict() for name, optimiser in self._optimisers.items()},
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from what `state` returned."""
        self.steps_done = int(state["steps_done"])
        self.adaptation.load_state_dict(state["networks"])
        for name, optimiser in self._optimisers.items():
            optimiser.load_state_dict(state[name])
