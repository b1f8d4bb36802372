"""Where fields are between two steps of a sweep: in memory, or in a folder."""

import contextlib
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Protocol

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from napari_unit.atomic import put_in_place
from napari_unit.engine.runner import FeatureMap
from napari_unit.engine.spare import SpareMemory
from napari_unit.engine.sweep import FieldState, Sweeper
from napari_unit.models.normalisation import Moments

PerField = tuple[Moments | None, ...]
"""What a step has measured of each field; None where it has no normalisation."""


class LastMaps(Protocol):
    """Has the last maps of a sweep."""

    def last_map(self, sweeper: Sweeper, number: int) -> FeatureMap:
        """Return a field's last kept map, normalised, after the sweep."""


class States(LastMaps, Protocol):
    """Keeps the fields of a sweep."""

    def advance(self, sweeper: Sweeper, index: int) -> Generator[int, None, PerField]:
        """Take every field through one step; yields the multiplications carried out."""


class StatesInMemory:
    """Keeps the maps of all fields in memory.

    Parameters
    ----------
    n_fields
        Of the sweep.
    device
        In whose memory.
    """

    def __init__(self, n_fields: int, device: str = "cpu") -> None:
        self._states = [FieldState() for _ in range(n_fields)]
        self._device = torch.device(device)

    def advance(self, sweeper: Sweeper, index: int) -> Generator[int, None, PerField]:
        """Take every field through one step; yields the multiplications carried out."""
        measured: list[Moments | None] = []
        if sweeper.spare is None:
            sweeper.spare = SpareMemory()
        for number, state in enumerate(self._states):
            self._states[number] = FieldState()
            after, moments = yield from sweeper.advance(number, index, state)
            self._states[number] = after.to(self._device)
            measured.append(moments)
        return tuple(measured)

    def last_map(self, sweeper: Sweeper, number: int) -> FeatureMap:
        """Return a field's last kept map, normalised, after the sweep."""
        state = self._states[number]
        last = sweeper.finished(state)
        if last.values.device == self._device:  # normalised where it lies
            self._states[number] = FieldState(last, None, is_raw=False)
        return last


class StatesOnDisk:
    """Keeps the maps of each field in files; only those of one field are in memory.

    What is there from an earlier run of the same sweep is not computed again.

    Parameters
    ----------
    folder
        For this sweep alone; made if it is missing.
    n_fields
        Of the sweep.
    """

    def __init__(self, folder: Path, n_fields: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._n_fields = n_fields

    def advance(self, sweeper: Sweeper, index: int) -> Generator[int, None, PerField]:
        """Take every field through one step; yields the multiplications carried out."""
        all_moments = self._folder / f"step-{index}.safetensors"
        fields = sweeper.plan.fields
        if all_moments.is_file():
            known = load_file(all_moments)
            for field in fields:
                yield sweeper.plan.work[index] * sum(piece.n_px for piece in field.pieces[index])
            return tuple(_moments_of(known, f"{number}.") for number in range(self._n_fields))
        measured: list[Moments | None] = []
        for number in range(self._n_fields):
            moments = yield from self._advance_field(sweeper, number, index)
            measured.append(moments)
        _save(all_moments, _tensors_of(measured))
        return tuple(measured)

    def last_map(self, sweeper: Sweeper, number: int) -> FeatureMap:
        """Return a field's last kept map, normalised, after the sweep."""
        stop = sweeper.plan.route.kept[1]
        return sweeper.finished(self._load(sweeper, number, stop - 1))

    def _advance_field(
        self, sweeper: Sweeper, number: int, index: int
    ) -> Generator[int, None, Moments | None]:
        first, stop = sweeper.plan.route.kept
        path = self._map_path(number, index)
        if path.is_file():
            work = sweeper.plan.work[index]
            yield work * sum(piece.n_px for piece in sweeper.plan.fields[number].pieces[index])
            return _moments_of(load_file(path), "")
        state = FieldState()
        if index > first:
            state = self._load(sweeper, number, min(index, stop) - 1)
        state, moments = yield from sweeper.advance(number, index, state)
        tensors = _tensors_of([moments], named=False)
        if first <= index < stop:
            assert state.map is not None
            tensors["map"] = _rows_first(state.map.values)
            if sweeper.plan.route.steps[index].skip == "open":
                assert state.skip is not None
                _save(self._skip_path(number, index), {"map": _rows_first(state.skip.values)})
        _save(path, tensors)
        if first < index < stop:
            self._forget(sweeper, number, index)
        return moments

    def _load(self, sweeper: Sweeper, number: int, index: int) -> FieldState:
        """Return a field as it was behind a step whose map is kept."""
        plan = sweeper.plan
        region = plan.fields[number].targets[index]
        size = plan.route.size_at(index + 1, plan.size)
        values = load_file(self._map_path(number, index))["map"]
        skip = None
        if plan.route.steps[index].skip == "close":
            opened = opened_at(sweeper, index)
            kept = load_file(self._skip_path(number, opened))["map"]
            source = plan.fields[number].targets[opened - 1]
            skip = FeatureMap(kept.permute(0, 3, 1, 2), source, size)
        return FieldState(FeatureMap(values.permute(0, 3, 1, 2), region, size), skip)

    def _forget(self, sweeper: Sweeper, number: int, index: int) -> None:
        """Remove what no later step of this field needs."""
        # Windows removes none that is still mapped into memory; these go with their folder
        with contextlib.suppress(PermissionError):
            self._map_path(number, index - 1).unlink(missing_ok=True)
            if sweeper.plan.route.steps[index - 1].skip == "close":
                self._skip_path(number, opened_at(sweeper, index - 1)).unlink(missing_ok=True)

    def _map_path(self, number: int, index: int) -> Path:
        return self._folder / f"field-{number}-step-{index}.safetensors"

    def _skip_path(self, number: int, index: int) -> Path:
        return self._folder / f"field-{number}-skip-{index}.safetensors"


def opened_at(sweeper: Sweeper, closing: int) -> int:
    """Return the last step before another one that keeps its input as a skip."""
    steps = sweeper.plan.route.steps
    return max(i for i in range(closing) if steps[i].skip == "open")


def _rows_first(values: Tensor) -> Tensor:
    """Return (1, H, W, C) without copying a channels-last map; files keep no memory layouts."""
    return values.permute(0, 2, 3, 1).contiguous().cpu()


def _tensors_of(measured: Sequence[Moments | None], *, named: bool = True) -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = {}
    for number, moments in enumerate(measured):
        if moments is not None:
            prefix = f"{number}." if named else ""
            tensors[f"{prefix}count"] = torch.tensor(moments.count, dtype=torch.float64)
            tensors[f"{prefix}mean"] = moments.mean
            tensors[f"{prefix}squared_deviations"] = moments.squared_deviations
    return tensors


def _moments_of(tensors: dict[str, Tensor], prefix: str) -> Moments | None:
    if f"{prefix}count" not in tensors:
        return None
    return Moments(
        float(tensors[f"{prefix}count"]),
        tensors[f"{prefix}mean"],
        tensors[f"{prefix}squared_deviations"],
    )


def _save(path: Path, tensors: dict[str, Tensor]) -> None:
    """Write a file that is whole or not there, whenever the process ends."""
    partial = path.with_suffix(".partial")
    try:
        save_file(tensors, partial)
    except BaseException:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        raise
    put_in_place(partial, path)
