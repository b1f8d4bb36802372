"""How many images a training may see for the arithmetic that another one has."""

from collections.abc import Mapping
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from napari_unit.domains import Domain, IntensityScaling
from napari_unit_training.config import TrainSettings
from napari_unit_training.config_files import merge, read_preset, settings_from
from napari_unit_training.session import Session
from napari_unit_training.share import Share


class _BlankSession(Session):
    """Takes steps on noise: their arithmetic is the same."""

    def _batch(self, data: Any, stream: int, share: Share) -> torch.Tensor:
        side = self.settings.crop_px
        n_channels = self.unit.model.domains[0].n_channels
        return torch.rand(share.stop - share.start, n_channels, side, side) * 2 - 1


def arithmetic_per_image(settings: TrainSettings, n_channels: int) -> float:
    """Return floating-point operations of all convolutions per image, on average over steps.

    What comes only now and then, such as a gradient penalty, counts by its share.

    Parameters
    ----------
    settings
        Of the training.
    n_channels
        Of the images of both domains.
    """
    scaling = IntensityScaling("range", 0.0, 255.0)
    names = tuple(f"channel {i}" for i in range(n_channels))
    domains = (Domain("a", names, scaling), Domain("b", names, scaling))
    session = _BlankSession(settings, domains, torch.device("cpu"))
    every = settings.gradient_penalty_every if settings.gradient_penalty else 1
    return sum(_operations(session) for _ in range(every)) / every / settings.batch_size


class _Counter(TorchDispatchMode):
    """Counts as torch's `FlopCounterMode`, which gradients within a step make fail."""

    operations = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        count = flop_registry.get(func._overloadpacket)
        if count is not None:
            self.operations += count(*args, **(kwargs or {}), out_val=result)
        return result


def _operations(session: Session) -> int:
    with _Counter() as counter:
        session.step((None, None))  # type: ignore[arg-type]  # it reads no images
    return counter.operations


def images_of_equal_compute(
    settings: Mapping[str, Any], reference: Mapping[str, Any], images: int, n_channels: int
) -> int:
    """Return how many images cost as much with these settings as `images` with the reference.

    Parameters
    ----------
    settings, reference
        Over the preset `default`, nested as in TOML.
    images
        Of the reference.
    n_channels
        Of the images of both domains.

    Returns
    -------
    A multiple of 10, at least 10.
    """
    ours, theirs = (
        arithmetic_per_image(
            settings_from(merge(read_preset("default"), given, {"images_total": images})),
            n_channels,
        )
        for given in (settings, reference)
    )
    return max(10, round(images * theirs / ours / 10) * 10)
