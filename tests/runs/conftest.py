"""Small images, and requests for trainings of a few seconds in processes of their own."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import tifffile

from napari_unit.runs import starting
from napari_unit.runs.listing import RunView, WatchedRun
from napari_unit.runs.sources import RunSources
from napari_unit.runs.starting import TrainingRequest

PATIENCE_S = 120.0
TINY = {
    "minutes": 0.0,
    "images_total": 6,
    "width": 2,
    "discriminator_width": 2,
    "n_scales": 1,
    "crop_px": 32,
    "batch_size": 1,
    "device": "cpu",
    "precision": "float32",
    "domain_a": {"name": "left"},
    "domain_b": {"name": "right"},
    "cadence": {"log": 1, "preview": 4, "quality": 100, "checkpoint": 100},
    "validation": {"held_out": 0.0},
}


@pytest.fixture
def sources(tmp_path: Path) -> RunSources:
    random = np.random.default_rng(0)
    for name in "ab":
        (tmp_path / name).mkdir()
        for index in range(2):
            pixels = random.integers(100, 60000, (40, 48), dtype=np.uint16)
            tifffile.imwrite(tmp_path / name / f"{index}.tif", pixels)
    return RunSources((str(tmp_path / "a"),), (str(tmp_path / "b"),))


@pytest.fixture
def request_of(sources: RunSources) -> Callable[..., TrainingRequest]:
    def make(**changes: Any) -> TrainingRequest:
        return TrainingRequest(sources, "quick", {**TINY, **changes})

    return make


@pytest.fixture(autouse=True)
def no_training_left() -> Iterator[None]:
    """End what a test has started, however it ended."""
    yield
    for child in starting._CHILDREN.values():
        child.kill()
        child.wait()
    starting._CHILDREN.clear()
    assert not [p for p in psutil.Process().children() if "train" in p.cmdline()]


@pytest.fixture
def wait_for() -> Callable[[WatchedRun, Callable[[RunView], Any]], RunView]:
    """Return a function that looks at a training until something is so."""

    def wait(run: WatchedRun, condition: Callable[[RunView], Any]) -> RunView:
        until = time.monotonic() + PATIENCE_S
        while not condition(view := run.look()):
            assert time.monotonic() < until, (view.state, view.sentence, view.story.events[-3:])
            time.sleep(0.05)
        return view

    return wait
