from dataclasses import replace

import pytest
import torch
from torch.nn.functional import cross_entropy

from napari_unit_training.adapting.objective import Adaptation, Batch
from napari_unit_training.adapting.settings import SOURCE, TARGET, AdaptationWeights


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    images = (torch.rand(8, c, 16, 16, generator=generator) * 2 - 1 for c in (3, 1))
    return Batch(tuple(images), torch.arange(8) % 3)


def _adaptation(small, method="unit", **weights):
    torch.manual_seed(0)
    settings = replace(small, method=method, weights=AdaptationWeights(**weights))
    return Adaptation(settings, (3, 1), 3)


def _reached(adaptation):
    return {
        name.split(".")[0] if ".own." not in name else ".".join(name.split(".")[:3])
        for name, p in adaptation.named_parameters()
        if p.grad is not None and bool((p.grad != 0).any())
    }


GENERATORS = {
    *(f"{part}.own.{domain}" for part in ("encoders", "decoders") for domain in (0, 1)),
    "encoders",
    "decoders",
}


@pytest.mark.parametrize(
    ("term", "reach"),
    [
        ("adversarial", GENERATORS),
        ("reconstruction", GENERATORS),
        ("cycle", GENERATORS),
        ("kl", {name for name in GENERATORS if name.startswith("encoders")}),
    ],
)
def test_generators_terms_reach_the_generators_alone(small, batch, term, reach):
    adaptation = _adaptation(small, cycle=1.0)
    terms, _ = adaptation.generator_terms(batch)
    terms[term].backward()
    assert _reached(adaptation) == reach


DISCRIMINATORS = {"discriminators", "discriminators.own.0", "discriminators.own.1"}


@pytest.mark.parametrize(
    ("method", "term", "reach"),
    [
        ("unit", "adversarial", DISCRIMINATORS),
        ("unit", "feature", DISCRIMINATORS),
        ("unit", "classification", {"discriminators", "discriminators.own.0"}),
        ("cogan", "adversarial", DISCRIMINATORS),
        ("cogan", "classification", {"discriminators", "discriminators.own.0"}),
    ],
)
def test_discriminators_terms_reach_the_discriminators_alone(small, batch, method, term, reach):
    adaptation = _adaptation(small, method)
    terms = adaptation.discriminator_terms(batch, adaptation.generate(batch))
    terms[term].backward()
    assert _reached(adaptation) == reach


def test_pairs_are_made_from_one_code(small, batch):
    adaptation = _adaptation(small)
    torch.manual_seed(3)
    made = adaptation.generate(batch)
    torch.manual_seed(3)
    for domain in (SOURCE, TARGET):
        mean = adaptation.encoders(batch.images[domain], domain)
        code = mean + torch.randn_like(mean)
        torch.testing.assert_close(made[domain].mean, mean)
        for look in (SOURCE, TARGET):
            expected = adaptation.decoders(code, look)
            torch.testing.assert_close(made[domain].images[look], expected)


def test_cogan_has_no_encoders_and_makes_pairs_of_random_codes(small, batch):
    adaptation = _adaptation(small, "cogan")
    assert adaptation.encoders is None
    (made,) = adaptation.generate(batch)
    assert [tuple(i.shape) for i in made.images] == [(8, 3, 16, 16), (8, 1, 16, 16)]
    terms, made = adaptation.generator_terms(batch)
    assert set(terms) == {"adversarial"}
    assert set(adaptation.discriminator_terms(batch, made)) == {"adversarial", "classification"}


def test_the_features_of_corresponding_images_are_compared(small, batch):
    adaptation = _adaptation(small)
    adaptation.discriminators.eval()
    made = adaptation.generate(batch)
    tops = [
        [adaptation.discriminators(g.images[d].detach(), d)[2] for d in (SOURCE, TARGET)]
        for g in made
    ]
    expected = sum((a - b).abs().mean() for a, b in tops)
    found = adaptation.discriminator_terms(batch, made)["feature"]
    torch.testing.assert_close(found, expected)


def test_only_the_sources_labels_teach(small, batch):
    adaptation = _adaptation(small)
    adaptation.discriminators.eval()
    classes = adaptation.discriminators(batch.images[SOURCE], SOURCE)[1]
    terms = adaptation.discriminator_terms(batch, adaptation.generate(batch))
    torch.testing.assert_close(terms["classification"], cross_entropy(classes, batch.labels))


@pytest.mark.parametrize(
    ("method", "taught", "asked"),
    [("source-only", SOURCE, SOURCE), ("target-supervised", TARGET, TARGET)],
)
def test_what_it_is_compared_with_learns_from_one_domain(small, batch, method, taught, asked):
    images = (batch.images[TARGET], batch.images[TARGET])  # of as many channels
    batch = Batch(images, batch.labels)
    torch.manual_seed(0)
    adaptation = Adaptation(replace(small, method=method), (1, 1), 3)
    assert adaptation.generate(batch) == ()
    assert adaptation.generator_parameters == []
    adaptation.discriminator_terms(batch, ())["classification"].backward()
    assert _reached(adaptation) == {"discriminators", f"discriminators.own.{taught}"}
    adaptation.discriminators.eval()
    expected = adaptation.discriminators(images[1], asked)[1].softmax(1)
    torch.testing.assert_close(adaptation.classify(images[1]), expected)


def test_target_images_are_classified_without_dropout_by_the_targets_way(small, batch):
    adaptation = _adaptation(small)
    chances = adaptation.classify(batch.images[TARGET])
    assert adaptation.discriminators.training
    torch.testing.assert_close(chances.sum(1), torch.ones(8))
    assert torch.equal(chances, adaptation.classify(batch.images[TARGET]))
    with torch.no_grad():
        adaptation.discriminators.own[TARGET][0].weight.zero_()
    assert not torch.equal(chances, adaptation.classify(batch.images[TARGET]))


def test_the_sum_is_weighted(small, batch):
    adaptation = _adaptation(small, adversarial=2.0, classification=3.0, feature=5.0)
    terms = {name: torch.tensor(1.0) for name in ("adversarial", "classification", "feature")}
    assert adaptation.weighted_sum(terms).item() == 10.0
