from dataclasses import dataclass, fields, replace

import pytest
import torch
from small_unit import small_unit

from napari_unit.models.networks import ResidualBlock
from napari_unit_training.config_tables import LossWeights
from napari_unit_training.losses import (
    adversarial_generator,
    content_disagreement,
    kl_to_unit_normal,
    l1_distance,
)
from napari_unit_training.methods.unit import Pair, Terms, with_noise

ZERO = LossWeights(**{f.name: 0.0 for f in fields(LossWeights)})


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
    lean = small_unit(*unit.model.domains, **without)
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
        small_unit(*unit.model.domains, identity=1.0)


def test_the_second_codes_divergence_can_be_counted_alone(unit, images):
    torch.manual_seed(7)
    both = unit.generator_pass(images).terms
    unit.cycle_kl_codes = "second"
    torch.manual_seed(7)
    second = unit.generator_pass(images).terms
    torch.testing.assert_close(second.cycle_kl.a, both.cycle_kl.a - both.kl.a)
    torch.testing.assert_close(second.cycle_kl.b, both.cycle_kl.b - both.kl.b)


def test_a_weight_without_a_term_raises(unit, images):
    @dataclass(frozen=True)
    class MoreWeights(LossWeights):
        perceptual: float = 1.0

    terms = unit.generator_pass(images).terms
    with pytest.raises(TypeError, match="perceptual"):
        terms.weighted_sum(MoreWeights())
