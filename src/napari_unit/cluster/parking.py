"""Fields between two steps, as workers hold them for each other: plain arrays."""

from dataclasses import dataclass
from typing import Any

import torch
from numpy.typing import NDArray

from napari_unit.engine.runner import FeatureMap
from napari_unit.engine.states import opened_at
from napari_unit.engine.sweep import FieldState, Sweeper


@dataclass(frozen=True, slots=True, eq=False)
class ParkedState:
    """A field between two steps, as workers hold it for each other.

    Parameters
    ----------
    map, skip
        Shape (1, H, W, C) each, where they are.
    is_raw
        As of `FieldState`.
    """

    map: NDArray[Any] | None = None
    skip: NDArray[Any] | None = None
    is_raw: bool = True


def parked(state: FieldState) -> ParkedState:
    """Return a field as plain arrays."""

    def flat(kept: FeatureMap | None) -> NDArray[Any] | None:
        return None if kept is None else kept.values.permute(0, 2, 3, 1).contiguous().cpu().numpy()

    return ParkedState(flat(state.map), flat(state.skip), state.is_raw)


def unparked(sweeper: Sweeper, number: int, index: int, kept: ParkedState) -> FieldState:
    """Return a copy of a field, which may be written over.

    Parameters
    ----------
    sweeper
        Whose plan says where the arrays lie in their maps.
    number
        Of the field.
    index
        Of the step behind which it is.
    kept
        From `parked`.
    """
    first, stop = sweeper.plan.route.kept
    index = min(index, stop - 1)
    if kept.map is None or index < first:
        return FieldState()
    field = sweeper.plan.fields[number]

    def unflat(values: NDArray[Any], step: int) -> FeatureMap:
        size = sweeper.plan.route.size_at(step + 1, sweeper.plan.size)
        copied = torch.from_numpy(values.copy()).permute(0, 3, 1, 2)
        return FeatureMap(copied, field.targets[step], size)

    skip = None
    if kept.skip is not None:
        skip = unflat(kept.skip, opened_at(sweeper, index + 1) - 1)
    return FieldState(unflat(kept.map, index), skip, kept.is_raw)
