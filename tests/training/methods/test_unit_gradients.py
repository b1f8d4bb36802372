"""Which networks each loss changes."""

from dataclasses import fields

import pytest
import torch

from napari_unit_training.config_tables import LossWeights
from napari_unit_training.methods.unit import Pair, Terms, Unit


def _parts(unit: Unit) -> dict[str, list[torch.nn.Parameter]]:
    """Name the parameters by the part of the method that they belong to."""
    parts: dict[str, list[torch.nn.Parameter]] = {}
    for kind, networks in (("encoder", unit.model.encoders), ("decoder", unit.model.decoders)):
        own, other = ({id(p): p for p in n.parameters()} for n in networks)
        parts[f"{kind} shared"] = [p for i, p in own.items() if i in other]
        parts[f"{kind} a"] = [p for i, p in own.items() if i not in other]
        parts[f"{kind} b"] = [p for i, p in other.items() if i not in own]
    for name, networks in zip("ab", unit.discriminators, strict=True):
        parts[f"discriminator {name}"] = list(networks.parameters())
    return parts


def _reached(unit: Unit) -> set[str]:
    return {
        name
        for name, parameters in _parts(unit).items()
        if any(p.grad is not None and bool((p.grad != 0).any()) for p in parameters)
    }


SHARED = {"encoder shared", "decoder shared"}
EVERYTHING = {"encoder a", "encoder b", "decoder a", "decoder b"} | SHARED
REACH = {
    ("kl", "a"): {"encoder a", "encoder shared"},
    ("kl", "b"): {"encoder b", "encoder shared"},
    ("reconstruction", "a"): {"encoder a", "decoder a"} | SHARED,
    ("reconstruction", "b"): {"encoder b", "decoder b"} | SHARED,
    # what the discriminator of a says of b translated to a, and the other way round
    ("adversarial", "a"): {"encoder b", "decoder a"} | SHARED,
    ("adversarial", "b"): {"encoder a", "decoder b"} | SHARED,
    # a, to b, and its code there
    ("cycle_kl", "a"): {"encoder a", "decoder b", "encoder b"} | SHARED,
    ("cycle_kl", "b"): {"encoder b", "decoder a", "encoder a"} | SHARED,
    ("content", "a"): {"encoder a", "decoder b"} | SHARED,
    ("content", "b"): {"encoder b", "decoder a"} | SHARED,
    ("cycle", "a"): EVERYTHING,
    ("cycle", "b"): EVERYTHING,
    # an image of a, taken for one of b
    ("identity", "a"): {"encoder b", "decoder a"} | SHARED,
    ("identity", "b"): {"encoder a", "decoder b"} | SHARED,
}


def test_the_table_has_every_term():
    assert {name for name, _ in REACH} == {f.name for f in fields(Terms)}


@pytest.mark.parametrize(("term", "domain"), REACH)
def test_each_term_sends_gradient_to_exactly_its_networks(unit, alike, images, term, domain):
    if term == "identity":
        unit, images = alike, Pair(images.b.flip(0), images.b)
    terms = unit.generator_pass(images).terms
    getattr(getattr(terms, term), domain).backward()
    assert _reached(unit) == REACH[term, domain]


@pytest.mark.parametrize("domain", ["a", "b"])
def test_a_discriminators_loss_reaches_it_alone(unit, images, domain):
    fakes = unit.generator_pass(images).fakes
    getattr(unit.discriminator_losses(images, fakes), domain).backward()
    assert _reached(unit) == {f"discriminator {domain}"}


def test_discriminators_can_learn_again_after_the_generators_step(unit, images):
    unit.generator_pass(images)
    assert all(p.requires_grad for p in unit.parameters())


def test_gradient_penalties_reach_their_discriminators_alone(unit, images):
    fakes = unit.translations(images)
    assert (fakes.a.shape, fakes.b.shape) == (images.a.shape, images.b.shape)
    unit.gradient_penalties(images, fakes).a.backward()
    assert _reached(unit) == {"discriminator a"}


def _largest_gradient(unit: Unit, images: Pair) -> float:
    unit.zero_grad()
    unit.generator_pass(images).terms.weighted_sum(LossWeights()).backward()
    return max(float(p.grad.abs().max()) for p in unit.model.parameters() if p.grad is not None)


@pytest.mark.parametrize("latent_noise", [True, False])
def test_an_image_without_contrast_teaches_no_louder_than_others(unit, images, latent_noise):
    """Each normalisation in a row would multiply its gradients by up to 316."""
    unit.latent_noise = latent_noise
    usual = _largest_gradient(unit, images)
    for level in (-1.0, -0.4, 0.1, 0.3, 0.77):  # rounding spares some
        flat = Pair(images.a, torch.full_like(images.b, level))
        assert _largest_gradient(unit, flat) < 100 * usual


@pytest.mark.parametrize("latent_noise", [True, False])
def test_nor_does_a_translation_without_contrast(unit, images, latent_noise):
    unit.latent_noise = latent_noise
    usual = _largest_gradient(unit, images)
    last = unit.model.decoders[1].blocks[-1].conv
    with torch.no_grad():
        last.weight.zero_()
        last.bias.fill_(-0.5)  # the same everywhere, and not yet saturated
    assert _largest_gradient(unit, images) < 100 * usual
