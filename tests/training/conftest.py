import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch

from napari_unit_training.config import TrainSettings
from napari_unit_training.config_tables import (
    Augmentation,
    Cadence,
    DomainSettings,
    Validation,
)
from napari_unit_training.loop import train


@contextmanager
def _one_thread() -> Iterator[None]:
    """Tiny networks gain nothing from threads, and two suites at once lose much."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def _one_thread_in_a_test() -> Iterator[None]:
    with _one_thread():
        yield


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Give the same to what a module trains once, for the same bits."""
    with _one_thread():
        yield


@pytest.fixture
def real_page() -> None:
    """Let a run write its page."""


@pytest.fixture(autouse=True)
def _quick_page(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing its diagrams would take most of a small run's time."""
    if "real_page" not in request.fixturenames:
        monkeypatch.setattr(
            "napari_unit_training.run.write_report",
            lambda folder: folder.report_path.write_text("a page"),
        )


@pytest.fixture(scope="session")
def settings() -> TrainSettings:
    """A run of five steps on networks of a few kilobytes."""
    return TrainSettings(
        domain_a=DomainSettings(name="left"),
        domain_b=DomainSettings(name="right"),
        width=2,
        n_residual=2,
        n_shared=1,
        discriminator_width=2,
        n_scales=2,
        crop_px=32,
        batch_size=2,
        images_total=9,
        decay_fraction=0.5,
        ema_half_life_images=4,
        ema_ramp=0.5,
        augmentation=Augmentation(brightness=0.05, contrast=0.1, gamma=0.1),
        precision="float32",
        device="cpu",
        seed=3,
        cadence=Cadence(log=2, preview=100, checkpoint=4),
        validation=Validation(held_out=0.0),
    )


@pytest.fixture
def write_images(tmp_path: Path) -> Callable[..., Path]:
    """Write random 16-bit TIFFs into a new folder and return it."""
    return partial(_write_images, tmp_path)


@pytest.fixture(scope="session")
def write_images_in() -> Callable[..., Path]:
    """Write them into a new folder in a given one."""
    return _write_images


def _write_images(where: Path, name: str, sizes: list[tuple[int, int]], seed: int = 0) -> Path:
    folder = where / name
    folder.mkdir()
    random = np.random.default_rng(seed)
    for index, size in enumerate(sizes):
        pixels = random.integers(100, 60000, size, dtype=np.uint16)
        tifffile.imwrite(folder / f"{index}.tif", pixels)
    return folder


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    return _folders(tmp_path)


def _folders(where: Path) -> tuple[Path, Path]:
    return (
        _write_images(where, "a", [(40, 48), (32, 32), (50, 33)], 1),
        _write_images(where, "b", [(36, 36), (64, 40)], 2),
    )


@pytest.fixture
def read_events() -> Callable[[Path], list[dict[str, Any]]]:
    def read(out: Path) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (out / "events.jsonl").read_text().splitlines()]

    return read


@pytest.fixture(scope="session")
def quiet(settings: TrainSettings) -> TrainSettings:
    """The same run with nothing due before its end."""
    return replace(settings, cadence=Cadence(log=1000, preview=1000, checkpoint=1000))


@pytest.fixture
def hash_of() -> Callable[[Path], str]:
    return lambda path: hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def assert_equal() -> Callable[[Any, Any], None]:
    """Compare nested tables of tensors to the last bit."""
    return _assert_same


def _assert_same(one: Any, other: Any, where: str = "") -> None:
    if isinstance(one, dict):
        assert one.keys() == other.keys(), where
        for key in one:
            _assert_same(one[key], other[key], f"{where}.{key}")
    elif isinstance(one, list | tuple):
        assert len(one) == len(other), where
        for index, pair in enumerate(zip(one, other, strict=True)):
            _assert_same(*pair, f"{where}[{index}]")
    elif isinstance(one, torch.Tensor):
        assert torch.equal(one, other), where
    else:
        assert one == other, where


@pytest.fixture(scope="session")
def run_once(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Return a function that trains on what `folders` has, once with each settings.

    It returns the folder of the run, which is only read.
    """
    images = _folders(tmp_path_factory.mktemp("images"))
    runs: dict[str, Path] = {}

    def train_once(settings: TrainSettings) -> Path:
        key = json.dumps(settings.to_mapping(), sort_keys=True)
        if key not in runs:
            runs[key] = tmp_path_factory.mktemp("runs") / "run"
            list(train(settings, *images, runs[key]))
        return runs[key]

    return train_once


@pytest.fixture
def uninterrupted(run_once: Callable[..., Path], quiet: TrainSettings, tmp_path: Path) -> Path:
    """Return the folder of a run without a break."""
    return Path(shutil.copytree(run_once(quiet), tmp_path / "whole"))
