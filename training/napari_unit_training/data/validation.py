"""Images that are given to measure a run on."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch

from napari_unit.domains import Domain
from napari_unit_training.config import TrainSettings
from napari_unit_training.config_tables import DomainSettings
from napari_unit_training.data.checks import some_of
from napari_unit_training.data.loading import DomainImages, load_domain
from napari_unit_training.data.pairs import check_pairs
from napari_unit_training.data.scaling import scaling_text
from napari_unit_training.data.sources import Source, ValidationSources, told
from napari_unit_training.errors import TrainingError

_Data = tuple[DomainImages, DomainImages]


def load_like(
    domain: Domain, whose: str, source: Source, crop_px: int, axes: str, **how: Any
) -> DomainImages:
    """Load images as those of a domain that is there already, with its scaling.

    Parameters
    ----------
    domain
        That the images are to be of.
    whose
        What it is called in a sentence.
    source, crop_px
        See `load_domain`.
    axes
        A letter per axis, where files do not say; empty: they do.
    **how
        To `load_domain`.

    Raises
    ------
    TrainingError
        If images cannot be used, or have other channels than the domain.
    """
    wanted = DomainSettings(name=domain.name, scaling=scaling_text(domain.scaling), axes=axes)
    found = load_domain(source, wanted, crop_px, **how)
    if found.domain.n_channels != domain.n_channels:
        raise TrainingError(
            f"The images in {told(source)} have {found.domain.n_channels} channels, and {whose} "
            f"has {domain.n_channels}; give images of the same kind."
        )
    return found


def with_validation(
    data: _Data,
    sources: ValidationSources,
    settings: TrainSettings,
    device: torch.device,
    n_sharing: int,
    tell: Callable[[], None],
) -> _Data:
    """Return the domains with other images to measure on, understood as their own are.

    Parameters
    ----------
    data
        Both domains.
    sources
        Of the images.
    settings
        Of the run.
    device, n_sharing, tell
        See `load_domains`.

    Raises
    ------
    TrainingError
        If they cannot be used, have other channels, or are no pairs.
    """
    how: dict[str, Any] = {"device": device, "n_sharing": n_sharing, "tell": tell}
    # of pairs none is left out: the others would not correspond any more
    how["skip_bad"] = settings.skip_bad_images and not sources.paired
    a, b = (
        _measured_on(domain, source, settings, index, **how)
        for index, (domain, source) in enumerate(zip(data, (sources.a, sources.b), strict=True))
    )
    if sources.paired:
        check_pairs(a.held_out, b.held_out)
        first, second = a.held_out[0].path.name, b.held_out[0].path.name
        note = f"They are pairs in order by name; the first is {first}, {second}."
        for domain in (a, b):
            domain.description["validation"]["paired"] = True
        b = replace(b, notes=(*b.notes, note))
    return a, b


def fingerprints_of(data: _Data, *, paired: bool) -> dict[str, str]:
    """Return the hashes of all images of a run, by what they are, and whether some are pairs."""
    found = {f"domain {letter}": d.fingerprint for letter, d in zip("ab", data, strict=True)}
    given = {
        f"the validation of domain {letter}": d.validation_fingerprint
        for letter, d in zip("ab", data, strict=True)
    }
    found |= {name: fingerprint for name, fingerprint in given.items() if fingerprint}
    return found | ({"the validation pairs": "yes"} if paired else {})


def _measured_on(
    data: DomainImages,
    source: Source,
    settings: TrainSettings,
    index: int,
    **how: Any,
) -> DomainImages:
    own = data.domain
    asked = (settings.domain_a, settings.domain_b)[index]
    found = load_like(
        own,
        own.name,
        source,
        settings.crop_px,
        asked.axes,
        **how,
    )
    learned = {image.path.resolve() for image in data.images}
    both = [i.path.name for i in found.images if i.path.resolve() in learned]
    if both:
        raise TrainingError(
            f"{len(both)} images of {told(source)} are learned from as well ({some_of(both)}); "
            "quality is measured on others: take them out of one of the two."
        )
    note = f"Quality of {own.name} is measured on {len(found.images)} images in {told(source)}."
    return replace(
        data,
        held_out=found.images,
        description={**data.description, "validation": found.description},
        validation_fingerprint=found.fingerprint,
        notes=(*data.notes, *found.notes, note),
    )
