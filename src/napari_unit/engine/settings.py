"""How to translate: what a user can choose of the engine."""

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

StatisticsMode = Literal["image", "whole", "model", "local", "tile"]
"""
``"image"``: of a pooled, stratified sample of the image.
``"whole"``: of all of it, which equals translating it in one piece.
``"model"``: of the crops that the model was trained on; the same for every image.
``"local"``: of the surroundings of each pixel, for images that change from place to place.
``"tile"``: of each tile alone, as others do; for comparison only, its tiles do not fit together.
"""
Precision = Literal["float32", "bfloat16"]
"""
``"float32"``: exact; every tile size and device gives the same pixels within 1e-4.
``"bfloat16"``: faster where the hardware computes it; only the statistics are measured in float32.
"""
MIN_TILE_PX = 16
DEFAULT_MEMORY_BYTES = 2 * 10**9
_MIN_MEMORY_BYTES = 10**8
_OUTPUT_DTYPES = ("float32", "uint8", "int8", "uint16", "int16", "uint32", "int32")


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """How to translate.

    Parameters
    ----------
    statistics
        What the normalisation layers are told, see `StatisticsMode`.
    tile_px
        Side of a tile, or ``"auto"``. The result does not depend on it.
    device
        ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"``.
    dtype
        Of the result: float32 or an integer type of at most 32 bits.
    seed
        Of the sample.
    precision
        In which tiles are computed.
    memory_bytes
        What the maps of the networks may take of the system's memory. Larger maps go to files.
        The program itself and its libraries come on top, with about half a gigabyte.

    Raises
    ------
    ValueError
        If a value is none of these.
    """

    statistics: StatisticsMode = "image"
    tile_px: int | Literal["auto"] = "auto"
    device: str = "auto"
    dtype: np.dtype[Any] = np.dtype("float32")  # noqa: RUF009 - immutable
    seed: int = 0
    memory_bytes: int = DEFAULT_MEMORY_BYTES
    precision: Precision = "float32"

    def __post_init__(self) -> None:
        """Refuse what cannot be done."""
        if self.statistics not in get_args(StatisticsMode):
            raise ValueError(
                f"The statistics are {self.statistics!r}; they must be 'image', 'whole', 'model', "
                "'local' or 'tile'."
            )
        if self.tile_px != "auto" and not (
            type(self.tile_px) is int and self.tile_px >= MIN_TILE_PX
        ):
            raise ValueError(
                f"The tile is {self.tile_px!r}; it must be 'auto' or a whole number of pixels "
                f"from {MIN_TILE_PX} on."
            )
        if self.dtype.name not in _OUTPUT_DTYPES:
            raise ValueError(
                f"The output dtype is {self.dtype}; it must be one of {', '.join(_OUTPUT_DTYPES)}."
            )
        if type(self.seed) is not int or self.seed < 0:
            raise ValueError(f"The seed is {self.seed!r}; it must be a whole number from 0 on.")
        if self.precision not in get_args(Precision):
            raise ValueError(
                f"The precision is {self.precision!r}; it must be 'float32' or 'bfloat16'."
            )
        if type(self.memory_bytes) is not int or self.memory_bytes < _MIN_MEMORY_BYTES:
            raise ValueError(
                f"The memory is {self.memory_bytes!r} bytes; it must be a whole number from "
                f"{_MIN_MEMORY_BYTES} on."
            )
