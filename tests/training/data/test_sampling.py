from pathlib import Path

import torch
from hypothesis import given
from hypothesis import strategies as st

from napari_unit.domains import Window
from napari_unit_training.data.image_files import ImageFiles
from napari_unit_training.data.sampling import sample_crops, seed_of
from napari_unit_training.data.training_images import TrainingImage

FILES = ImageFiles(None)


def held(pixels: torch.Tensor) -> TrainingImage:
    """Return an image (C, Y, X) that is held, of no file."""
    channels, height, width = pixels.shape
    window = Window((0.0,) * channels, (1.0,) * channels)
    return TrainingImage(Path(), 1, channels, height, width, window, FILES, pixels[None])


IMAGES = [torch.arange(n * m, dtype=torch.float32).view(1, n, m) for n, m in ((20, 31), (16, 16))]


def _sample(images=IMAGES, **changes):
    given_ = {
        "seed": 1, "images_seen": 0, "stream": 1, "batch_size": 4, "crop_px": 16,
        "min_deviation": 0.0, "device": torch.device("cpu"),
    }  # fmt: skip
    return sample_crops([held(image) for image in images], **(given_ | changes))


@given(st.integers(0, 2**62), st.integers(0, 10**8), st.integers(1, 5), st.integers(1, 5))
def test_a_crop_depends_on_its_number_and_not_on_the_batches(seed, seen, first, second):
    one = _sample(seed=seed, images_seen=seen, batch_size=first + second)
    two = torch.cat(
        [
            _sample(seed=seed, images_seen=seen, batch_size=first),
            _sample(seed=seed, images_seen=seen + first, batch_size=second),
        ]
    )
    assert torch.equal(one, two)


def test_seed_stream_and_place_in_the_run_each_matter():
    many = {"batch_size": 20}
    base = _sample(**many)
    for change in ({"seed": 2}, {"stream": 2}, {"images_seen": 100}):
        assert not torch.equal(base, _sample(**many, **change))
    assert len({seed_of(s, n, t) for s in (0, 1) for n in (0, 1) for t in (0, 1)}) == 8


def test_every_image_and_every_corner_is_drawn():
    crops = _sample(batch_size=4000)
    tops = {(float(c[0, 0, 0]), float(c[0, -1, -1])) for c in crops}
    assert len(tops) == 5 * 16 + 1
    small = sum(bool(torch.equal(c, IMAGES[1])) for c in crops)
    assert 0.45 < small / 4000 < 0.55  # images are drawn alike whatever their size


def test_flat_crops_are_drawn_again():
    half = torch.zeros(1, 200, 16)
    half[:, 150:] = torch.rand(1, 50, 16)
    drawn = _sample([half], batch_size=60, min_deviation=0.01)
    blind = _sample([half], batch_size=60)

    def flat(crops):
        return sum(bool(c.std() < 0.01) for c in crops)

    assert flat(blind) > 30
    assert flat(drawn) < 10


def test_a_folder_of_nothing_but_flat_crops_still_gives_crops():
    assert _sample([torch.zeros(1, 20, 20)], min_deviation=0.5).shape == (4, 1, 16, 16)


def test_one_varied_channel_is_enough():
    two = torch.zeros(2, 16, 16)
    two[1] = torch.rand(16, 16)
    flat_first = torch.stack([two[0], two[0]])
    crops = _sample([two, flat_first], batch_size=40, min_deviation=0.01)
    assert sum(bool(c.std() > 0.01) for c in crops) >= 38
