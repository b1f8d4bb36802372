from dataclasses import replace

import pytest
import torch

from napari_unit.domains import Domain, IntensityScaling
from napari_unit_training import memory
from napari_unit_training.config import TrainSettings
from napari_unit_training.errors import TrainingError
from napari_unit_training.memory import MemoryEstimate, make_fit
from napari_unit_training.session import make_unit

CPU = torch.device("cpu")
RANGE = IntensityScaling("range", 0, 255)
DOMAINS = (Domain("a", ("x",), RANGE), Domain("b", ("x", "y"), RANGE))
SMALL = TrainSettings(
    width=4, discriminator_width=4, n_scales=1, crop_px=128, batch_size=4, precision="float32"
)


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch):
    def give(n_bytes: int | None) -> None:
        monkeypatch.setattr(memory, "available_bytes", lambda _: n_bytes)

    return give


def test_weights_count_once_and_pixels_by_their_number() -> None:
    estimate = MemoryEstimate(SMALL, DOMAINS, CPU)
    unit = make_unit(SMALL, DOMAINS)
    model, critics = (
        sum(p.numel() * 4 for p in part.parameters()) for part in (unit.model, unit.discriminators)
    )
    fixed = 5 * model + 4 * critics
    assert fixed <= estimate.bytes_of(0, 128) < 2 * fixed
    of_pixels = [estimate.bytes_of(*size) - estimate.bytes_of(0, 128)
                 for size in ((1, 64), (4, 64), (1, 128))]  # fmt: skip
    assert of_pixels[1] == pytest.approx(4 * of_pixels[0], rel=1e-3)
    assert of_pixels[2] == pytest.approx(4 * of_pixels[0], rel=1e-3)


@pytest.mark.parametrize("large", [False, True])
def test_what_is_kept_is_what_autograd_keeps(large) -> None:
    """A pass at a larger size, counted in the same way; wide critics weigh more than maps."""
    settings = replace(SMALL, discriminator_width=64, n_scales=2) if large else SMALL
    estimate = MemoryEstimate(settings, DOMAINS, CPU)
    kept = [
        memory._kept_bytes(make_unit(settings, DOMAINS), side, half=False) for side in (96, 192)
    ]
    grown = estimate.bytes_of(1, 192) - estimate.bytes_of(1, 96)
    assert grown == pytest.approx(memory._WORKSPACE * (kept[1] - kept[0]), rel=0.05)


def test_what_fits_is_left_alone(free) -> None:
    for n_bytes in (None, 10**12):
        free(n_bytes)
        settings, needed = make_fit(SMALL, DOMAINS, CPU, fit=True)
        assert settings is SMALL
        assert needed > 0


def test_what_does_not_fit_is_refused_with_what_would(free) -> None:
    estimate = MemoryEstimate(SMALL, DOMAINS, CPU)
    free(estimate.bytes_of(2, 128))
    with pytest.raises(TrainingError, match=r"batches of 2 crops of 128 px would fit: .* --fit"):
        make_fit(SMALL, DOMAINS, CPU, fit=False)
    fitted, needed = make_fit(SMALL, DOMAINS, CPU, fit=True)
    assert fitted == replace(SMALL, batch_size=2)
    assert needed == estimate.bytes_of(2, 128)
    free(estimate.bytes_of(1, 96))
    assert make_fit(SMALL, DOMAINS, CPU, fit=True)[0] == replace(SMALL, batch_size=1, crop_px=96)
    free(1000)
    with pytest.raises(TrainingError, match="take a smaller width"):
        make_fit(SMALL, DOMAINS, CPU, fit=True)
