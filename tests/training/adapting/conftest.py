"""Images of two classes that a few steps can learn: bars that stand, and bars that lie."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_unit_training.adapting.settings import AdaptationSettings

SMALL = AdaptationSettings(
    side_px=16, width=2, discriminator_width=4, batch_size=8, steps=6,
    report_every=3, checkpoint_every=3, device="cpu",
)  # fmt: skip


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def small() -> AdaptationSettings:
    """Return settings of a run that takes a second."""
    return SMALL


def bars(n: int, seed: int, *, inverted: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Draw images (N, 16, 16) of uint8, and their classes: 0 lies, 1 stands."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 40, (n, 16, 16), dtype=np.uint8)
    labels = rng.integers(0, 2, n)
    for image, label, place in zip(images, labels, rng.integers(3, 12, n), strict=True):
        plane = image.T if label else image
        plane[place : place + 2] = 230
    return (255 - images if inverted else images), labels.astype(np.uint8)


@pytest.fixture
def files(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes a set of bars as .npz."""

    def write(name: str, seed: int, *, n_channels: int = 1, inverted: bool = False) -> Path:
        arrays = {}
        for part, n, offset in (("train", 64, 0), ("test", 32, 1)):
            images, labels = bars(n, 2 * seed + offset, inverted=inverted)
            if n_channels == 3:
                images = np.repeat(images[..., None], 3, -1)
            arrays |= {f"x_{part}": images, f"y_{part}": labels}
        path = tmp_path / f"{name}.npz"
        np.savez(path, **arrays)
        return path

    return write
