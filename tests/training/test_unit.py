from dataclasses import dataclass, fields, replace

import pytest
import torch

from napari_unit.domains import Domain, IntensityScaling
from napari_unit.models.architecture import Architecture
from napari_unit.models.model import TranslationModel
from napari_unit.models.networks import ResidualBlock
from napari_unit_training.config_tables import LossWeights
from napari_unit_training.discriminators import MultiScaleDiscriminator
from napari_unit_training.losses import (
    adversarial_generator,
    content_disagreement,
    kl_to_unit_normal,
    l1_distance,
)
from napari_unit_training.methods.unit import Pair, Terms, Unit, with_noise

N_SHARED, N_RESIDUAL = 1, 2
ZERO = LossWeights(**{f.name: 0.0 for f in fields(LossWeights)})


@pytest.fixture
def unit() -> Unit:
    torch.manual_seed(0)
    range_255 = IntensityScaling("range", 0, 255)
    a, b = Domain("a", ("x", "y"), range_255), Domain("b", ("z",), range_255)
    return _unit(a, b)


def _unit(a: Domain, b: Domain, **weights: float) -> Unit:
    return Unit(
        TranslationModel(a, b, Architecture(2, N_RESIDUAL, N_SHARED)),
        MultiScaleDiscriminator(a.n_channels, 2, 2, spectral_norm=True),
        MultiScaleDiscriminator(b.n_channels, 2, 2, spectral_norm=True),
        "least-squares",
        replace(LossWeights(), **weights),
    )


@pytest.fixture
def alike(unit: Unit) -> Unit:
    """Return a method whose domains have one channel each, with the identity term."""
    b = unit.model.domains[1]
    torch.manual_seed(0)
    return _unit(replace(b, name="a"), b, identity=1.0)


@pytest.fixture
def images() -> Pair:
    generator = torch.Generator().manual_seed(1)
    return Pair(
        torch.rand(2, 2, 32, 32, generator=generator) * 2 - 1,
        torch.rand(2, 1, 32, 32, generator=generator) * 2 - 1,
    )


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


def test_the_pass_computes_what_the_paper_writes(unit, images):
    """One network call per symbol of the paper, none batched, with the same noise."""
    torch.manual_seed(7)
    result = unit.generator_pass(images)
    torch.manual_seed(7)
    (encode_a, encode_b), (decode_a, decode_b) = unit.model.encoders, unit.model.decoders
    mean_a, mean_b = encode_a(images.a), encode_b(images.b)
    code_a, code_b = with_noise(mean_a), with_noise(mean_b)
    ab, ba = decode_b(code_a), decode_a(code_b)
    mean_ab, mean_ba = encode_b(ab), encode_a(ba)
    aba = decode_a(with_noise(mean_ab))
    bab = decode_b(with_noise(mean_ba))
    discriminate_a, discriminate_b = unit.discriminators.eval()
    expected = {
        "adversarial_b": adversarial_generator(discriminate_b(ab), "least-squares"),
        "adversarial_a": adversarial_generator(discriminate_a(ba), "least-squares"),
        "kl_a": kl_to_unit_normal(mean_a),
        "kl_b": kl_to_unit_normal(mean_b),
        "reconstruction_a": l1_distance(decode_a(code_a), images.a),
        "reconstruction_b": l1_distance(decode_b(code_b), images.b),
        "cycle_kl_a": kl_to_unit_normal(mean_a) + kl_to_unit_normal(mean_ab),
        "cycle_kl_b": kl_to_unit_normal(mean_b) + kl_to_unit_normal(mean_ba),
        "cycle_a": l1_distance(aba, images.a),
        "cycle_b": l1_distance(bab, images.b),
        "content_a": content_disagreement(images.a, ab),
        "content_b": content_disagreement(images.b, ba),
    }
    computed = result.terms.detached()
    assert set(computed) == set(expected)
    for name, value in expected.items():
        torch.testing.assert_close(computed[name], value.detach(), msg=name)
    torch.testing.assert_close(result.fakes.a, ba.detach())
    torch.testing.assert_close(result.fakes.b, ab.detach())
    assert not result.fakes.a.requires_grad


