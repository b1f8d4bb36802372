"""Normalisation statistics that a model file carries beside its weights."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from napari_unit.models.card import STATISTICS_PREFIX
from napari_unit.models.model import TranslationModel
from napari_unit.models.normalisation import Moments

_DIRECTIONS = ("a_to_b", "b_to_a")
_MOMENTS = ("mean", "squared_deviations")


@dataclass(frozen=True, slots=True, eq=False)
class CropSpread:
    """How much crops differ in what reaches the first normalisation, per channel.

    Parameters
    ----------
    mean, deviation
        Averages over the crops of each one's mean and standard deviation; float64, shape (C,).
    mean_spread, deviation_spread
        Standard deviations of the same over the crops.
    """

    mean: Tensor
    deviation: Tensor
    mean_spread: Tensor
    deviation_spread: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class StoredStatistics:
    """Moments of one direction's normalisations, pooled over training crops.

    Parameters
    ----------
    moments
        One per normalisation, in the order in which an image passes them.
    spread
        By which an image that is far from the crops can be told.
    n_crops, crop_px
        How many crops, and their side.
    """

    moments: tuple[Moments, ...]
    spread: CropSpread
    n_crops: int
    crop_px: int


BothStatistics = tuple[StoredStatistics, StoredStatistics]
"""From domain a to b, and from b to a: ``[model.index_of(source)]`` is that of a source domain."""


def spread_over(crops: Sequence[Moments]) -> CropSpread:
    """Return the spread over crops, given the moments of each; of a single one it is zero."""
    means = torch.stack([crop.mean for crop in crops])  # (N, C)
    deviations = torch.stack([crop.variance(unbiased=False).sqrt() for crop in crops])
    correction = min(1, len(crops) - 1)
    return CropSpread(
        means.mean(0),
        deviations.mean(0),
        means.std(0, correction=correction),
        deviations.std(0, correction=correction),
    )


def to_tensors(statistics: BothStatistics) -> dict[str, Tensor]:
    """Return the statistics as tensors of a model file, by name."""
    tensors: dict[str, Tensor] = {}
    for direction, stored in zip(_DIRECTIONS, statistics, strict=True):
        prefix = f"{STATISTICS_PREFIX}{direction}."
        tensors[f"{prefix}crops"] = torch.tensor([stored.n_crops, stored.crop_px])
        counts = [moments.count for moments in stored.moments]
        tensors[f"{prefix}counts"] = torch.tensor(counts, dtype=torch.float64)
        for field in fields(CropSpread):
            value = getattr(stored.spread, field.name)
            tensors[f"{prefix}spread.{field.name}"] = value
        for index, moments in enumerate(stored.moments):
            tensors[f"{prefix}{index}.mean"] = moments.mean
            tensors[f"{prefix}{index}.squared_deviations"] = moments.squared_deviations
    return {name: tensor.contiguous() for name, tensor in tensors.items()}


def from_tensors(tensors: Mapping[str, Tensor]) -> BothStatistics:
    """Return the statistics of tensors that `check` has found right."""
    a_to_b, b_to_a = (
        _direction_from(tensors, f"{STATISTICS_PREFIX}{direction}.") for direction in _DIRECTIONS
    )
    return a_to_b, b_to_a


def check(tensors: Mapping[str, Tensor], model: TranslationModel) -> None:
    """Hold the tensors of statistics against the model that they are to be those of.

    Raises
    ------
    ValueError
        If one is missing, unknown, of another shape, or holds what no statistics can be; the
        message is the end of a sentence.
    """
    expected = _expected_shapes(model)
    if odd := sorted(set(expected) ^ set(tensors)):
        raise ValueError(
            f"of the statistics {len(odd)} tensors are missing or unknown, {odd[0]} among them"
        )
    for name, shape in expected.items():
        tensor = tensors[name]
        is_whole = name.endswith(".crops")
        dtype = torch.int64 if is_whole else torch.float64
        if tensor.dtype != dtype or tuple(tensor.shape) != shape:
            raise ValueError(
                f"{name} is {tensor.dtype} {tuple(tensor.shape)} and should be {dtype} {shape}"
            )
        if not bool(torch.isfinite(tensor).all()):
            raise ValueError(f"{name} holds NaN or infinite numbers")
        least = 1.0 if is_whole or name.endswith(".counts") else 0.0
        if not name.endswith(".mean") and bool((tensor < least).any()):
            raise ValueError(f"{name} holds numbers below {least:g}")


def _expected_shapes(model: TranslationModel) -> dict[str, tuple[int, ...]]:
    a, b = (domain.name for domain in model.domains)
    shapes: dict[str, tuple[int, ...]] = {}
    for direction, names in zip(_DIRECTIONS, ((a, b), (b, a)), strict=True):
        prefix = f"{STATISTICS_PREFIX}{direction}."
        norms = [step.block.norm for step in model.steps(*names) if step.block.norm is not None]
        shapes |= {f"{prefix}crops": (2,), f"{prefix}counts": (len(norms),)}
        shapes |= {f"{prefix}spread.{f.name}": (norms[0].n_means,) for f in fields(CropSpread)}
        for index, norm in enumerate(norms):
            shapes |= {f"{prefix}{index}.{of}": (norm.n_means,) for of in _MOMENTS}
    return shapes


def _direction_from(tensors: Mapping[str, Tensor], prefix: str) -> StoredStatistics:
    moments = tuple(
        Moments(count, *(tensors[f"{prefix}{index}.{of}"] for of in _MOMENTS))
        for index, count in enumerate(tensors[f"{prefix}counts"].tolist())
    )
    spread = CropSpread(*(tensors[f"{prefix}spread.{f.name}"] for f in fields(CropSpread)))
    n_crops, crop_px = tensors[f"{prefix}crops"].tolist()
    return StoredStatistics(moments, spread, n_crops, crop_px)
