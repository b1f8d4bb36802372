import pytest
import torch

from napari_unit_training.adapting.networks import (
    CoupledDecoders,
    CoupledDiscriminators,
    CoupledEncoders,
)


@pytest.mark.parametrize("side_px", [16, 32, 64])
@pytest.mark.parametrize("domain", [0, 1])
def test_images_become_one_code_each_and_back(side_px, domain):
    channels = (3, 1)
    encoders = CoupledEncoders(channels, side_px, 2, coordinates=True)
    decoders = CoupledDecoders(channels, side_px, 2)
    code = encoders(torch.randn(4, channels[domain], side_px, side_px), domain)
    assert code.shape == (4, decoders.code_channels, 1, 1) == (4, 16, 1, 1)
    image = decoders(code, domain)
    assert image.shape == (4, channels[domain], side_px, side_px)
    assert image.abs().max() <= 1


def test_the_authors_size_has_the_numbers_of_weights_that_follow_from_it():
    """32 px, widths 96 and 64, from 3 channels and 1: private ends, tied middles."""
    c, d = 96, 64
    encoders = CoupledEncoders((3, 1), 32, c, coordinates=True)
    own = 25 * c * (5 + 3) + 2 * c
    tied = 25 * c * 2 * c + 2 * c + 64 * 2 * c * 4 * c + 4 * c + 4 * c * 8 * c + 8 * c
    tied += 8 * c * 8 * c + 8 * c
    assert sum(p.numel() for p in encoders.parameters()) == own + tied
    discriminators = CoupledDiscriminators((3, 1), 32, d, 10)
    own = 25 * d * (3 + 1) + 2 * d
    tied = sum(25 * d * d * 2 ** (2 * i + 1) + d * 2 ** (i + 1) for i in range(3))
    heads = 4 * 8 * d * 11 + 11
    assert sum(p.numel() for p in discriminators.parameters()) == own + tied + heads


def test_only_the_ends_are_a_domains_own():
    parts = (
        CoupledEncoders((1, 1), 16, 2, coordinates=False),
        CoupledDecoders((1, 1), 16, 2),
        CoupledDiscriminators((1, 1), 16, 2, 3),
    )
    shown = torch.randn(4, 1, 16, 16), torch.randn(4, 16, 1, 1), torch.randn(4, 1, 16, 16)
    for part, given in zip(parts, shown, strict=True):
        made = part(given, 1)
        torch.cat([m.flatten() for m in (made if isinstance(made, tuple) else (made,))]).square(
        ).sum().backward()  # fmt: skip
        reached = {name for name, p in part.named_parameters() if p.grad is not None}
        assert not any(name.startswith("own.0") for name in reached)
        assert {n for n, _ in part.named_parameters() if not n.startswith("own.0")} == reached


def test_both_domains_start_alike_where_they_have_as_many_channels():
    image, code = torch.randn(4, 1, 16, 16), torch.randn(4, 16, 1, 1)
    encoders = CoupledEncoders((1, 1), 16, 2, coordinates=True)
    decoders = CoupledDecoders((1, 1), 16, 2)
    discriminators = CoupledDiscriminators((1, 1), 16, 2, 3).eval()
    assert torch.equal(encoders(image, 0), encoders(image, 1))
    assert torch.equal(decoders(code, 0), decoders(code, 1))
    assert torch.equal(discriminators(image, 0)[1], discriminators(image, 1)[1])
    with torch.no_grad():
        next(encoders.own[0].parameters()).zero_()  # they are not tied
    assert not torch.equal(encoders(image, 0), encoders(image, 1))


def test_coordinates_tell_where_a_pixel_is():
    encoders = CoupledEncoders((1, 1), 16, 2, coordinates=True)
    seen = []
    encoders.own[0].register_forward_pre_hook(lambda _module, given: seen.append(given[0]))
    image = torch.randn(2, 1, 16, 16)
    encoders(image, 0)
    (shown,) = seen
    assert torch.equal(shown[:, :1], image)
    x, y = shown[1, 1], shown[1, 2]
    assert (x[:, 0] == -1).all()
    assert (x[:, -1] == 1).all()
    assert torch.equal(y, x.T)


def test_a_discriminator_judges_names_and_tells_its_highest_features():
    discriminators = CoupledDiscriminators((3, 1), 32, 4, 5).eval()
    is_real, classes, features = discriminators(torch.randn(6, 3, 32, 32), 0)
    assert (is_real.shape, classes.shape) == ((6,), (6, 5))
    assert features.shape == (6, 32, 2, 2)


def test_dropout_spares_the_features_of_the_highest_layer():
    discriminators = CoupledDiscriminators((1, 1), 16, 32, 2)
    features = discriminators(torch.rand(8, 1, 16, 16), 0)[2]
    discriminators.dropouts[-1].p = 0.99
    assert (features > 0).float().mean() > 0.1
