import pytest
import torch

from napari_unit.domains import Domain, IntensityScaling
from napari_unit.models.architecture import Architecture
from napari_unit.models.model import TranslationModel
from napari_unit_training.ema import AveragedModel


@pytest.fixture
def model() -> TranslationModel:
    scaling = IntensityScaling("range", 0, 1)
    domains = (Domain(name, ("x",), scaling) for name in "ab")
    return TranslationModel(*domains, Architecture(1, 1, 1))


def _fill(model: TranslationModel, value: float) -> None:
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(value)


def test_after_a_half_life_half_of_the_old_weights_is_left(model):
    _fill(model, 1.0)
    averaged = AveragedModel(model, half_life_images=100, ramp=1.0)
    _fill(model, 0.0)
    for step in range(10):
        averaged.update(model, images_seen=100_000 + 10 * step, batch_size=10)
    for parameter in averaged.model.parameters():
        torch.testing.assert_close(parameter, torch.full_like(parameter, 0.5))


def test_the_half_life_ramps_up_with_the_images_seen(model):
    averaged = AveragedModel(model, half_life_images=1000, ramp=0.1)
    assert averaged.decay(100, 10) == pytest.approx(0.5)
    assert averaged.decay(1000, 10) == pytest.approx(0.5 ** (10 / 100))
    assert averaged.decay(10**6, 10) == averaged.decay(10**7, 10) == pytest.approx(0.5**0.01)


def test_without_a_half_life_it_is_the_model_itself(model):
    averaged = AveragedModel(model, half_life_images=0, ramp=0.1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3)
    averaged.update(model, 50, 10)
    for one, other in zip(averaged.model.parameters(), model.parameters(), strict=True):
        assert torch.equal(one, other)


def test_it_has_weights_of_its_own_without_gradient_and_stays_tied(model):
    averaged = AveragedModel(model, 10, 1.0)
    own = {id(p) for p in averaged.model.parameters()}
    assert own.isdisjoint(id(p) for p in model.parameters())
    assert not any(p.requires_grad for p in averaged.model.parameters())
    first, second = averaged.model.encoders
    assert first.blocks[-1] is second.blocks[-1]
