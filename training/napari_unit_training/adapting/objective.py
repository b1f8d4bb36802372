"""What an adaptation minimises: translations, a classifier, and features that agree.

UNIT, Liu et al. 2017, section 4, "Domain Adaptation": the two discriminators are tied but for
their first layer, a classifier stands on their highest features and learns from the source's
labels, and the distance of those features is kept small for pairs of generated images that
correspond. As the domains' images come to share features, the classifier holds for both.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from napari_unit_training.adapting.networks import (
    CoupledDecoders,
    CoupledDiscriminators,
    CoupledEncoders,
)
from napari_unit_training.adapting.settings import SOURCE, TARGET, AdaptationSettings
from napari_unit_training.frozen import frozen
from napari_unit_training.losses import adversarial_generator, kl_to_unit_normal, l1_distance

DOMAINS = (SOURCE, TARGET)
FAKE_SHARE = 0.5
"""What translations and reconstructions count each, where both are shown as not real."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Images of both domains.

    Parameters
    ----------
    images
        Of source and target, shapes (B, C, S, S) in [-1, 1].
    labels
        Of the source's images, shape (B,); of the target's where that is who is learned from.
    """

    images: tuple[Tensor, Tensor]
    labels: Tensor


@dataclass(frozen=True, slots=True)
class Generated:
    """Images from one set of codes, in both domains.

    Parameters
    ----------
    images
        In the source's look and in the target's; number n of both correspond.
    mean
        Of the codes, where there are encoders.
    """

    images: tuple[Tensor, Tensor]
    mean: Tensor | None = None


class Adaptation(nn.Module):
    """The networks of an adaptation, and the two losses that are minimised in turn.

    Parameters
    ----------
    settings
        Of the run.
    channels
        Of the images of source and target.
    n_classes
        Of the labelled images.
    """

    def __init__(
        self, settings: AdaptationSettings, channels: tuple[int, int], n_classes: int
    ) -> None:
        super().__init__()
        side, width = settings.side_px, settings.width
        self.settings = settings
        self.discriminators = CoupledDiscriminators(
            channels, side, settings.discriminator_width, n_classes
        )
        self.decoders: CoupledDecoders | None = None
        self.encoders: CoupledEncoders | None = None
        if settings.method in ("unit", "cogan"):
            self.decoders = CoupledDecoders(channels, side, width)
        if settings.method == "unit":
            self.encoders = CoupledEncoders(channels, side, width, coordinates=settings.coordinates)

    @property
    def generator_parameters(self) -> list[nn.Parameter]:
        """Of encoders and decoders."""
        parts = [part for part in (self.encoders, self.decoders) if part is not None]
        return [parameter for part in parts for parameter in part.parameters()]

    def generate(self, batch: Batch) -> tuple[Generated, ...]:
        """Make pairs of images: from the codes of both domains' images, or from random codes."""
        if self.decoders is None:
            return ()
        if self.encoders is None:
            images = batch.images[SOURCE]
            code = torch.randn(len(images), self.decoders.code_channels, 1, 1, device=images.device)
            return (Generated(self._decoded(code)),)
        made = []
        for domain in DOMAINS:
            mean = self.encoders(batch.images[domain], domain)
            made.append(Generated(self._decoded(mean + torch.randn_like(mean)), mean))
        return tuple(made)

    def _decoded(self, code: Tensor) -> tuple[Tensor, Tensor]:
        assert self.decoders is not None
        return self.decoders(code, SOURCE), self.decoders(code, TARGET)

    def generator_terms(self, batch: Batch) -> tuple[dict[str, Tensor], tuple[Generated, ...]]:
        """Return the generators' terms by the names of their weights, and what they made."""
        made = self.generate(batch)
        with frozen(self.discriminators):
            real = [
                self.discriminators(generated.images[domain], domain)[0]
                for generated in made
                for domain in DOMAINS
            ]
        terms = {"adversarial": adversarial_generator(real, "cross-entropy")}
        if self.encoders is None:
            return terms, made
        means = [generated.mean for generated in made if generated.mean is not None]
        terms["kl"] = _sum([kl_to_unit_normal(mean) for mean in means])
        terms["reconstruction"] = _sum(
            [l1_distance(made[d].images[d], batch.images[d]) for d in DOMAINS]
        )
        if self.settings.weights.cycle:
            terms["cycle"] = self._cycle(batch, made)
        return terms, made

    def _cycle(self, batch: Batch, made: tuple[Generated, ...]) -> Tensor:
        assert self.encoders is not None
        assert self.decoders is not None
        errors = []
        for domain in DOMAINS:
            other = 1 - domain
            mean = self.encoders(made[domain].images[other], other)
            back = self.decoders(mean + torch.randn_like(mean), domain)
            errors.append(l1_distance(back, batch.images[domain]))
        return _sum(errors)

    def discriminator_terms(self, batch: Batch, made: tuple[Generated, ...]) -> dict[str, Tensor]:
        """Return the discriminators' terms by the names of their weights.

        Parameters
        ----------
        batch
            Images and labels.
        made
            By the generators; no gradient goes there.
        """
        if not made:
            learned = self.settings.learned_from
            classes = self.discriminators(batch.images[learned], learned)[1]
            return {"classification": cross_entropy(classes, batch.labels)}
        n = len(batch.labels)
        real: list[Tensor] = []
        fake: list[Tensor] = []
        features: list[tuple[Tensor, ...]] = []
        classification = torch.zeros(())
        for domain in DOMAINS:
            shown = [batch.images[domain], *(g.images[domain].detach() for g in made)]
            is_real, classes, top = self.discriminators(torch.cat(shown), domain)
            if domain == SOURCE:
                classification = cross_entropy(classes[:n], batch.labels)
            real.append(nn.functional.softplus(-is_real[:n]).mean())
            share = FAKE_SHARE if len(made) > 1 else 1.0
            fake += [share * nn.functional.softplus(x).mean() for x in is_real[n:].split(n)]
            features.append(top[n:].split(n))
        terms = {"adversarial": _sum(real) + _sum(fake), "classification": classification}
        if self.encoders is not None:  # CoGAN has no such term
            pairs = zip(*features, strict=True)
            terms["feature"] = _sum([l1_distance(one, other) for one, other in pairs])
        return terms

    def weighted_sum(self, terms: Mapping[str, Tensor]) -> Tensor:
        """Return what is minimised."""
        return _sum([getattr(self.settings.weights, name) * term for name, term in terms.items()])

    @torch.no_grad()
    def classify(self, images: Tensor) -> Tensor:
        """Return probabilities (B, K) of the classes of target images (B, C, S, S).

        A classifier that has seen the source alone looks at them as at images of the source.
        """
        was_training = self.discriminators.training
        self.discriminators.eval()
        domain = SOURCE if self.settings.method == "source-only" else TARGET
        try:
            classes: Tensor = self.discriminators(images, domain)[1].softmax(1)
            return classes
        finally:
            self.discriminators.train(was_training)


def _sum(parts: list[Tensor]) -> Tensor:
    return torch.stack([part.float() for part in parts]).sum()
