"""The UNIT objective: two variational auto-encoders, two adversaries, two cycles.

UNIT, Liu, Breuel, Kautz 2017, section 3: ``min over E, G, max over D of L_VAE1 + L_GAN1 + L_CC1 +
L_VAE2 + L_GAN2 + L_CC2``, solved by alternating updates.
"""

from dataclasses import dataclass, fields

import torch
from torch import Tensor, nn

from napari_unit.models.model import TranslationModel
from napari_unit_training.config import Adversarial, CycleKl
from napari_unit_training.config_tables import LossWeights
from napari_unit_training.dither import dithered
from napari_unit_training.frozen import frozen
from napari_unit_training.losses import (
    adversarial_discriminator,
    adversarial_generator,
    content_disagreement,
    gradient_penalty,
    kl_to_unit_normal,
    l1_distance,
)
from napari_unit_training.share import WHOLE, Share


@dataclass(frozen=True, slots=True)
class Pair:
    """One value per domain.

    Parameters
    ----------
    a, b
        Of domain a and of domain b.
    """

    a: Tensor
    b: Tensor


@dataclass(frozen=True, slots=True)
class Terms:
    """The generators' terms, one field per weight of `LossWeights`, each for both domains.

    Parameters
    ----------
    adversarial
        L_GAN: what the domain's discriminator says of the translations into it.
    kl, reconstruction
        L_VAE of the domain's images.
    cycle_kl, cycle
        L_CC of the domain's images: the divergences of both codes, that of the image and that of
        its translation, and the L1 distance there and back.
    content
        How little the translation of the domain's images corresponds to them; not part of UNIT.
    identity
        How much the domain's images change when they are taken for the other's and translated to
        their own; not part of UNIT.

    Terms that would take a pass of their own are None where they have no weight.
    """

    adversarial: Pair
    kl: Pair
    content: Pair
    reconstruction: Pair | None = None
    cycle_kl: Pair | None = None
    cycle: Pair | None = None
    identity: Pair | None = None

    def weighted_sum(self, weights: LossWeights) -> Tensor:
        """Return what the generators minimise.

        Raises
        ------
        TypeError
            If a weight has no term or a term no weight.
        ValueError
            If a term has a weight and was not computed.
        """
        names = {f.name for f in fields(weights)}
        if names != {f.name for f in fields(self)}:
            raise TypeError(f"Weights {sorted(names)} and terms differ; give each term a weight.")
        total = torch.zeros((), device=self.kl.a.device)
        for name in sorted(names):
            pair: Pair | None = getattr(self, name)
            if pair is None:
                if getattr(weights, name) > 0:
                    raise ValueError(f"The term {name} has a weight, but was not computed.")
                continue
            total = total + getattr(weights, name) * (pair.a + pair.b)
        return total

    def detached(self) -> dict[str, Tensor]:
        """Return every term by name and domain, without gradient."""
        return {
            f"{f.name}_{domain}": getattr(getattr(self, f.name), domain).detach()
            for f in fields(self)
            for domain in ("a", "b")
            if getattr(self, f.name) is not None
        }


@dataclass(frozen=True, slots=True)
class GeneratorPass:
    """What one pass through the generators gives.

    Parameters
    ----------
    terms
        Of the objective.
    fakes
        Translations into each domain, (B, C, H, W), without gradient, for the discriminators.
    """

    terms: Terms
    fakes: Pair


