from collections.abc import Callable

import pytest
import torch

from napari_unit.domains import Domain, IntensityScaling
from napari_unit.models.architecture import MIN_SIZE_PX, Architecture
from napari_unit.models.model import TranslationModel

MakeModel = Callable[..., TranslationModel]


@pytest.mark.parametrize("size", [(8, 8), (9, 31), (16, 10)])
@pytest.mark.parametrize("channels", [(1, 1), (2, 3)])
def test_a_translation_has_the_images_size_and_the_targets_channels(
    random_model: MakeModel, size: tuple[int, int], channels: tuple[int, int]
) -> None:
    model = random_model(width=1, channels=channels)
    for source, target in (("a", "b"), ("b", "a")):
        n_in, n_out = channels if source == "a" else channels[::-1]
        translated = model.translate(torch.zeros(2, n_in, *size), source, target)
        assert translated.shape == (2, n_out, *size)
        assert translated.isfinite().all()


def test_a_translation_is_decoding_what_was_encoded(random_model: MakeModel) -> None:
    model, image = random_model(), torch.rand(1, 1, 16, 20)
    latent = model.encode(image, "a")
    assert latent.shape == (1, model.architecture.latent_channels, 4, 5)
    assert torch.equal(model.decode(latent, "b"), model.translate(image, "a", "b"))


def test_odd_sizes_are_reflected_at_the_far_ends_and_cropped_back(random_model: MakeModel) -> None:
    model, image = random_model(), torch.rand(1, 1, 14, 17)
    rows, columns = [*range(14), 12, 11], [*range(17), 15, 14, 13]
    padded = image[:, :, rows][:, :, :, columns]
    expected = model.translate(padded, "a", "b")[:, :, :14, :17]
    assert torch.equal(model.translate(image, "a", "b"), expected)


@pytest.mark.parametrize("n_shared", range(5))
def test_the_domains_share_the_blocks_next_to_the_latent(
    random_model: MakeModel, n_shared: int
) -> None:
    model = random_model(width=1, n_shared=n_shared)
    there, back = model.steps("a", "a"), model.steps("b", "b")
    shared = [one.block is other.block for one, other in zip(there, back, strict=True)]
    # 3 + 2 * 4 steps in the encoder, 2 * 4 + 3 in the decoder
    assert shared == [11 - 2 * n_shared <= index < 11 + 2 * n_shared for index in range(22)]


def test_steps_lead_from_source_to_target(random_model: MakeModel) -> None:
    model = random_model(channels=(2, 3))
    steps = model.steps("b", "a")
    assert steps[0].block.conv.in_channels == 3
    assert steps[-1].block.conv.out_channels == 2


def test_an_unknown_domain_is_refused(random_model: MakeModel) -> None:
    with pytest.raises(ValueError, match=r"The model has no domain 'c'; it has 'a' and 'b'\."):
        random_model().index_of("c")


def test_two_domains_of_one_name_are_refused() -> None:
    domain = Domain("a", ("x",), IntensityScaling("range", 0.0, 1.0))
    with pytest.raises(ValueError, match="Both domains are called 'a'"):
        TranslationModel(domain, domain, Architecture(width=1))


def test_the_smallest_image_is_the_smallest_that_reflects(random_model: MakeModel) -> None:
    model = random_model(width=1)
    model.translate(torch.zeros(1, 1, MIN_SIZE_PX, MIN_SIZE_PX), "a", "b")
    with pytest.raises(RuntimeError, match=r"[Pp]adding"):
        model.translate(torch.zeros(1, 1, 4, MIN_SIZE_PX), "a", "b")
