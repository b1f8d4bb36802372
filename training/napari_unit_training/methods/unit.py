"""The UNIT objective: two variational auto-encoders, two adversaries, two cycles.

UNIT, Liu, Breuel, Kautz 2017, section 3: ``min over E, G, max over D of L_VAE1 + L_GAN1 + L_CC1 +
L_VAE2 + L_GAN2 + L_CC2``, solved by alternating updates.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields

import torch
from torch import Tensor, nn

from napari_unit.models.model import TranslationModel
from napari_unit_training.config import Adversarial, CycleKl
from napari_unit_training.config_tables import LossWeights
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
        their own; not part of UNIT; None where it has no weight.
    """

    adversarial: Pair
    kl: Pair
    reconstruction: Pair
    cycle_kl: Pair
    cycle: Pair
    content: Pair
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
        total = torch.zeros((), device=self.cycle.a.device)
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
    with_identity
        Compute the identity term as well.

    Raises
    ------
    ValueError
        If there is to be an identity term and the domains differ in channels.
    """

    def __init__(
        self,
        model: TranslationModel,
        discriminator_a: nn.Module,
        discriminator_b: nn.Module,
        adversarial: Adversarial,
        *,
        cycle_kl_codes: CycleKl = "both",
        with_identity: bool = False,
    ) -> None:
        super().__init__()
        a, b = model.domains
        if with_identity and a.n_channels != b.n_channels:
            raise ValueError(
                f"Domain {a.name!r} has {a.n_channels} channels and {b.name!r} has {b.n_channels}; "
                "an identity term needs as many in both: set weights.identity to 0."
            )
        self.model = model
        self.discriminators = nn.ModuleList([discriminator_a, discriminator_b])
        self.adversarial = adversarial
        self.cycle_kl_codes = cycle_kl_codes
        self.with_identity = with_identity

    def generator_pass(self, images: Pair, share: Share = WHOLE) -> GeneratorPass:
        """Compute all terms of encoders and decoders on images (B, C, H, W) in [-1, 1].

        The latent noise N(0, I) comes from torch's global generator; reconstruction and
        translation of an image have one sample in common, the way back draws a fresh one.

        Parameters
        ----------
        images
            Of both domains.
        share
            Which part of a batch they are.
        """
        encoder_a, encoder_b = self.model.encoders
        decoder_a, decoder_b = self.model.decoders
        batch = images.a.shape[0]
        mean_a, mean_b = encoder_a(images.a), encoder_b(images.b)  # (B, 4 width, H/4, W/4)
        code_a, code_b = with_noise(mean_a, share), with_noise(mean_b, share)
        # one call per decoder: its norms treat every image of a batch alone, so this is exact
        aa, ba = decoder_a(torch.cat([code_a, code_b])).split(batch)
        bb, ab = decoder_b(torch.cat([code_b, code_a])).split(batch)
        mean_ab, mean_ba = encoder_b(ab), encoder_a(ba)
        aba = decoder_a(with_noise(mean_ab, share))
        bab = decoder_b(with_noise(mean_ba, share))
        kl = Pair(kl_to_unit_normal(mean_a), kl_to_unit_normal(mean_b))
        second = Pair(kl_to_unit_normal(mean_ab), kl_to_unit_normal(mean_ba))
        both = Pair(kl.a + second.a, kl.b + second.b)
        with _frozen(self.discriminators):
            logits_a, logits_b = self.discriminators[0](ba), self.discriminators[1](ab)
        terms = Terms(
            adversarial=Pair(
                adversarial_generator(logits_a, self.adversarial),
                adversarial_generator(logits_b, self.adversarial),
            ),
            kl=kl,
            reconstruction=Pair(l1_distance(aa, images.a), l1_distance(bb, images.b)),
            cycle_kl=both if self.cycle_kl_codes == "both" else second,
            cycle=Pair(l1_distance(aba, images.a), l1_distance(bab, images.b)),
            content=Pair(content_disagreement(images.a, ab), content_disagreement(images.b, ba)),
            identity=self._identity(images, share) if self.with_identity else None,
        )
        return GeneratorPass(terms, Pair(ba.detach(), ab.detach()))

    def _identity(self, images: Pair, share: Share) -> Pair:
        (encoder_a, encoder_b), (decoder_a, decoder_b) = self.model.encoders, self.model.decoders
        same_a = decoder_a(with_noise(encoder_b(images.a), share))
        same_b = decoder_b(with_noise(encoder_a(images.b), share))
        return Pair(l1_distance(same_a, images.a), l1_distance(same_b, images.b))

    @torch.no_grad()
    def translations(self, images: Pair, share: Share = WHOLE) -> Pair:
        """Return noisy translations into each domain, (B, C, H, W), for the discriminators."""
        (encoder_a, encoder_b), (decoder_a, decoder_b) = self.model.encoders, self.model.decoders
        into_a = decoder_a(with_noise(encoder_b(images.b), share))
        into_b = decoder_b(with_noise(encoder_a(images.a), share))
        return Pair(into_a, into_b)

    def reconstruction_terms(
        self, shown: Pair, images: Pair, share: Share = WHOLE
    ) -> dict[str, Tensor]:
        """Return L_VAE's terms of both auto-encoders that see `shown` and are to give `images`."""
        terms: dict[str, Tensor] = {}
        for index, name in enumerate("ab"):
            mean = self.model.encoders[index](getattr(shown, name))
            made = self.model.decoders[index](with_noise(mean, share))
            terms[f"kl_{name}"] = kl_to_unit_normal(mean)
            terms[f"reconstruction_{name}"] = l1_distance(made, getattr(images, name))
        return terms

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

    def _discriminator_loss(self, discriminator: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
        both = discriminator(torch.cat([real, fake.to(real.dtype)]))
        halves = [logits.split(real.shape[0]) for logits in both]
        return adversarial_discriminator(
            [half[0] for half in halves], [half[1] for half in halves], self.adversarial
        )


def with_noise(mean: Tensor, share: Share = WHOLE) -> Tensor:
    """Sample N(mean, I), reparametrised (Kingma, Welling 2014, section 2.4, sigma = 1)."""
    return mean + share.normal_like(mean)


@contextmanager
def _frozen(networks: nn.Module) -> Iterator[None]:
    """Let gradients through the networks but not into their weights, or into their state.

    Spectral norms would refine their singular vectors, which is for the pass that trains them:
    once per update, as in algorithm 1 of Miyato et al. 2018.
    """
    was_training = networks.training
    networks.eval()
    parameters = [p for p in networks.parameters() if p.requires_grad]
    for parameter in parameters:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad_(True)
        networks.train(was_training)
