import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize

from napari_unit_training.spectral_norm import SpectralNorm


def pair(layout: torch.memory_format = torch.contiguous_format) -> list[nn.Conv2d]:
    """Return two equal convolutions, under torch's spectral norm and under ours."""
    convolutions = []
    for ours in (False, True):
        torch.manual_seed(0)
        convolution = nn.Conv2d(3, 5, 4, dtype=torch.float64).to(memory_format=layout)
        if ours:
            norm = SpectralNorm(convolution.weight)
            parametrize.register_parametrization(convolution, "weight", norm)
        else:
            parametrizations.spectral_norm(convolution)
        convolutions.append(convolution)
    return convolutions


def after(convolution: nn.Conv2d, times: int) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the gradient of the weight, and the state, after some uses of the weight."""
    generator = torch.Generator().manual_seed(1)
    for _ in range(times):
        target = torch.randn(5, 3, 4, 4, generator=generator, dtype=torch.float64)
        (convolution.weight * target).sum().square().backward()
    gradient = convolution.parametrizations.weight.original.grad
    assert gradient is not None
    return gradient, convolution.state_dict()


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_weight_gradient_and_state_are_those_of_torch(layout: torch.memory_format) -> None:
    theirs, ours = (after(convolution, times=3) for convolution in pair(layout))
    torch.testing.assert_close(ours[0], theirs[0])
    assert ours[1].keys() == theirs[1].keys()
    for name, value in ours[1].items():
        torch.testing.assert_close(value, theirs[1][name])


def test_outside_training_the_estimate_stays() -> None:
    convolution = pair()[1].eval()
    before = {name: value.clone() for name, value in convolution.state_dict().items()}
    assert torch.equal(convolution.weight, convolution.weight)
    assert all(torch.equal(v, before[n]) for n, v in convolution.state_dict().items())
