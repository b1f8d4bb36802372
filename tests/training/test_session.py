from dataclasses import replace

import pytest
import torch

from napari_unit.domains import IntensityScaling
from napari_unit_training.config_tables import Augmentation, LossWeights
from napari_unit_training.data.run_images import load_domains
from napari_unit_training.errors import TrainingError
from napari_unit_training.session import Session, seeded

CPU = torch.device("cpu")


@pytest.fixture
def make(folders):
    def build(settings):
        data = load_domains(settings, *folders, torch.device("cpu"))
        return Session(settings, (data[0].domain, data[1].domain), CPU), data

    return build


def test_a_step_changes_every_network_and_counts_its_images(settings, make):
    session, data = make(settings)
    before = {n: p.detach().clone() for n, p in session.unit.named_parameters()}
    losses = session.step(data)
    assert session.images_seen == settings.batch_size
    after = dict(session.unit.named_parameters())
    for part in ("model.encoders.0", "model.encoders.1", "model.decoders.0", "model.decoders.1",
                 "discriminators.0", "discriminators.1"):  # fmt: skip
        names = [n for n in before if n.startswith(part)]
        assert any(not torch.equal(before[n], after[n]) for n in names), part
    assert {n.rsplit("_", 1)[1] for n in losses} == {"a", "b"}
    assert len(losses) == 14
    assert not any(v.requires_grad for v in losses.values())


def test_the_last_batch_is_cut_to_the_images_that_are_left(settings, make):
    session, data = make(replace(settings, images_total=3))
    session.step(data)
    session.step(data)
    assert session.images_seen == 3


def test_the_same_seed_gives_the_same_networks_and_another_others(settings, make):
    def weight(s):
        return make(s)[0].unit.model.encoders[0].blocks[0].conv.weight

    assert torch.equal(weight(settings), weight(settings))
    assert not torch.equal(weight(settings), weight(replace(settings, seed=4)))


def test_the_outer_random_state_is_left_alone(settings, make):
    torch.manual_seed(11)
    state = torch.get_rng_state()
    session, data = make(settings)
    session.step(data)
    assert torch.equal(torch.get_rng_state(), state)
    with seeded(5, CPU):
        torch.rand(3)
    assert torch.equal(torch.get_rng_state(), state)


def test_learning_rates_follow_the_schedule(settings, make):
    session, data = make(replace(settings, generator_learning_rate=0.01, decay_fraction=1.0))
    session.step(data)
    session.step(data)
    assert session.generator_optimiser.param_groups[0]["lr"] == pytest.approx(0.01 * 7 / 9)
    assert session.discriminator_optimiser.param_groups[0]["lr"] == pytest.approx(1e-4 * 7 / 9)


def test_bfloat16_training_stays_finite_and_keeps_float32_weights(settings, make, monkeypatch):
    monkeypatch.setattr("napari_unit_training.precision.bfloat16_pays", lambda _device: True)
    session, data = make(replace(settings, precision="auto"))
    losses = session.step(data)
    assert all(torch.isfinite(v) and v.dtype == torch.float32 for v in losses.values())
    assert all(p.dtype == torch.float32 for p in session.unit.parameters())
    assert session.is_finite()


def test_weights_that_are_not_finite_are_seen(settings, make):
    session, _ = make(settings)
    assert session.is_finite()
    with torch.no_grad():
        next(session.averaged.model.parameters())[0] = float("nan")
    assert not session.is_finite()


def test_weights_that_can_never_change_again_are_noticed(settings, make):
    session, data = make(settings)
    session.step(data)
    assert session.is_finite()
    last = list(session.unit.model.parameters())[-1]
    session.generator_optimiser.state[last]["exp_avg_sq"].fill_(torch.inf)
    assert not session.is_finite()


def test_the_auto_encoders_learn(settings, make):
    """Reconstruction of smooth images falls to less than half of what it starts from."""
    learning = replace(
        settings,
        width=4,
        images_total=10_000,
        batch_size=2,
        generator_learning_rate=2e-3,
        decay_fraction=0.0,
        weights=LossWeights(adversarial=0.0, kl=0.001, cycle_kl=0.001),
        augmentation=Augmentation(brightness=0, contrast=0, gamma=0),
    )
    session, data = make(learning)
    rows = torch.linspace(-1, 1, 48)
    smooth = (torch.outer(rows, rows)[None], torch.sin(4 * rows)[None, None].expand(1, 48, 48))
    like = data[0].images[0]
    images = [replace(like, height=48, width=48, held=pixels[None]) for pixels in smooth]
    data = tuple(replace(d, images=images) for d in data)

    def loss(first, steps):
        totals = [session.step(data) for _ in range(first + steps)][first:]
        return sum(float(t["reconstruction_a"] + t["cycle_a"]) for t in totals) / steps

    start = loss(0, 3)
    end = loss(50, 5)
    assert end < start / 2


def test_the_gradient_penalty_comes_every_so_many_steps(settings, make):
    session, data = make(
        replace(settings, gradient_penalty=0.1, gradient_penalty_every=2, batch_size=2)
    )
    has = ["gradient_penalty_a" in session.step(data) for _ in range(4)]
    assert has == [True, False, True, False]


def test_fakes_can_be_made_again_for_the_discriminators(settings, make, monkeypatch):
    shown = []
    for reuse in (True, False):
        session, data = make(replace(settings, reuse_fakes=reuse))
        losses = session.unit.discriminator_losses
        monkeypatch.setattr(
            session.unit,
            "discriminator_losses",
            lambda images, fakes, losses=losses: shown.append(fakes) or losses(images, fakes),
        )
        session.step(data)
    assert not torch.equal(shown[0].a, shown[1].a)
    assert shown[1].a.shape == shown[0].a.shape


def test_an_identity_term_of_domains_that_differ_is_refused(settings, make):
    _, data = make(settings)
    color = replace(data[0].domain, channels=("r", "g", "b"),
                    scaling=IntensityScaling("range", 0, 255))  # fmt: skip
    with pytest.raises(TrainingError, match="an identity term needs as many in both"):
        Session(replace(settings, weights=LossWeights(identity=1.0)), (color, data[1].domain), CPU)
