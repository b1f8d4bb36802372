import pytest
import torch

from napari_unit.engine.devices import (
    available_bytes,
    available_devices,
    calm,
    resolve_device,
    taken_bytes,
)


def test_there_is_always_a_cpu() -> None:
    assert available_devices()[-1] == "cpu"
    assert resolve_device("cpu") == torch.device("cpu")
    assert str(resolve_device("auto")) == available_devices()[0]


@pytest.mark.parametrize("name", ["cuda:77", "tpu", "", "CPU"])
def test_a_device_that_is_not_there_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"The device is '{name}'; here there are 'auto', "):
        resolve_device(name)


def test_auto_takes_the_first_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert available_devices() == ("cuda:0", "cuda:1", "cpu")
    assert str(resolve_device("auto")) == str(resolve_device("cuda")) == "cuda:0"
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert str(resolve_device("auto")) == "mps"


def test_what_torch_keeps_on_a_gpu_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (100, 1000))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda _: 700)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda _: 50)
    assert available_bytes(torch.device("cuda:0")) == 750


@pytest.mark.parametrize("was_flushing", [True, False])
def test_calm_leaves_everything_as_it_was(was_flushing: bool) -> None:
    def state() -> tuple[object, ...]:
        cudnn = torch.backends.cudnn
        flushes = float(torch.tensor(1e-30) * torch.tensor(1e-12)) == 0.0
        return flushes, torch.is_inference_mode_enabled(), cudnn.allow_tf32, cudnn.benchmark

    try:
        torch.set_flush_denormal(was_flushing)
        before = state()
        assert before[0] == was_flushing
        with calm():
            assert state() == (True, True, False, False)
        assert state() == before
        with pytest.raises(RuntimeError, match="inside"), calm():
            raise RuntimeError("inside")
        assert state() == before
    finally:
        torch.set_flush_denormal(False)


def test_what_is_taken_on_a_gpu_is_what_torch_keeps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda _: 700)
    assert taken_bytes(torch.device("cuda:0")) == 700
    on_cpu = taken_bytes(torch.device("cpu"))
    assert on_cpu is None or on_cpu > 1 << 20
