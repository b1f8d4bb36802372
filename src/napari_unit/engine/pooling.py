"""Statistics of a model's own: the moments of its normalisations, pooled over crops."""

from collections.abc import Sequence

from torch import Tensor

from napari_unit.engine.devices import calm
from napari_unit.engine.folding import apply_frozen
from napari_unit.engine.runner import route_of
from napari_unit.geometry.regions import whole
from napari_unit.geometry.tiling import lattice_of
from napari_unit.models.networks import Step, reflect_padded
from napari_unit.models.normalisation import Moments, merge_all
from napari_unit.models.stored_statistics import StoredStatistics, spread_over

_BATCH_PX = 1 << 18
"""Pixels of crops that are computed at once."""


def pool_statistics(steps: tuple[Step, ...], crops: Tensor) -> StoredStatistics:
    """Measure all normalisations of a translation over crops that advance together.

    Each layer's moments are pooled over all crops, the differences between them included, before
    the layer is frozen and the next one reached: what a batch norm would see if all crops were
    one batch. Coarse maps, two per crop, are parked where `crops` lie; fine maps are made again.

    Parameters
    ----------
    steps
        Of the translation; computed where its weights lie.
    crops
        Shape (N, C, H, H) in [-1, 1], H a multiple of the networks' stride; each has edges of its
        own, as in training.

    Raises
    ------
    ValueError
        If the crops have another shape.
    """
    _check_crops(steps, crops)
    with calm():
        per_norm = _pool(steps, crops)
    # clones, because tensors of inference mode are of no use to who computes gradients
    parts = [moments.clone() for moments in per_norm[0]]
    return StoredStatistics(
        tuple(merge_all(parts).clone() for parts in per_norm),
        spread_over(parts),
        len(crops),
        crops.shape[-1],
    )


def _check_crops(steps: tuple[Step, ...], crops: Tensor) -> None:
    lattice = lattice_of([step.block.geometry for step in steps])
    channels = steps[0].block.conv.in_channels
    n, n_channels, height, width = crops.shape
    if n < 1 or n_channels != channels or height != width or height % lattice:
        raise ValueError(
            f"The crops have shape {tuple(crops.shape)}; they must be squares of {channels} "
            f"channels, their side a multiple of {lattice}."
        )


def _pool(steps: tuple[Step, ...], crops: Tensor) -> list[list[Moments]]:
    """Return the moments per normalisation: of the first one per crop, else per batch."""
    route, weight = route_of(steps), steps[0].block.conv.weight
    n_steps = 1 + max(i for i, step in enumerate(steps) if step.block.norm is not None)
    parked = list(crops.split(max(1, _BATCH_PX // (crops.shape[2] * crops.shape[3]))))
    kept: list[Tensor] = []
    begin = 0  # the step whose input is parked
    found: list[Moments | None] = []
    per_norm: list[list[Moments]] = []
    for index, step in enumerate(steps[:n_steps]):
        is_coarse, norm = route.down - 1 <= index < route.up, step.block.norm
        if step.skip == "open":
            kept = list(parked)
        parts: list[Moments] = []
        for number, batch in enumerate(parked):
            raw = _raw(steps[begin : index + 1], found[begin:], batch.to(weight))
            if norm is not None:
                parts += [norm.measure(x) for x in ((raw,) if per_norm else raw.split(1))]
            if is_coarse:
                parked[number] = raw.to(crops.device)
        if parts:
            per_norm.append(parts)
        found.append(merge_all(parts) if parts else None)
        if is_coarse:
            begin = index + 1
            for number, raw in enumerate(parked):
                x = raw.to(weight)
                skip = kept[number].to(weight) if step.skip == "close" else None
                _freeze(step, found[-1], x, skip)
                parked[number] = x.to(crops.device)
    return per_norm


def _raw(steps: Sequence[Step], found: Sequence[Moments | None], x: Tensor) -> Tensor:
    """Run steps frozen by what was found, the last one without what follows its convolution."""
    for step, moments in zip(steps[:-1], found, strict=True):
        x = _convolved(step, x)
        _freeze(step, moments, x, None)
    return _convolved(steps[-1], x)


def _freeze(step: Step, moments: Moments | None, x: Tensor, skip: Tensor | None) -> None:
    size = (x.shape[2], x.shape[3])
    apply_frozen(step, moments, x, skip, whole(size), size)


def _convolved(step: Step, x: Tensor) -> Tensor:
    geometry = step.block.geometry
    convolved: Tensor = step.block.conv(reflect_padded(x, geometry.padding, geometry.upsample))
    return convolved
