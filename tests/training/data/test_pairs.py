from dataclasses import replace
from pathlib import Path

import pytest
import torch

from napari_unit.domains import Window
from napari_unit_training.data.image_files import ImageFiles
from napari_unit_training.data.pairs import check_pairs, sample_pairs
from napari_unit_training.data.sampling import sample_crops
from napari_unit_training.data.training_images import TrainingImage
from napari_unit_training.errors import TrainingError

FILES = ImageFiles(None)


def held(name: str, pixels: torch.Tensor) -> TrainingImage:
    """Return an image (P, C, Y, X) that is held."""
    window = Window((0.0,) * pixels.shape[1], (1.0,) * pixels.shape[1])
    planes, channels, height, width = pixels.shape
    return TrainingImage(Path(name), planes, channels, height, width, window, FILES, pixels)


def numbered(*shapes: tuple[int, int, int, int], start: int = 0) -> list[TrainingImage]:
    """Return images in which every pixel is another number."""
    images = []
    for index, shape in enumerate(shapes):
        n = torch.Size(shape).numel()
        pixels = torch.arange(start, start + n, dtype=torch.float32).view(shape)
        images.append(held(f"{index}.tif", pixels))
        start += n
    return images


CHOICE = {
    "seed": 3, "count": 30, "crop_px": 8, "min_deviation": 0.0, "device": torch.device("cpu")
}  # fmt: skip
SHAPES = ((3, 1, 20, 31), (1, 1, 9, 8))


def test_both_crops_of_a_pair_are_from_the_same_place() -> None:
    """B is a, three times a channel and 5 more: so must be the crops."""
    a = numbered(*SHAPES)
    b = [held(i.path.name, (i.held + 5).expand(-1, 3, -1, -1)) for i in a]
    first, second = sample_pairs(a, b, **CHOICE)
    assert first.shape == (30, 1, 8, 8)
    assert second.shape == (30, 3, 8, 8)
    assert torch.equal(second, (first + 5).expand(-1, 3, -1, -1))
    assert len({float(crop[0, 0, 0]) for crop in first}) > 10


def test_places_are_those_of_domain_a_without_pairs_and_depend_on_the_seed_alone() -> None:
    a, b = numbered(*SHAPES), numbered(*SHAPES, start=10_000)
    pairs = sample_pairs(a, b, **CHOICE)
    alone = sample_crops(
        a, seed=3, images_seen=0, stream=0, batch_size=30, crop_px=8, min_deviation=0.0,
        device=torch.device("cpu"),
    )  # fmt: skip
    assert torch.equal(pairs[0], alone)
    fewer = sample_pairs(a, b, **(CHOICE | {"count": 7}))
    assert torch.equal(fewer[1], pairs[1][:7])
    assert not torch.equal(sample_pairs(a, b, **(CHOICE | {"seed": 4}))[1], pairs[1])


def test_only_what_is_flat_in_a_is_drawn_again() -> None:
    half = torch.zeros(1, 1, 8, 400)
    half[..., 200:] = torch.rand(8, 200, generator=torch.Generator().manual_seed(0))
    a, b = [held("a", half)], [held("b", half.flip(3))]
    choice = CHOICE | {"min_deviation": 0.05, "count": 60}
    first, second = sample_pairs(a, b, **choice)
    assert (first.std((1, 2, 3)) > 0).all()
    assert (second.std((1, 2, 3)) == 0).any()


@pytest.mark.parametrize(
    ("b", "sentence"),
    [
        (numbered(SHAPES[0]), "There are 2 images of the first domain and 1 of the second"),
        (numbered(*reversed(SHAPES)), r"0.tif \(3 planes of 20 x 31 px\) and 0.tif \(9 x 8 px\)"),
        (numbered(SHAPES[0], (1, 1, 8, 9)), r"1.tif \(9 x 8 px\) and 1.tif \(8 x 9 px\)"),
        (numbered((2, 1, 20, 31), SHAPES[1]), r"0.tif \(2 planes of 20 x 31 px\) are a pair"),
    ],
    ids=["number", "order", "size", "planes"],
)
def test_what_cannot_be_pairs_is_one_sentence(b: list[TrainingImage], sentence: str) -> None:
    with pytest.raises(TrainingError, match=sentence):
        check_pairs(numbered(*SHAPES), b)
    with pytest.raises(TrainingError, match=sentence):
        sample_pairs(numbered(*SHAPES), b, **CHOICE)


def test_channels_of_pairs_may_differ() -> None:
    a = numbered(SHAPES[0])
    check_pairs(a, [replace(a[0], n_channels=3)])
