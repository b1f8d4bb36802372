"""A folder with an image to give commands in, and two bundled models."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_unit.domains import Domain, IntensityScaling
from napari_unit.models import zoo

RANGE = IntensityScaling("range", 0.0, 255.0)
SYNTHETIC = Domain(
    "synthetic", ("dna",), IntensityScaling("percentiles", 0.5, 99.5, (100.0,), (40000.0,))
)
REAL = Domain("real", ("dna",), RANGE)
STAINED = Domain("stained", ("red", "green", "blue"), RANGE)


@pytest.fixture
def workplace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, save_tiny_model: Callable[..., Path]
) -> Path:
    """Return a folder with an image, the working directory; the bundled models are two."""
    bundled = tmp_path / "bundled"
    bundled.mkdir()
    save_tiny_model("nuclei", SYNTHETIC, REAL, folder=bundled)
    save_tiny_model("stain", SYNTHETIC, STAINED, folder=bundled)
    monkeypatch.setattr(zoo, "bundled_folder", lambda: bundled)
    monkeypatch.setattr(zoo, "user_folder", lambda: tmp_path / "none")
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    pixels = np.random.default_rng(0).integers(0, 60000, (60, 52)).astype("u2")
    tifffile.imwrite("in.tif", pixels, resolution=(2e4, 2e4), resolutionunit="CENTIMETER")
    return here
