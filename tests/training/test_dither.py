import torch

from napari_unit_training.dither import FAINTEST, dithered


def _images() -> torch.Tensor:
    images = torch.rand(4, 2, 32, 24, generator=torch.Generator().manual_seed(1)) * 2 - 1
    images[1] = -1.0
    images[2, 0], images[2, 1] = -0.25, 0.75  # no contrast in either channel
    images[3, 0] = 0.5  # one channel has some
    return images


def test_images_without_contrast_get_a_faint_grain_and_others_stay():
    images = _images()
    made = dithered(images)
    assert torch.equal(made[[0, 3]], images[[0, 3]])
    grain = made[[1, 2]] - images[[1, 2]]
    torch.testing.assert_close(grain.std((2, 3)), torch.full((2, 2), FAINTEST), rtol=0.1, atol=0)
    assert grain.abs().max() < 5 * FAINTEST


def test_the_grain_is_always_the_same_and_draws_nothing():
    state = torch.get_rng_state()
    images = _images()
    assert torch.equal(dithered(images), dithered(images.clone()))
    assert torch.equal(torch.get_rng_state(), state)


def test_gradients_pass_as_they_are():
    images = _images().requires_grad_()
    dithered(images).sum().backward()
    assert torch.equal(images.grad, torch.ones_like(images))
