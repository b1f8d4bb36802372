from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from napari_unit.images.axes import Axes
from napari_unit.images.source_image import SourceImage


@pytest.mark.parametrize("kind", ["decoded", "mapped", "by region", "other"])
def test_the_memory_that_an_image_keeps_is_known(tmp_path: Path, kind: str) -> None:
    arrays: dict[str, tuple[Any, int]] = {
        "decoded": (np.zeros((5, 6), "u2"), 60),
        "mapped": (np.memmap(tmp_path / "a", "u1", "w+", shape=(5, 6)), 0),
        "by region": (SimpleNamespace(shape=(5, 6), bytes_held=7), 7),
        "other": (SimpleNamespace(shape=(5, 6)), 0),
    }
    array, n_bytes = arrays[kind]
    assert SourceImage(array, Axes("YX"), "a").bytes_held == n_bytes
