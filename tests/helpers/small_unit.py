"""A method of training with networks of a few kilobytes."""

from dataclasses import replace

from napari_unit.domains import Domain
from napari_unit.models.architecture import Architecture
from napari_unit.models.model import TranslationModel
from napari_unit_training.config_tables import LossWeights
from napari_unit_training.discriminators import MultiScaleDiscriminator
from napari_unit_training.methods.unit import Unit

N_SHARED, N_RESIDUAL = 1, 2


def small_unit(a: Domain, b: Domain, **weights: float) -> Unit:
    """Return networks of a few kilobytes between these domains."""
    return Unit(
        TranslationModel(a, b, Architecture(2, N_RESIDUAL, N_SHARED)),
        MultiScaleDiscriminator(a.n_channels, 2, 2, spectral_norm=True),
        MultiScaleDiscriminator(b.n_channels, 2, 2, spectral_norm=True),
        "least-squares",
        replace(LossWeights(), **weights),
    )
