"""Images to translate, and models with random weights that fit them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from napari_unit.domains import Domain, IntensityScaling

RANGE = IntensityScaling("range", 0.0, 255.0)
SYNTHETIC = Domain(
    "synthetic", ("dna",), IntensityScaling("percentiles", 0.5, 99.5, (100.0,), (40000.0,))
)
REAL = Domain("real", ("dna",), RANGE)
STAINED = Domain("stained", ("red", "green", "blue"), RANGE)
TWO = Domain("two", ("dna", "actin"), RANGE)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def gray() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 60000, (60, 52)).astype("u2")


@pytest.fixture(scope="session")
def color() -> np.ndarray:
    return np.random.default_rng(2).integers(0, 256, (60, 52, 3)).astype("u1")


@pytest.fixture(scope="session")
def nuclei_domains() -> tuple[Domain, Domain]:
    """The domains of the model `nuclei`."""
    return SYNTHETIC, REAL


@pytest.fixture(scope="session")
def nuclei(save_tiny_model: Callable[..., Path], nuclei_domains: tuple[Domain, Domain]) -> Path:
    return save_tiny_model("nuclei", *nuclei_domains)


@pytest.fixture(scope="session")
def stain(save_tiny_model: Callable[..., Path]) -> Path:
    return save_tiny_model("stain", SYNTHETIC, STAINED)


@pytest.fixture(scope="session")
def pair(save_tiny_model: Callable[..., Path]) -> Path:
    return save_tiny_model("pair", TWO, REAL)
