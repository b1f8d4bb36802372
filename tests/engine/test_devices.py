from pathlib import Path

import pytest
import torch

from napari_unit.engine import devices
from napari_unit.engine.devices import available_bytes, available_devices, calm, resolve_device


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


def test_memory_is_known_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu = torch.device("cpu")
    known = available_bytes(cpu)
    assert known is None or known > 0
    monkeypatch.setattr(devices, "_system_bytes", lambda: 500)
    monkeypatch.setattr(devices, "_cgroup_bytes", lambda: 300)
    assert available_bytes(cpu) == 300
    monkeypatch.setattr(devices, "_cgroup_bytes", lambda: None)
    assert available_bytes(cpu) == 500
    monkeypatch.setattr(devices, "_system_bytes", lambda: None)
    assert available_bytes(cpu) is None


@pytest.mark.parametrize(
    ("files", "left"),
    [
        ({"memory.max": "max\n", "memory.current": "5\n"}, None),
        ({"memory.max": "100\n", "memory.current": "70\n"}, 30),
        # what was read from files can be dropped
        ({"memory.max": "100\n", "memory.current": "95\n",
          "memory.stat": "anon 20\nfile 75\ninactive_file 60\n"}, 65),
        ({"memory.max": "100\n", "memory.current": "170\n", "memory.stat": "anon 1\n"}, 0),
        ({}, None),
    ],
)  # fmt: skip
def test_a_container_tells_what_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], left: int | None
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(devices, "CGROUP", tmp_path)
    assert devices._cgroup_bytes() == left


def test_what_torch_keeps_on_a_gpu_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (100, 1000))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda _: 700)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda _: 50)
    assert available_bytes(torch.device("cuda:0")) == 750


def test_where_the_system_tells_nothing_memory_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> str:
        raise OSError

    monkeypatch.setattr(Path, "read_text", refuse)
    assert devices._system_bytes() is None
    assert devices._cgroup_bytes() is None


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
