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
    may_hold_out: bool = True,
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
    may_hold_out
        Whether images may be held out, as the settings say.
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
    if not may_hold_out or settings.validation.held_out == 0:
        return a, b
    return _divided(a, settings), _divided(b, settings)


def _divided(data: DomainImages, settings: TrainSettings) -> DomainImages:
    """Hold out some of a domain's images."""
    fraction, name = settings.validation.held_out, data.domain.name
    learned, held = hold_out(data.images, fraction, settings.crop_px, settings.seed)
    note = told_held_out(name, len(data.images), held) if held else without_held_out(name)
    description = {**data.description, "held_out": len(held)}
    return replace(
        data, images=learned, held_out=held, description=description, notes=(*data.notes, note)
    )
