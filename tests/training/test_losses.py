import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from napari_unit_training.losses import (
    adversarial_discriminator,
    adversarial_generator,
    content_disagreement,
    gradient_penalty,
    kl_to_unit_normal,
    l1_distance,
)

values = st.lists(st.floats(-20, 20, width=32), min_size=4, max_size=4)


@given(values)
def test_kl_is_half_the_mean_square(numbers):
    mean = torch.tensor(numbers).view(1, 1, 2, 2)
    expected = sum(n * n for n in numbers) / 2 / 4
    assert kl_to_unit_normal(mean).item() == pytest.approx(expected, rel=1e-5)


def test_kl_is_the_divergence_that_torch_knows():
    mean = torch.randn(3, 4, 5, 6)
    normal = torch.distributions.Normal
    expected = torch.distributions.kl_divergence(normal(mean, 1.0), normal(0.0, 1.0)).mean()
    torch.testing.assert_close(kl_to_unit_normal(mean), expected)


@given(values, values)
def test_l1_is_the_mean_absolute_difference(first, second):
    a, b = torch.tensor(first).view(1, 1, 2, 2), torch.tensor(second).view(1, 1, 2, 2)
    expected = sum(abs(x - y) for x, y in zip(first, second, strict=True)) / 4
    assert l1_distance(a, b).item() == pytest.approx(expected, rel=1e-5, abs=1e-6)


def test_content_disagreement_is_one_minus_the_correlation_of_block_means():
    torch.manual_seed(0)
    image, translation = torch.rand(2, 3, 16, 24) * 2 - 1, torch.rand(2, 1, 16, 24) * 2 - 1
    image[0] += torch.linspace(-1, 1, 24)
    translation[0] += torch.linspace(-1, 1, 24) ** 3
    expected = []
    for x, t in zip(image.mean(1), translation.mean(1), strict=True):
        x, t = (i.unfold(0, 4, 4).unfold(1, 4, 4).mean((2, 3)).flatten().double() for i in (x, t))
        cov = torch.cov(torch.stack([x, t]), correction=0)
        faint = 0.01**2
        both = (cov[0, 0] + faint) * (cov[1, 1] + faint)
        expected.append(1 - cov[0, 1] / both.sqrt())
    found = content_disagreement(image, translation)
    assert found.item() == pytest.approx(torch.stack(expected).mean().item(), rel=1e-5)


def test_content_agrees_up_to_gain_offset_and_grain_and_not_with_shift_or_inversion():
    y, x = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
    disc = (((y - 30) ** 2 + (x - 34) ** 2) < 64).float()[None, None]
    grain = torch.tensor([0.2, -0.2]).repeat(32).expand(64, 64)
    assert content_disagreement(disc, 0.5 * disc - 0.7).item() < 0.03
    assert content_disagreement(disc, disc + grain).item() < 0.02
    moved = [content_disagreement(disc, disc.roll(n, 3)).item() for n in (0, 1, 2, 4)]
    assert moved == sorted(moved)
    assert moved[2] > 0.05
    assert content_disagreement(disc, -disc).item() > 1.9
    flat = torch.zeros_like(disc).requires_grad_()
    content_disagreement(flat, flat * 2).backward()
    assert torch.isfinite(flat.grad).all()


SCALES = (torch.tensor([[[[2.0, -1.0]]]]), torch.tensor([[[[0.5]]]]))
OTHERS = (torch.tensor([[[[0.0, 3.0]]]]), torch.tensor([[[[-2.0]]]]))


def _log_sigmoid(x: float) -> float:
    return -math.log1p(math.exp(-x))


def test_least_squares_in_closed_form():
    generator = ((2 - 1) ** 2 + (-1 - 1) ** 2) / 2 + (0.5 - 1) ** 2
    assert adversarial_generator(SCALES, "least-squares").item() == pytest.approx(generator)
    real = ((0 - 1) ** 2 + (3 - 1) ** 2) / 2 + (-2 - 1) ** 2
    fake = (2**2 + 1**2) / 2 + 0.5**2
    loss = adversarial_discriminator(OTHERS, SCALES, "least-squares")
    assert loss.item() == pytest.approx(real + fake)


def test_cross_entropy_in_closed_form():
    generator = -(_log_sigmoid(2) + _log_sigmoid(-1)) / 2 - _log_sigmoid(0.5)
    assert adversarial_generator(SCALES, "cross-entropy").item() == pytest.approx(generator)
    # log(1 - sigmoid(x)) = log sigmoid(-x)
    real = -(_log_sigmoid(0) + _log_sigmoid(3)) / 2 - _log_sigmoid(-2)
    fake = -(_log_sigmoid(-2) + _log_sigmoid(1)) / 2 - _log_sigmoid(-0.5)
    loss = adversarial_discriminator(OTHERS, SCALES, "cross-entropy")
    assert loss.item() == pytest.approx(real + fake)


@pytest.mark.parametrize("kind", ["least-squares", "cross-entropy"])
def test_both_sides_are_content_with_what_they_want(kind):
    sure = torch.full((1, 1, 2, 2), 1.0 if kind == "least-squares" else 30.0)
    unsure = torch.zeros_like(sure) if kind == "least-squares" else -sure
    assert adversarial_generator([sure], kind).item() == pytest.approx(0, abs=1e-6)
    assert adversarial_discriminator([sure], [unsure], kind).item() == pytest.approx(0, abs=1e-6)
    assert adversarial_discriminator([unsure], [sure], kind).item() > 1


def test_losses_of_half_precision_are_float32():
    half = torch.randn(1, 1, 4, 4).bfloat16()
    for loss in (
        kl_to_unit_normal(half),
        l1_distance(half, half.float()),
        content_disagreement(half, half.float()),
        adversarial_generator([half], "least-squares"),
        adversarial_discriminator([half], [half], "cross-entropy"),
    ):
        assert loss.dtype == torch.float32


class Linear(torch.nn.Module):
    """Logits w x + c on two scales, the second twice the first."""

    def __init__(self, weight: torch.Tensor) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(weight)

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        logits = (image * self.weight).sum((1, 2, 3)) + 5.0
        return logits, 2.0 * logits


def test_the_gradient_penalty_of_a_linear_discriminator_is_known():
    weight = torch.randn(1, 2, 4, 4, generator=torch.Generator().manual_seed(0))
    real, fake = torch.randn(3, 2, 4, 4), torch.randn(3, 2, 4, 4)
    expected = 0.5 * (3.0 * weight).square().sum()
    penalty = gradient_penalty(Linear(weight), real, fake)
    torch.testing.assert_close(penalty.detach(), expected)


def test_the_gradient_penalty_trains_the_discriminator_and_no_generator():
    discriminator = Linear(torch.ones(1, 1, 2, 2))
    fake = torch.zeros(2, 1, 2, 2, requires_grad=True)
    gradient_penalty(discriminator, torch.ones(2, 1, 2, 2), fake).backward()
    assert fake.grad is None
    torch.testing.assert_close(discriminator.weight.grad, torch.full((1, 1, 2, 2), 9.0))
