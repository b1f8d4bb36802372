from dataclasses import replace

import pytest
import torch
from small_unit import small_unit

from napari_unit.domains import Domain, IntensityScaling
from napari_unit_training.methods.unit import Pair, Unit


@pytest.fixture
def unit() -> Unit:
    torch.manual_seed(0)
    range_255 = IntensityScaling("range", 0, 255)
    a, b = Domain("a", ("x", "y"), range_255), Domain("b", ("z",), range_255)
    return small_unit(a, b)


@pytest.fixture
def alike(unit: Unit) -> Unit:
    """Return a method whose domains have one channel each, with the identity term."""
    b = unit.model.domains[1]
    torch.manual_seed(0)
    return small_unit(replace(b, name="a"), b, identity=1.0)


@pytest.fixture
def images() -> Pair:
    generator = torch.Generator().manual_seed(1)
    return Pair(
        torch.rand(2, 2, 32, 32, generator=generator) * 2 - 1,
        torch.rand(2, 1, 32, 32, generator=generator) * 2 - 1,
    )
