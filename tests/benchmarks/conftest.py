"""Pictures, scenes and networks small enough to run a benchmark on."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from napari_unit.domains import Domain, IntensityScaling
from napari_unit.models.file import LoadedModel, load_model


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Networks this small only wait for each other's threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def denormals() -> Iterator[None]:
    """Take back what the benchmark's command sets for the process that it thinks its own."""
    yield
    torch.set_flush_denormal(False)


@pytest.fixture(scope="session")
def squares() -> Callable[..., np.ndarray]:
    """Return a function that makes labels with one square per (top, left, side)."""

    def make(*boxes: tuple[int, int, int], shape: tuple[int, int] = (48, 48)) -> np.ndarray:
        labels = np.zeros(shape, np.int32)
        for number, (top, left, side) in enumerate(boxes, 1):
            labels[top : top + side, left : left + side] = number
        return labels

    return make


@pytest.fixture(scope="session")
def picture(squares: Callable[..., np.ndarray]) -> Callable[..., Any]:
    """Return a function that makes a labelled image: bright squares on a dark noisy ground."""
    from nuclei_splits import LabelledImage

    def make(seed: int, shape: tuple[int, int] = (48, 48)) -> LabelledImage:
        rng = np.random.default_rng(seed)
        rows, columns = rng.integers(0, 8, 4), rng.integers(0, 8, 4)
        boxes = [
            (24 * (i // 2) + int(rows[i]), 24 * (i % 2) + int(columns[i]), int(rng.integers(8, 14)))
            for i in range(4)
        ]
        labels = squares(*boxes, shape=shape)
        image = 20.0 + 150.0 * (labels > 0) + 4.0 * rng.standard_normal(shape)
        return LabelledImage(f"p{seed:03d}", np.clip(image, 0, 255).astype(np.uint8), labels)

    return make


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory, picture: Callable[..., Any]) -> Path:
    """A folder with 15 pictures in each of the two sets of real images."""
    from nuclei_splits import SETS

    folder = tmp_path_factory.mktemp("data")
    for offset, set_name in enumerate(SETS):
        for kind in ("images", "labels"):
            (folder / set_name / kind).mkdir(parents=True)
        for seed in range(15):
            made = picture(100 * offset + seed)
            Image.fromarray(made.image).save(folder / set_name / "images" / f"{made.name}.png")
            labels = Image.fromarray(made.labels.astype(np.uint16))
            labels.save(folder / set_name / "labels" / f"{made.name}.png")
    return folder


@pytest.fixture(scope="session")
def tissue_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with 12 sections in the set of real tissue, which are simulated."""
    from nuclei_scenes import simulate_scenes
    from nuclei_splits import TISSUE_SETS

    folder = tmp_path_factory.mktemp("tissue")
    for kind in ("images", "labels"):
        (folder / TISSUE_SETS[0] / kind).mkdir(parents=True)
    for made in simulate_scenes(12, 64, 99, "histology"):
        Image.fromarray(made.image).save(folder / TISSUE_SETS[0] / "images" / f"{made.name}.png")
        labels = Image.fromarray(made.labels.astype(np.uint16))
        labels.save(folder / TISSUE_SETS[0] / "labels" / f"{made.name}.png")
    return folder


@pytest.fixture(scope="session")
def tiny_tissue_model(save_tiny_model: Callable[..., Path]) -> LoadedModel:
    """A model with random weights between simulated and real sections, RGB."""
    scaling = IntensityScaling("range", 0, 255)
    colors = ("red", "green", "blue")
    domains = (Domain("synthetic", colors, scaling), Domain("real", colors, scaling))
    return load_model(save_tiny_model("tiny_tissue", *domains))


@pytest.fixture(scope="session")
def small_network() -> Any:
    """Settings of a segmentation network that learns squares within seconds."""
    from nuclei_segmentation import SegmentationSettings

    return SegmentationSettings(width=4, depth=2, steps=60, batch=4, crop_px=32, learning_rate=2e-2)


@pytest.fixture(scope="session")
def tiny_model(save_tiny_model: Callable[..., Path]) -> LoadedModel:
    """A model with random weights between scenes and real images."""
    synthetic = IntensityScaling("percentiles", 1, 99, (50.0,), (900.0,))
    real = IntensityScaling("percentiles", 1, 99, (5.0,), (180.0,))
    domains = (Domain("synthetic", ("DNA",), synthetic), Domain("real", ("DNA",), real))
    return load_model(save_tiny_model("tiny", *domains))
