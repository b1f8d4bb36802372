from dataclasses import replace

import pytest
import torch

from napari_unit_training.config import TrainSettings
from napari_unit_training.discriminators import MultiScaleDiscriminator, PatchDiscriminator


def test_one_scale_of_the_papers_width_has_the_published_number_of_weights():
    networks = PatchDiscriminator(3, 64, spectral_norm=False)
    assert sum(p.numel() for p in networks.parameters()) == 2_757_057


@pytest.mark.parametrize("spectral", [False, True])
def test_each_scale_halves_the_logits(spectral):
    networks = MultiScaleDiscriminator(2, 2, 3, spectral_norm=spectral)
    logits = networks(torch.randn(2, 2, 128, 64))
    assert [tuple(x.shape) for x in logits] == [(2, 1, 8, 4), (2, 1, 4, 2), (2, 1, 2, 1)]


def test_the_smallest_crop_of_the_settings_works():
    networks = MultiScaleDiscriminator(1, 2, 3, spectral_norm=True)
    assert networks(torch.randn(1, 1, 64, 64))[-1].shape == (1, 1, 1, 1)


@pytest.mark.parametrize(("n_layers", "patch_px"), [(3, 22), (4, 46), (5, 94), (6, 190)])
def test_a_patch_grows_with_the_layers(n_layers, patch_px):
    networks = PatchDiscriminator(1, 2, n_layers, spectral_norm=False)
    image = torch.randn(1, 1, 512, 512, requires_grad=True)
    middle = 256 // 2**n_layers
    logits = networks(image)
    assert logits.shape == (1, 1, 2 * middle, 2 * middle)
    logits[0, 0, middle, middle].backward()
    rows = image.grad[0, 0].abs().sum(1).nonzero().flatten()
    assert rows.max() - rows.min() + 1 == patch_px


def test_feature_maps_are_doubled_up_to_eight_times_the_width():
    networks = PatchDiscriminator(3, 4, 6, spectral_norm=False)
    assert [c.out_channels for c in networks.convolutions] == [4, 8, 16, 32, 32, 32, 1]


@pytest.mark.parametrize("n_layers", [3, 5])
def test_the_smallest_crop_of_the_settings_makes_one_logit(n_layers):
    settings = replace(TrainSettings(), discriminator_layers=n_layers, n_scales=2)
    networks = MultiScaleDiscriminator(1, 2, 2, n_layers, spectral_norm=True)
    side = settings.smallest_crop_px
    assert networks(torch.randn(1, 1, side, side))[-1].shape == (1, 1, 1, 1)


def test_weights_start_small_and_biases_at_zero():
    torch.manual_seed(0)
    networks = PatchDiscriminator(1, 16, spectral_norm=False)
    weights = torch.cat([c.weight.flatten() for c in networks.convolutions])
    assert weights.std().item() == pytest.approx(0.02, rel=0.02)
    assert all((c.bias == 0).all() for c in networks.convolutions)


def test_spectral_norm_bounds_the_largest_singular_value():
    torch.manual_seed(0)
    networks = PatchDiscriminator(1, 4, spectral_norm=True)
    for _ in range(30):
        networks(torch.randn(1, 1, 32, 32))
    for convolution in networks.convolutions:
        largest = torch.linalg.matrix_norm(convolution.weight.flatten(1), 2)
        assert largest.item() == pytest.approx(1.0, rel=0.05)


def test_a_batch_is_judged_image_by_image():
    networks = MultiScaleDiscriminator(1, 2, 2, spectral_norm=False)
    images = torch.randn(2, 1, 32, 32)
    for together, alone in zip(networks(images), networks(images[1:]), strict=True):
        torch.testing.assert_close(together[1:], alone)


def test_detail_is_shown_beside_the_image_on_every_scale():
    """With the image's own channels cut off, logits depend on local differences alone."""
    torch.manual_seed(0)
    networks = MultiScaleDiscriminator(2, 2, 2, spectral_norm=False, detail_gain=10.0)
    with torch.no_grad():
        for scale in networks.scales:
            assert scale.convolutions[0].in_channels == 4
            for convolution in scale.convolutions:
                torch.nn.init.normal_(convolution.weight)
            scale.convolutions[0].weight[:, :2] = 0
    image = torch.randn(1, 2, 32, 32)
    for one, other, flat in zip(
        networks(image), networks(image + 0.3), networks(torch.zeros_like(image)), strict=True
    ):
        torch.testing.assert_close(one, other, atol=0.01, rtol=1e-3)
        assert (one - flat).abs().max() > 1


def test_detail_is_the_bounded_difference_from_the_local_mean():
    image = torch.rand(1, 1, 32, 32)
    local = torch.nn.functional.unfold(image, 5).mean(1).view(1, 1, 28, 28)
    difference = image[..., 2:-2, 2:-2] - local
    for gain in (1.0, 50.0):
        shown = []
        networks = PatchDiscriminator(1, 2, spectral_norm=False, detail_gain=gain)
        networks.convolutions[0].register_forward_pre_hook(
            lambda _module, given, shown=shown: shown.append(given[0][..., 1:-1, 1:-1])
        )
        networks(image)
        assert torch.equal(shown[0][:, :1], image)
        torch.testing.assert_close(shown[0][:, 1:, 2:-2, 2:-2], torch.tanh(gain * difference))
