import torch

from napari_unit.models.model import TranslationModel
from napari_unit.models.stored_statistics import to_tensors
from napari_unit_training.calibration import LEAST_CROPS, MAX_CROPS, model_statistics, n_crops
from napari_unit_training.data.run_images import load_domains
from napari_unit_training.data.sampling import sample_crops
from napari_unit_training.quality.crops import CropChoice


def test_maps_of_all_crops_take_a_gigabyte_at_most():
    assert n_crops(16, 128) == n_crops(64, 128) == MAX_CROPS == 256
    assert n_crops(64, 256) == 128
    assert n_crops(64, 4096) == LEAST_CROPS


def test_they_are_pooled_over_crops_as_a_training_draws_them(settings, folders, assert_equal):
    data = load_domains(settings, *folders, torch.device("cpu"))
    model = TranslationModel(data[0].domain, data[1].domain, settings.architecture)
    images = (data[0].images, data[1].images)
    choice = CropChoice(6, 32, 0.01, seed=5)
    generator = torch.get_rng_state()
    found = model_statistics(model, images, choice)
    assert torch.equal(torch.get_rng_state(), generator)
    assert_equal(to_tensors(found), to_tensors(model_statistics(model, images, choice)))
    other = model_statistics(model, images, CropChoice(6, 32, 0.01, seed=6))
    for index, stored in enumerate(found):
        crops = sample_crops(
            images[index], seed=5, images_seen=0, stream=index, batch_size=6, crop_px=32,
            min_deviation=0.01, device=torch.device("cpu"),
        )  # fmt: skip
        stem = model.encoders[index].steps()[0].block.conv
        with torch.no_grad():
            x = stem(torch.nn.functional.pad(crops, (3,) * 4, mode="reflect")).double()
        torch.testing.assert_close(stored.moments[0].mean, x.mean((0, 2, 3)), atol=1e-6, rtol=0)
        assert not torch.equal(stored.moments[0].mean, other[index].moments[0].mean)
        assert (stored.n_crops, stored.crop_px) == (6, 32)
