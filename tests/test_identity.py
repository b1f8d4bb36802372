import json
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from napari_unit.geometry.regions import whole
from napari_unit.identity import as_begun, identity_of
from napari_unit.images.axes import Axes
from napari_unit.images.source_image import SourceImage


@pytest.mark.parametrize(
    ("begun", "asked", "taken"),
    [
        ({}, ("auto", "auto"), ("auto", "auto")),
        ({"tile": 512, "device": "cpu"}, ("auto", "auto"), (512, "cpu")),
        ({"tile": 512, "device": "cuda"}, ("auto", "auto"), (512, "cuda")),
        ({"tile": 512, "device": "cuda"}, (256, "cpu"), (256, "cpu")),
        ({"tile": 512, "device": "mps"}, ("auto", "auto"), (512, "auto")),
        ({"tile": "512", "device": ["cpu"]}, ("auto", "auto"), ("auto", "auto")),
        ({"tile": True, "device": 3}, ("auto", "auto"), ("auto", "auto")),
    ],
)
def test_what_is_left_open_is_as_it_was(begun: Any, asked: Any, taken: Any) -> None:
    assert as_begun(begun, *asked, ("cuda:0", "cpu")) == taken


def test_the_identity_is_plain_and_knows_no_number_of_a_device() -> None:
    array = np.zeros((3, 60, 52), "u2")
    image = SourceImage(array, Axes("ZYX"), "cells", level_shapes=((3, 60, 52), (3, 30, 26)))
    settings = SimpleNamespace(
        statistics="image", seed=0, dtype=np.dtype("u1"), precision="float32"
    )
    plan: Any = SimpleNamespace(
        source_domain="a",
        target_domain="b",
        settings=settings,
        tile_px=64,
        device="cuda:1",
        fields=(whole((60, 52)),),
    )
    loaded: Any = SimpleNamespace(sha256="ab" * 32)
    found = identity_of(image, loaded, plan, "cd" * 32)
    assert json.loads(json.dumps(found)) == found
    assert (found["device"], found["tile"], found["dtype"]) == ("cuda", 64, "uint8")
    assert found["field"] == 60
    assert found["levels"] == [[3, 30, 26]]
    # an array and the file that it was read from
    alone = SourceImage(array, Axes("ZYX"), "in", level_shapes=((3, 60, 52),))
    bare = SourceImage(array, Axes("ZYX"), "array")
    assert identity_of(alone, loaded, plan, "") == identity_of(bare, loaded, plan, "")
