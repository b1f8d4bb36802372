import pytest
import torch
from torch import nn

from napari_unit.geometry.tiling import LayerGeometry, reach_of
from napari_unit.models.architecture import Architecture
from napari_unit.models.networks import ConvBlock, Decoder, Encoder, ImageTanh, ResidualBlock, Step
from napari_unit.models.normalisation import InstanceNorm, LayerNorm

SIZES = Architecture(width=2, n_residual=2)


def walk(steps: tuple[Step, ...], x: torch.Tensor) -> torch.Tensor:
    kept = x
    for step in steps:
        if step.skip == "open":
            kept = x
        x = step.block(x)
        if step.skip == "close":
            x = kept + x
    return x


def test_encoder_and_decoder_map_between_image_and_latent() -> None:
    image = torch.rand(2, 3, 16, 24) * 2 - 1
    latent = Encoder(3, SIZES, ())(image)
    assert latent.shape == (2, SIZES.latent_channels, 4, 6)
    translated = Decoder(5, SIZES, ())(latent)
    assert translated.shape == (2, 5, 16, 24)
    assert translated.abs().max() <= 1.0


def test_steps_are_the_forward_pass_in_order() -> None:
    encoder, decoder = Encoder(1, SIZES, ()), Decoder(2, SIZES, ())
    image = torch.rand(1, 1, 16, 16)
    latent = encoder(image)
    assert torch.equal(walk(encoder.steps(), image), latent)
    assert torch.equal(walk(decoder.steps(), latent), decoder(latent))


def test_layers_are_units() -> None:
    encoder, decoder = Encoder(1, Architecture(), ()), Decoder(3, Architecture(), ())
    blocks = [step.block for step in (*encoder.steps(), *decoder.steps())]
    assert [(b.conv.in_channels, b.conv.out_channels, b.conv.kernel_size[0]) for b in blocks] == [
        (1, 64, 7),
        (64, 128, 4),
        (128, 256, 4),
        *[(256, 256, 3)] * 16,
        (256, 128, 5),
        (128, 64, 5),
        (64, 3, 7),
    ]
    kinds = [type(block.norm) for block in blocks]
    assert kinds == [InstanceNorm] * 19 + [LayerNorm] * 2 + [type(None)]
    n_parameters = sum(p.numel() for p in (*encoder.parameters(), *decoder.parameters()))
    assert n_parameters == 11_134_211  # reference: 11,127,937 with 1 and 11,140,483 with 3 channels


def test_a_residual_block_has_no_activation_after_the_sum() -> None:
    block = ResidualBlock(2)
    x = torch.randn(1, 2, 8, 8) - 5.0
    assert torch.equal(block(x), x + block.second(block.first(x)))
    assert (block(x) < 0).any()


def test_shared_blocks_end_encoders_and_start_decoders() -> None:
    shared = (ResidualBlock(8),)
    one, other = Encoder(1, SIZES, shared), Encoder(3, SIZES, shared)
    assert one.blocks[-1] is other.blocks[-1] is shared[0]
    assert one.blocks[-2] is not other.blocks[-2]
    assert Decoder(1, SIZES, shared).blocks[0] is shared[0]


def test_reach_is_where_an_input_pixel_stops_to_matter() -> None:
    """With positive weights and no normalisation, gradients reach as far as the geometry."""
    architecture = Architecture(width=1, n_residual=1)
    blocks = [*Encoder(1, architecture, ()).blocks, *Decoder(1, architecture, ()).blocks]
    for module in nn.ModuleList(blocks).modules():
        if isinstance(module, ConvBlock):
            module.norm, module.activation = None, nn.Identity()
            nn.init.constant_(module.conv.weight, 1.0 / module.conv.weight[0].numel())
    network = nn.Sequential(*blocks).double()
    steps = (*Encoder(1, architecture, ()).steps(), *Decoder(1, architecture, ()).steps())
    reach = reach_of([step.block.geometry for step in steps])

    middle, seen = 64, []
    for place in range(middle, middle + 4):
        line = torch.zeros(1, 1, 16, 2 * middle, dtype=torch.float64, requires_grad=True)
        network(line)[0, 0, :, place].sum().backward()
        assert line.grad is not None
        touched = line.grad[0, 0].abs().sum(0).nonzero().flatten()
        seen += [place - int(touched[0]), int(touched[-1]) - place]
    assert max(seen) == reach < middle


def test_the_image_is_made_in_float32() -> None:
    x = torch.linspace(-4, 4, 9).bfloat16()
    assert torch.equal(ImageTanh()(x), torch.tanh(x.float()))


def test_a_foreign_block_is_refused() -> None:
    encoder = Encoder(1, SIZES, ())
    encoder.blocks.append(nn.ReLU())
    with pytest.raises(TypeError, match=r"convolution and residual blocks, not ReLU\(\)"):
        encoder.steps()


def test_maps_of_one_channel_images_are_channels_last() -> None:
    latent = Encoder(1, SIZES, ())(torch.rand(1, 1, 16, 24))
    image = Decoder(1, SIZES, ())(latent)
    assert latent.is_contiguous(memory_format=torch.channels_last)
    again = Encoder(1, SIZES, ())(image)
    assert again.is_contiguous(memory_format=torch.channels_last)


def test_padding_does_not_leave_the_precision_of_a_map() -> None:
    block = ConvBlock(2, 3, LayerGeometry(5, 1, 2, 2), None, "none")
    shown = []
    block.conv.register_forward_pre_hook(lambda _module, given: shown.append(given[0]))
    x = torch.randn(1, 2, 6, 7).bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        block(x)
    assert shown[0].dtype == torch.bfloat16
    expected = torch.nn.functional.pad(
        x.repeat_interleave(2, 2).repeat_interleave(2, 3), (2,) * 4, mode="reflect"
    )
    assert torch.equal(shown[0], expected)
