"""How much memory a training takes, measured on small crops before it starts."""

from dataclasses import replace

import torch

from napari_unit.domains import Domain
from napari_unit.engine.devices import available_bytes
from napari_unit_training.config import TrainSettings
from napari_unit_training.errors import TrainingError
from napari_unit_training.methods.unit import Pair, Unit
from napari_unit_training.precision import autocast, bfloat16_pays
from napari_unit_training.session import make_unit, seeded

_PROBES_PX = (64, 128)
_CROP_STEP_PX = 32
_WORKSPACE = 1.35
"""What backward passes and convolutions take beside what is kept for them."""


class MemoryEstimate:
    """Memory of a training step: a part that grows with the pixels of a batch, and the rest.

    Parameters
    ----------
    settings
        Of the run; crop and batch may be others later.
    domains
        a and b.
    device
        Where it would run.
    """

    def __init__(
        self, settings: TrainSettings, domains: tuple[Domain, Domain], device: torch.device
    ) -> None:
        half = settings.precision == "auto" and bfloat16_pays(device)
        least_px = settings.smallest_crop_px
        sides = [max(_PROBES_PX[0], least_px), max(_PROBES_PX[1], 2 * least_px)]
        with seeded(0, torch.device("cpu")):
            unit = make_unit(settings, domains)
            kept = [_kept_bytes(unit, side, half=half) for side in sides]
        # what does not grow with the crop: weights in bfloat16, or divided by their spectral norm
        slope = (kept[1] - kept[0]) / (sides[1] ** 2 - sides[0] ** 2)
        self._per_pixel = _WORKSPACE * slope
        sizes = [
            sum(p.numel() * p.element_size() for p in part.parameters())
            for part in (unit.model, unit.discriminators)
        ]
        # weights, gradients and two moments of Adam each; the averaged model
        self._fixed = 5 * sizes[0] + 4 * sizes[1] + max(0, kept[0] - slope * sides[0] ** 2)

    def bytes_of(self, batch_size: int, crop_px: int) -> int:
        """Return about how much a step takes."""
        return int(self._fixed + self._per_pixel * batch_size * crop_px**2)

    def fitting(self, settings: TrainSettings, available: int) -> TrainSettings | None:
        """Return the settings with the largest batch, then the largest crop, that fit; or None.

        Every device gets an image at least.
        """
        n, smallest = settings.devices, settings.smallest_crop_px
        choices = [(batch, settings.crop_px) for batch in range(settings.batch_size, n - 1, -1)]
        crops = range(settings.crop_px - _CROP_STEP_PX, smallest - 1, -_CROP_STEP_PX)
        choices += [(n, crop - crop % 4) for crop in crops]
        for batch, crop in choices:
            if self.bytes_of(_largest_share(batch, n), crop) <= available:
                return replace(settings, batch_size=batch, crop_px=crop)
        return None


def make_fit(
    settings: TrainSettings,
    domains: tuple[Domain, Domain],
    device: torch.device,
    n_sharing: int = 1,
    *,
    fit: bool,
) -> tuple[TrainSettings, int]:
    """Check that a run fits into its device's memory.

    Parameters
    ----------
    settings, domains, device
        Of the run.
    n_sharing
        Processes of the run that share the device's memory.
    fit
        Take what fits where the settings do not.

    Returns
    -------
    The settings, with a smaller batch or crop where that was allowed and needed; and about how
    many bytes a step takes in one process.

    Raises
    ------
    TrainingError
        If it does not fit; the sentence says what would.
    """
    estimate = MemoryEstimate(settings, domains, device)
    needed = estimate.bytes_of(
        _largest_share(settings.batch_size, settings.devices), settings.crop_px
    )
    available = available_bytes(device)
    if available is None or needed <= available // n_sharing:
        return settings, needed
    available //= n_sharing
    smaller = estimate.fitting(settings, available)
    sentence = (
        f"A step with batches of {settings.batch_size} crops of {settings.crop_px} px takes about "
        f"{needed / 1e9:.1f} GB of memory{_each(settings.devices)}, and {device} has "
        f"{available / 1e9:.1f} GB free{_each(n_sharing)}; "
    )
    if smaller is None:
        raise TrainingError(sentence + "take a smaller width.")
    if not fit:
        raise TrainingError(
            sentence + f"batches of {smaller.batch_size} crops of {smaller.crop_px} px would fit: "
            "set batch_size and crop_px, or give --fit."
        )
    share = _largest_share(smaller.batch_size, smaller.devices)
    return smaller, estimate.bytes_of(share, smaller.crop_px)


def _largest_share(batch_size: int, n_devices: int) -> int:
    return -(-batch_size // n_devices)


def _kept_bytes(unit: Unit, side_px: int, *, half: bool) -> int:
    """Return what one pass through the generators keeps for the way back, weights left out."""
    weights = {p.untyped_storage().data_ptr() for p in unit.parameters()}
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    a, b = unit.model.domains
    images = Pair(*(torch.zeros(1, domain.n_channels, side_px, side_px) for domain in (a, b)))
    with (
        torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor),
        autocast(torch.device("cpu"), "float32")
        if not half
        else torch.autocast("cpu", dtype=torch.bfloat16),
    ):
        terms = unit.generator_pass(images).terms  # while they live, storages have their own places
    del terms
    return sum(kept.values())


def _each(n: int) -> str:
    return " for each process" if n > 1 else ""
