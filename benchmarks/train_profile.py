"""Where the time of a training step goes, by what the code means and not by kernels alone."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import torch
from torch.nn.utils.parametrizations import _SpectralNorm
from torch.profiler import ProfilerActivity, profile, record_function

from napari_unit.models import networks
from napari_unit.models.normalisation import MeasurableNorm
from napari_unit_training import discriminators
from napari_unit_training import session as sessions
from napari_unit_training.data.loading import DomainImages
from napari_unit_training.session import Session

BACKWARD = "autograd::engine::evaluate_function"
NORMALISATION, MOVING, SPECTRAL = "normalisation", "padding and resampling", "spectral norm"
CONVOLUTION, REST = "convolutions", "activations, losses, casts and the rest"
UPDATE, DATA, AUGMENTATION = "optimiser and average", "reading crops", "augmentation"
LABELS = {NORMALISATION, MOVING, SPECTRAL, UPDATE, DATA, AUGMENTATION}
GROUPS = (
    f"{CONVOLUTION}, forward",
    f"{CONVOLUTION}, backward",
    NORMALISATION,
    MOVING,
    SPECTRAL,
    UPDATE,
    AUGMENTATION,
    DATA,
    REST,
)
_CONVOLUTIONS = {"aten::convolution", "aten::convolution_backward"}


def labelled(function: Callable[..., Any], label: str) -> Callable[..., Any]:
    """Return a function whose time is told under a label."""

    def call(*arguments: Any, **named: Any) -> Any:
        with record_function(label):
            return function(*arguments, **named)

    return call


@contextmanager
def labels(session: Session) -> Iterator[None]:
    """Label the parts of a session's step inside."""
    with ExitStack() as stack:
        for owner, name, label in (
            (MeasurableNorm, "forward", NORMALISATION),
            (_SpectralNorm, "forward", SPECTRAL),
            (networks, "reflect_padded", MOVING),
            (discriminators, "reflect_padded", MOVING),
            (torch.nn.functional, "avg_pool2d", MOVING),
            (sessions, "sample_crops", DATA),
            (session, "augmenter", AUGMENTATION),
            (session.averaged, "update", UPDATE),
            (session.generator_optimiser, "step", UPDATE),
            (session.discriminator_optimiser, "step", UPDATE),
        ):
            function = labelled(getattr(owner, name), label)
            stack.enter_context(patch.object(owner, name, function))
        yield


def group_of(chain: list[str]) -> str:
    """Return the group of an event from its name and those of its ancestors, the nearest first.

    A backward pass takes part in it with the ancestors of its forward pass; see `fractions`.
    """
    is_backward = any(name.startswith(BACKWARD) for name in chain)
    if any(name in _CONVOLUTIONS for name in chain):
        return f"{CONVOLUTION}, {'backward' if is_backward else 'forward'}"
    return next((name for name in chain if name in LABELS), REST)


def _ancestors(event: Any) -> list[Any]:
    chain = []
    while event is not None:
        chain.append(event)
        event = event.cpu_parent
    return chain


def fractions(events: list[Any], time_of: Callable[[Any], float]) -> dict[str, float]:
    """Return the part of the time that each group takes."""
    chains = {id(event): _ancestors(event) for event in events}
    made_by: dict[int, Any] = {}  # the forward operation of a node: the last with its number
    for event in sorted(events, key=lambda e: e.time_range.start):
        if event.sequence_nr >= 0 and not any(
            e.name.startswith(BACKWARD) for e in chains[id(event)]
        ):
            made_by[event.sequence_nr] = event
    seconds: dict[str, float] = defaultdict(float)
    for event in events:
        chain = chains[id(event)]
        names = [e.name for e in chain]
        node = next((e for e in chain if e.name.startswith(BACKWARD)), None)
        if node is not None and node.sequence_nr in made_by:
            names += [e.name for e in _ancestors(made_by[node.sequence_nr])[1:]]
        seconds[group_of(names)] += time_of(event)
    whole = sum(seconds.values())
    return {group: seconds[group] / whole for group in GROUPS}


def where_time_goes(
    session: Session, data: tuple[DomainImages, DomainImages], n_steps: int
) -> dict[str, float]:
    """Return the part of the time of a few steps that each of `GROUPS` takes."""
    on_gpu = session.device.type == "cuda"
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_gpu else [])]
    with labels(session), profile(activities=activities) as profiled:
        for _ in range(n_steps):
            session.step(data)
    name = "self_device_time_total" if on_gpu else "self_cpu_time_total"
    events = [e for e in profiled.events() if e.device_type == torch.autograd.DeviceType.CPU]
    return fractions(events, lambda event: float(getattr(event, name)))