class Unit(nn.Module):
    """The networks of a UNIT training and the two losses that are minimised in turn.

    Parameters
    ----------
    model
        Encoders and decoders; what is exported.
    discriminator_a, discriminator_b
        Map images of their domain to logits per scale.
    adversarial
        The adversarial loss.
    cycle_kl_codes
        Whose divergences the cycle's KL term counts.
    weights
        Of the terms: what has none and would take a pass of its own is not computed.
    latent_noise
        Decode samples of the codes, as a variational auto-encoder does, not their means.

    Raises
    ------
    ValueError
        If the identity term has a weight and the domains differ in channels.
    """

    def __init__(
        self,
        model: TranslationModel,
        discriminator_a: nn.Module,
        discriminator_b: nn.Module,
        adversarial: Adversarial,
        weights: LossWeights,
        *,
        cycle_kl_codes: CycleKl = "both",
        latent_noise: bool = True,
    ) -> None:
        super().__init__()
        a, b = model.domains
        if weights.identity > 0 and a.n_channels != b.n_channels:
            raise ValueError(
                f"Domain {a.name!r} has {a.n_channels} channels and {b.name!r} has {b.n_channels}; "
                "an identity term needs as many in both: set weights.identity to 0."
            )
        self.model = model
        self.discriminators = nn.ModuleList([discriminator_a, discriminator_b])
        self.adversarial = adversarial
        self.weights = weights
        self.cycle_kl_codes = cycle_kl_codes
        self.latent_noise = latent_noise

    def generator_pass(self, images: Pair, share: Share = WHOLE) -> GeneratorPass:
        """Compute all terms of encoders and decoders on images (B, C, H, W) in [-1, 1].

        The latent noise N(0, I), where there is any, comes from torch's global generator;
        reconstruction and translation of an image have one sample in common, the way back draws a
        fresh one.

        Parameters
        ----------
        images
            Of both domains.
        share
            Which part of a batch they are.
        """
        mean_a, mean_b = (
            self._encoded(0, images.a),
            self._encoded(1, images.b),
        )  # (B, 4 width, H/4, W/4)
        code_a, code_b = self._sampled(mean_a, share), self._sampled(mean_b, share)
        aa, ba = self._decoded(0, code_a, code_b)
        bb, ab = self._decoded(1, code_b, code_a)
        kl = Pair(kl_to_unit_normal(mean_a), kl_to_unit_normal(mean_b))
        cycle, cycle_kl = self._cycle(images, Pair(ba, ab), kl, share)
        with frozen(self.discriminators):
            logits_a, logits_b = self.discriminators[0](ba), self.discriminators[1](ab)
        terms = Terms(
            adversarial=Pair(
                adversarial_generator(logits_a, self.adversarial),
                adversarial_generator(logits_b, self.adversarial),
            ),
            kl=kl,
            content=Pair(content_disagreement(images.a, ab), content_disagreement(images.b, ba)),
            reconstruction=None if aa is None or bb is None else _l1(Pair(aa, bb), images),
            cycle_kl=cycle_kl,
            cycle=cycle,
            identity=self._identity(images, share),
        )
        return GeneratorPass(terms, Pair(ba.detach(), ab.detach()))

    def _decoded(self, index: int, own: Tensor, other: Tensor) -> tuple[Tensor | None, Tensor]:
        """Decode the domain's own code, where that counts, and the other's into the domain."""
        decoder = self.model.decoders[index]
        if not self.weights.reconstruction:
            return None, decoder(other)
        # one call: a decoder's norms treat every image of a batch alone, so this is exact
        reconstruction, translation = decoder(torch.cat([own, other])).split(len(own))
        return reconstruction, translation

    def _cycle(
        self, images: Pair, fakes: Pair, kl: Pair, share: Share
    ) -> tuple[Pair | None, Pair | None]:
        """Return L_CC's two terms: the way back, and the KL of the codes on it."""
        weights = self.weights
        if not (weights.cycle or weights.cycle_kl):
            return None, None
        decoder_a, decoder_b = self.model.decoders
        mean_ab, mean_ba = self._encoded(1, fakes.b), self._encoded(0, fakes.a)
        cycle_kl = Pair(kl_to_unit_normal(mean_ab), kl_to_unit_normal(mean_ba))
        if self.cycle_kl_codes == "both":
            cycle_kl = Pair(kl.a + cycle_kl.a, kl.b + cycle_kl.b)
        if not weights.cycle:
            return None, cycle_kl
        aba = decoder_a(self._sampled(mean_ab, share))
        bab = decoder_b(self._sampled(mean_ba, share))
        return _l1(Pair(aba, bab), images), cycle_kl

    def _identity(self, images: Pair, share: Share) -> Pair | None:
        if not self.weights.identity:
            return None
        decoder_a, decoder_b = self.model.decoders
        same_a = decoder_a(self._sampled(self._encoded(1, images.a), share))
        same_b = decoder_b(self._sampled(self._encoded(0, images.b), share))
        return _l1(Pair(same_a, same_b), images)

    @torch.no_grad()
    def translations(self, images: Pair, share: Share = WHOLE) -> Pair:
        """Return noisy translations into each domain, (B, C, H, W), for the discriminators."""
        decoder_a, decoder_b = self.model.decoders
        into_a = decoder_a(self._sampled(self._encoded(1, images.b), share))
        into_b = decoder_b(self._sampled(self._encoded(0, images.a), share))
        return Pair(into_a, into_b)

    def gradient_penalties(self, images: Pair, fakes: Pair, share: Share = WHOLE) -> Pair:
        """Return the gradient penalty of each discriminator."""
        of_a, of_b = self.discriminators
        return Pair(
            gradient_penalty(of_a, images.a, fakes.a, share),
            gradient_penalty(of_b, images.b, fakes.b, share),
        )

    def discriminator_losses(self, images: Pair, fakes: Pair) -> Pair:
        """Return the loss of each discriminator on images and translations into its domain."""
        return Pair(
            self._discriminator_loss(self.discriminators[0], images.a, fakes.a),
            self._discriminator_loss(self.discriminators[1], images.b, fakes.b),
        )

    def _encoded(self, index: int, images: Tensor) -> Tensor:
        mean: Tensor = self.model.encoders[index](dithered(images))
        return mean

    def _sampled(self, mean: Tensor, share: Share) -> Tensor:
        return with_noise(mean, share) if self.latent_noise else mean

    def _discriminator_loss(self, discriminator: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
        both = discriminator(torch.cat([real, fake.to(real.dtype)]))
        halves = [logits.split(real.shape[0]) for logits in both]
        return adversarial_discriminator(
            [half[0] for half in halves], [half[1] for half in halves], self.adversarial
        )


def _l1(made: Pair, images: Pair) -> Pair:
    return Pair(l1_distance(made.a, images.a), l1_distance(made.b, images.b))


def with_noise(mean: Tensor, share: Share = WHOLE) -> Tensor:
    """Sample N(mean, I), reparametrised (Kingma, Welling 2014, section 2.4, sigma = 1)."""
    return mean + share.normal_like(mean)
