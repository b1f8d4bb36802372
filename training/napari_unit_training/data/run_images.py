"""The images of both domains of a run, some of them held out."""

from collections.abc import Callable
from dataclasses import replace

import torch

from napari_unit_training.config import TrainSettings
from napari_unit_training.data.holding_out import hold_out, told_held_out, without_held_out
from napari_unit_training.data.loading import DomainImages, load_domain, tell_nobody
from napari_unit_training.data.sources import Source
from napari_unit_training.errors import TrainingError


def load_domains(
    settings: TrainSettings,
    source_a: Source,
    source_b: Source,
    device: torch.device,
    n_sharing: int = 1,
    *,
    tell: Callable[[], None] = tell_nobody,
) -> tuple[DomainImages, DomainImages]:
    """Load both domains of a run; see `load_domain`.

    Parameters
    ----------
    settings
        Of the run.
    source_a, source_b
        Training images of the two domains.
    device
        Where images are held.
    n_sharing
        Processes that hold images there, each its own.
    tell
        See `load_domain`.

    Raises
    ------
    TrainingError
        As `load_domain`; or if both domains have the same name.
    """
    a, b = (
        load_domain(
            source,
            domain,
            settings.crop_px,
            skip_bad=settings.skip_bad_images,
            device=device,
            n_sharing=n_sharing,
            tell=tell,
        )
        for source, domain in ((source_a, settings.domain_a), (source_b, settings.domain_b))
    )
    if a.domain.name == b.domain.name:
        raise TrainingError(
            f"Both domains are called {a.domain.name!r}; name them apart with --name-a and "
            "--name-b, or domain_a.name and domain_b.name."
        )
    return a, b


def with_held_out(
    data: tuple[DomainImages, DomainImages], settings: TrainSettings
) -> tuple[DomainImages, DomainImages]:
    """Hold some images of both domains out, as the settings say; of both or of none.

    Parameters
    ----------
    data
        Both domains.
    settings
        As they fit into memory: no part is smaller than their crop.
    """
    fraction = settings.validation.held_out
    if fraction == 0:
        return data
    parts = [hold_out(d.images, fraction, settings.crop_px, settings.seed) for d in data]
    lacking = [d.domain.name for d, (_, held) in zip(data, parts, strict=True) if not held]
    if lacking:
        note = without_held_out(" and of ".join(lacking))
        return replace(data[0], notes=(*data[0].notes, note)), data[1]
    a, b = (
        replace(
            d,
            images=learned,
            held_out=held,
            description={**d.description, "held_out": len(held)},
            notes=(*d.notes, told_held_out(d.domain.name, len(d.images), held)),
        )
        for d, (learned, held) in zip(data, parts, strict=True)
    )
    return a, b