def test_the_discriminators_see_images_and_translations_into_their_domain(unit, images):
    unit.discriminators.eval()  # no power iteration between the two computations
    fakes = unit.generator_pass(images).fakes
    losses = unit.discriminator_losses(images, fakes)
    for network, real, fake, loss in (
        (unit.discriminators[0], images.a, fakes.a, losses.a),
        (unit.discriminators[1], images.b, fakes.b, losses.b),
    ):
        parts = zip(network(real), network(fake), strict=True)
        expected = sum((r - 1).square().mean() + f.square().mean() for r, f in parts)
        torch.testing.assert_close(loss, expected)


def test_spectral_norms_are_refined_by_the_discriminators_pass_alone(unit, images):
    def state():
        return {name: b.clone() for name, b in unit.discriminators.named_buffers()}

    before = state()
    assert any("_u" in name for name in before)
    fakes = unit.generator_pass(images).fakes
    assert all(torch.equal(before[name], now) for name, now in state().items())
    unit.discriminator_losses(images, fakes)
    assert not all(torch.equal(before[name], now) for name, now in state().items())


def test_noise_is_drawn_in_training_and_never_in_translation(unit, images):
    torch.manual_seed(1)
    first = unit.generator_pass(images)
    torch.manual_seed(2)
    second = unit.generator_pass(images)
    assert not torch.equal(first.fakes.a, second.fakes.a)
    # the first code's mean comes before any noise
    assert torch.equal(first.terms.kl.a, second.terms.kl.a)
    state = torch.get_rng_state()
    one, two = (unit.model.translate(images.a, "a", "b") for _ in range(2))
    assert torch.equal(one, two)
    assert torch.equal(torch.get_rng_state(), state)


def test_latent_noise_has_unit_variance(unit):

    torch.manual_seed(0)
    noise = with_noise(torch.full((1, 100, 100), 3.0)) - 3.0
    assert noise.mean().item() == pytest.approx(0, abs=0.05)
    assert noise.std().item() == pytest.approx(1, abs=0.05)


def test_tied_blocks_are_one_and_stay_one_through_updates(unit, images):
    optimiser = torch.optim.Adam(unit.model.parameters(), 0.01)
    before = unit.model.encoders[0].blocks[-1].first.conv.weight.clone()
    unit.generator_pass(images).terms.weighted_sum(LossWeights()).backward()
    optimiser.step()
    ends = [e.blocks[-1] for e in unit.model.encoders]
    starts = [d.blocks[0] for d in unit.model.decoders]
    for one, other in (ends, starts):
        assert isinstance(one, ResidualBlock)
        assert one is other
    assert not torch.equal(ends[0].first.conv.weight, before)
    assert unit.model.encoders[0].blocks[0] is not unit.model.encoders[1].blocks[0]
    ids = [id(p) for group in optimiser.param_groups for p in group["params"]]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("name", [f.name for f in fields(LossWeights)])
def test_the_weighted_sum_counts_each_term_of_both_domains_once(unit, alike, images, name):
    if name == "identity":
        unit, images = alike, Pair(images.b.flip(0), images.b)
    terms = unit.generator_pass(images).terms
    pair = getattr(terms, name)
    total = terms.weighted_sum(replace(ZERO, **{name: 3.0}))
    torch.testing.assert_close(total, 3.0 * (pair.a + pair.b))


