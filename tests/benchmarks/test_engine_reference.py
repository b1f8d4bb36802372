import pytest
import torch

pytest.importorskip("engine_reference", reason="benchmarks/ is in the repository only")

from engine_case import LeftOut
from engine_reference import moments_of, refuse_too_large, whole_image_pass
from tiled_vs_whole import random_network

from napari_unit.models.normalisation import InstanceNorm, LayerNorm


def test_the_reference_is_the_networks_own_pass_in_double_precision() -> None:
    model = random_network(2, 4, 0).double()
    image = torch.rand(1, 2, 48, 60, dtype=torch.float64) * 2 - 1
    with torch.inference_mode():
        found = whole_image_pass(model.steps("a", "b"), image)
        torch.testing.assert_close(found, model.translate(image, "a", "b"), rtol=0, atol=1e-6)


@pytest.mark.parametrize("norm", [InstanceNorm(3), LayerNorm(3)])
def test_moments_are_the_normalisations(norm: InstanceNorm | LayerNorm) -> None:
    x = torch.randn(1, 3, 150, 20) + torch.tensor([1.0, 5.0, -2.0]).view(1, 3, 1, 1)
    found, expected = moments_of(norm, x), norm.measure(x)
    assert found.count == expected.count
    torch.testing.assert_close(found.mean, expected.mean, rtol=1e-5, atol=0)
    torch.testing.assert_close(
        found.squared_deviations, expected.squared_deviations, rtol=1e-6, atol=0
    )


def test_images_too_large_for_memory_are_left_out() -> None:
    with pytest.raises(LeftOut, match="GB of memory"):
        refuse_too_large(random_network(1, 4, 0).steps("a", "b"), (1 << 20, 1 << 20))
