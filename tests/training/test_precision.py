import pytest
import torch

from napari_unit_training.errors import TrainingError
from napari_unit_training.precision import (
    autocast,
    bfloat16_pays,
    choose_device,
    flushed_denormals,
)

CPU = torch.device("cpu")


def test_cpu_is_always_there_and_auto_is_something():
    assert choose_device("cpu") == CPU
    assert choose_device("auto").type in ("cpu", "cuda", "mps")


@pytest.mark.parametrize("name", ["cuda:99", "gpu", "meta", "", "xpu"])
def test_a_device_that_is_not_there_is_refused_with_those_that_are(name):
    with pytest.raises(TrainingError, match=rf"The device is '{name}'; here are: auto, cpu"):
        choose_device(name)


@pytest.mark.parametrize(("amx", "avx"), [(True, False), (False, True), (False, False)])
def test_bfloat16_on_a_cpu_needs_instructions_for_it(monkeypatch, amx, avx):
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx)
    assert bfloat16_pays(CPU) == (amx or avx)


@pytest.mark.parametrize(("pays", "precision", "dtype"), [
    (True, "auto", torch.bfloat16), (True, "float32", torch.float32),
    (False, "auto", torch.float32),
])  # fmt: skip
def test_convolutions_run_in_the_precision_asked_for(monkeypatch, pays, precision, dtype):
    monkeypatch.setattr("napari_unit_training.precision.bfloat16_pays", lambda _device: pays)
    convolution = torch.nn.Conv2d(1, 1, 3)
    with autocast(CPU, precision):
        assert convolution(torch.zeros(1, 1, 4, 4)).dtype == dtype


def _denormal_survives() -> bool:
    return bool((torch.full((8,), 1e-40) * 0.5 != 0).all())


def test_denormals_are_flushed_inside_and_only_there():
    assert _denormal_survives()
    with flushed_denormals():
        assert not _denormal_survives()
        with flushed_denormals():
            pass
        assert not _denormal_survives()
    assert _denormal_survives()
