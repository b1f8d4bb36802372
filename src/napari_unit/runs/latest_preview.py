"""What a training makes of a few fixed crops, as numbers."""

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_NAMES = (
    "a", "a_to_a", "a_to_b", "a_to_b_to_a", "b", "b_to_b", "b_to_a", "b_to_a_to_b",
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class LatestPreview:
    """Fixed crops and their translations.

    Parameters
    ----------
    domains
        Names of domain a and b.
    images_seen
        Of the model that translated them.
    crops
        Shape (B, C, H, W) in [-1, 1], by ``a``, ``a_to_a``, ``a_to_b``, ``a_to_b_to_a``, then the
        same of b with the roles exchanged.
    """

    domains: tuple[str, str]
    images_seen: int
    crops: Mapping[str, NDArray[Any]]


def read_latest_preview(path: Path) -> LatestPreview:
    """Read what the trainer wrote last. Nothing is unpickled.

    Raises
    ------
    OSError
        If there is none.
    ValueError
        If the file holds something else.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            first, second = (str(name) for name in file["domains"])
            return LatestPreview(
                (first, second), int(file["images_seen"]), {name: file[name] for name in _NAMES}
            )
    except (KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} holds no preview of a training ({error}).") from error