@pytest.mark.parametrize(
    ("without", "missing"),
    [
        ({"reconstruction": 0.0}, {"reconstruction"}),
        ({"cycle": 0.0}, {"cycle"}),
        ({"cycle_kl": 0.0}, set()),  # comes with the cycle
        ({"cycle": 0.0, "cycle_kl": 0.0}, {"cycle", "cycle_kl"}),
        ({"reconstruction": 0.0, "kl": 0.0, "cycle_kl": 0.0}, {"reconstruction"}),
    ],
)
def test_what_has_no_weight_takes_no_pass_and_changes_nothing_else(images, unit, without, missing):
    weights = replace(LossWeights(), **without)
    lean = _unit(*unit.model.domains, **without)
    lean.load_state_dict(unit.state_dict())
    for both in (unit, lean):
        both.latent_noise = False
    full, terms = (both.generator_pass(images).terms for both in (unit, lean))
    assert {f.name for f in fields(Terms) if getattr(terms, f.name) is None} == {
        "identity", *missing
    }  # fmt: skip
    torch.testing.assert_close(terms.weighted_sum(weights), full.weighted_sum(weights))


def test_without_noise_codes_are_decoded_as_they_are(unit, images):
    unit.latent_noise = False
    fakes = unit.generator_pass(images).fakes
    torch.testing.assert_close(fakes.b, unit.model.translate(images.a, "a", "b"))


def test_a_term_with_a_weight_that_was_not_computed_raises(unit, images):
    terms = unit.generator_pass(images).terms
    assert terms.identity is None
    assert not any(name.startswith("identity") for name in terms.detached())
    with pytest.raises(ValueError, match="identity has a weight, but was not computed"):
        terms.weighted_sum(replace(ZERO, identity=1.0))


def test_the_identity_term_is_the_way_through_the_other_encoder(alike, images):
    both = Pair(images.b.flip(0), images.b)
    torch.manual_seed(3)
    terms = alike.generator_pass(both).terms
    torch.manual_seed(3)
    (encode_a, encode_b), (decode_a, decode_b) = alike.model.encoders, alike.model.decoders
    mean_a, mean_b = encode_b(both.a), encode_a(both.b)
    for _ in range(4):  # noise of the two codes and of the two ways back
        with_noise(mean_a)
    same_a = decode_a(with_noise(mean_a))
    same_b = decode_b(with_noise(mean_b))
    torch.testing.assert_close(terms.identity.a, l1_distance(same_a, both.a))
    torch.testing.assert_close(terms.identity.b, l1_distance(same_b, both.b))


def test_an_identity_term_needs_as_many_channels_in_both_domains(unit):
    with pytest.raises(ValueError, match="'a' has 2 channels and 'b' has 1; an identity term"):
        _unit(*unit.model.domains, identity=1.0)


def test_the_second_codes_divergence_can_be_counted_alone(unit, images):
    torch.manual_seed(7)
    both = unit.generator_pass(images).terms
    unit.cycle_kl_codes = "second"
    torch.manual_seed(7)
    second = unit.generator_pass(images).terms
    torch.testing.assert_close(second.cycle_kl.a, both.cycle_kl.a - both.kl.a)
    torch.testing.assert_close(second.cycle_kl.b, both.cycle_kl.b - both.kl.b)


def test_the_warm_start_reaches_the_auto_encoders_alone(unit, images):
    terms = unit.reconstruction_terms(images, images)
    assert set(terms) == {"kl_a", "kl_b", "reconstruction_a", "reconstruction_b"}
    sum(terms.values()).backward()
    assert _reached(unit) == EVERYTHING


def test_gradient_penalties_reach_their_discriminators_alone(unit, images):
    fakes = unit.translations(images)
    assert (fakes.a.shape, fakes.b.shape) == (images.a.shape, images.b.shape)
    unit.gradient_penalties(images, fakes).a.backward()
    assert _reached(unit) == {"discriminator a"}


def test_a_weight_without_a_term_raises(unit, images):
    @dataclass(frozen=True)
    class MoreWeights(LossWeights):
        perceptual: float = 1.0

    terms = unit.generator_pass(images).terms
    with pytest.raises(TypeError, match="perceptual"):
        terms.weighted_sum(MoreWeights())
