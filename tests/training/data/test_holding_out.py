from pathlib import Path

import numpy as np
import pytest
import torch

from napari_unit.domains import Window
from napari_unit_training.data.holding_out import hold_out, told_held_out
from napari_unit_training.data.image_files import ImageFiles
from napari_unit_training.data.training_images import TrainingImage


@pytest.fixture
def make_image():
    def make(name="x", height=40, width=130, planes=1):
        pixels = torch.arange(planes * height * width).reshape(planes, 1, height, width).float()
        window = Window((0.0,), (1.0,))
        return TrainingImage(Path(name), planes, 1, height, width, window, ImageFiles(None), pixels)

    return make


def test_of_many_images_whole_ones_are_held_out(make_image):
    images = [make_image(str(index)) for index in range(20)]
    learned, held = hold_out(images, 0.1, 32, seed=4)
    assert (len(learned), len(held)) == (18, 2)
    assert {*learned, *held} == set(images)
    assert hold_out(images, 0.1, 32, seed=4)[1] == held
    others = {hold_out(images, 0.1, 32, seed=seed)[1] for seed in range(5)}
    assert len(others) > 1


def test_one_of_five_is_held_out_at_least(make_image):
    learned, held = hold_out([make_image(str(i)) for i in range(5)], 0.01, 32, 0)
    assert (len(learned), len(held)) == (4, 1)


@pytest.mark.parametrize(("size", "axis"), [((40, 130), 3), ((130, 40), 2)])
def test_of_few_images_the_end_of_the_longer_side_is_held_out(make_image, size, axis):
    image = make_image("x", *size, planes=2)
    (rest,), (end,) = hold_out([image], 0.1, 32, 0)
    assert rest.held.shape[axis] == 98
    assert end.held.shape[axis] == 32, "room for a crop"
    assert torch.equal(torch.cat([rest.held, end.held], axis), image.held)
    assert torch.equal(end.crop(1, 0, 0, 32), end.held[1, :, :32, :32])


def test_a_large_image_gives_the_fraction(make_image):
    (rest,), (end,) = hold_out([make_image("x", 40, 1000)], 0.1, 32, 0)
    assert (rest.width, end.width) == (900, 100)


def test_what_is_too_small_is_all_learned_from(make_image):
    small, large = make_image("small", 40, 127), make_image("large", 40, 128)
    learned, held = hold_out([small, large], 0.1, 32, 0)
    assert learned[0] is small
    assert [image.path.name for image in held] == ["large"]
    assert hold_out([small], 0.1, 32, 0) == ((small,), ())


def test_nothing_is_held_out_where_nothing_is_to_be(make_image):
    images = [make_image(str(index)) for index in range(20)]
    assert hold_out(images, 0.0, 32, 0) == (tuple(images), ())


def test_a_part_is_read_where_it_is(tmp_path):
    pixels = np.arange(40 * 130, dtype=np.uint16).reshape(40, 130)
    np.save(tmp_path / "x.npy", pixels)
    window = Window((0.0,), (5200.0,))
    image = TrainingImage(tmp_path / "x.npy", 1, 1, 40, 130, window, ImageFiles("YX"))
    _, (end,) = hold_out([image], 0.1, 32, 0)
    expected = torch.from_numpy(window.to_unit(pixels[None, :, 98:].astype(np.float32)))
    assert torch.allclose(end.crop(0, 4, 0, 32), expected[:, 4:36])
    assert torch.allclose(end.read_all()[0], expected)


def test_a_note_says_what_is_held_out(make_image):
    images = [make_image(str(index)) for index in range(20)]
    _, held = hold_out(images, 0.1, 32, 0)
    assert told_held_out("cells", 20, held) == (
        "2 of the 20 images of cells are held out: quality is measured there."
    )
    _, held = hold_out(images[:1], 0.1, 32, 0)
    assert told_held_out("cells", 1, held).startswith(
        "A band of the images of cells (0 40 x 32 px)"
    )
