from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from napari_unit.domains import Domain, IntensityScaling
from napari_unit.models.architecture import Architecture
from napari_unit.models.card import ModelCard
from napari_unit_training.data.sampling import sample_crops
from napari_unit_training.errors import TrainingError
from napari_unit_training.quality.crops import CropChoice, draw_crops, open_domain

CPU = torch.device("cpu")


def card(**settings: object) -> ModelCard:
    scaling = IntensityScaling("range", 0.0, 65535.0)
    domains = (Domain("left", ("x",), scaling), Domain("right", ("x",), scaling))
    return ModelCard("m", "Made up.", domains, Architecture(2, 1), {"settings": settings}, "0.1.0")


def test_crops_are_those_of_the_training_where_nothing_else_is_said() -> None:
    trained = card(crop_px=48, min_crop_deviation=0.25)
    assert CropChoice.of(trained, 9, 5) == CropChoice(9, 48, 0.25, 5)
    assert CropChoice.of(trained, 9, 5, 32).crop_px == 32
    assert CropChoice.of(card(), 9, 5) == CropChoice(9, 256, 0.0, 5)


@pytest.mark.parametrize(
    ("count", "crop_px", "sentence"),
    [
        (3, 32, "--crops is 3; at least 4 are needed"),
        (4, 15, "15 px are too small"),
        (4, 0, "Crops of 0 px are too small to be measured; give a --crop-px of 16 or more"),
    ],
)
def test_too_few_or_too_small_is_one_sentence(count: int, crop_px: int, sentence: str) -> None:
    assert CropChoice.of(card(), 4, 0, 16)
    with pytest.raises(TrainingError, match=sentence):
        CropChoice.of(card(), count, 0, crop_px)


def test_images_are_scaled_by_the_card_and_cut_with_and_without_pairs(
    write_images: Callable[..., Path],
) -> None:
    a = write_images("a", [(40, 48), (32, 32)], 1)
    b = write_images("b", [(40, 48), (32, 32)], 2)
    domains = (open_domain(card(), 0, a, 16), open_domain(card(), 1, b, 16))
    assert [domain.domain.name for domain in domains] == ["left", "right"]
    held = domains[0].images[0].read_all()
    assert held.min() == pytest.approx(100 / 32767.5 - 1, abs=0.01)
    choice = CropChoice(6, 16, 0.0, 7)
    images = (domains[0].images, domains[1].images)
    apart = draw_crops(images, choice, CPU)
    pairs = draw_crops(images, choice, CPU, paired=True)
    for index, crops in enumerate(apart):
        assert torch.equal(
            crops,
            sample_crops(
                domains[index].images, seed=7, images_seen=0, stream=index, batch_size=6,
                crop_px=16, min_deviation=0.0, device=CPU,
            ),
        )  # fmt: skip
    assert torch.equal(pairs[0], apart[0])
    assert not torch.equal(pairs[1], apart[1])
