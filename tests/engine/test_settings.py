from typing import Any

import numpy as np
import pytest

from napari_unit.engine.settings import EngineSettings


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("statistics", "batch", "'batch'; they must be 'image', 'whole', 'model', 'local' or"),
        ("tile_px", 15, "The tile is 15; it must be 'auto' or a whole number of pixels from 16"),
        ("tile_px", True, "The tile is True"),
        ("tile_px", 256.0, "The tile is 256.0"),
        ("tile_px", "large", "The tile is 'large'"),
        ("dtype", np.dtype("float64"), "The output dtype is float64; it must be one of float32"),
        ("dtype", np.dtype("bool"), "The output dtype is bool"),
        ("seed", -1, "The seed is -1; it must be a whole number from 0 on"),
        ("seed", 0.5, "The seed is 0.5"),
        ("memory_bytes", 10, "The memory is 10 bytes; it must be a whole number from 100000000 on"),
        ("memory_bytes", 1e9, "The memory is 1000000000.0 bytes"),
    ],
)
def test_a_setting_out_of_bounds_is_refused(field: str, value: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        EngineSettings(**{field: value})
