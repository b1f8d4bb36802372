"""The selection in the layer list, which is a person's and not ours."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def selection_kept(layers: Any) -> Iterator[None]:
    """Select what was selected again, after layers have come or gone."""
    selected, active = list(layers.selection), layers.selection.active
    try:
        yield
    finally:
        layers.selection = {layer for layer in selected if layer in layers}
        if active in layers:
            layers.selection.active = active
            layers.selection.update(layer for layer in selected if layer in layers)
