"""Plan a tiled translation: check that it can be done, and choose how."""

from dataclasses import dataclass, replace

import torch

from napari_unit.domains import channels_in_words, domain_in_words
from napari_unit.engine.devices import available_bytes, resolve_device
from napari_unit.engine.memory import FieldChoice, choose_fields, choose_tile
from napari_unit.engine.planes import Part, PlaneSource
from napari_unit.engine.runner import route_of
from napari_unit.engine.sampling import n_looks
from napari_unit.engine.settings import EngineSettings
from napari_unit.engine.sweep_plan import Pieces
from napari_unit.geometry.regions import Region, whole
from napari_unit.geometry.tiling import lattice_of, padded_length, reach_of
from napari_unit.models.architecture import MIN_SIZE_PX
from napari_unit.models.model import TranslationModel
from napari_unit.pace import size_in_words


@dataclass(frozen=True, slots=True)
class TranslationPlan:
    """What will be done.

    Parameters
    ----------
    source_domain, target_domain
        Names of the model's domains.
    settings
        As given.
    device
        The device chosen.
    size
        Height and width of a plane as the networks see it, a multiple of the lattice.
    tile_px
        Side of a tile, a multiple of the lattice.
    part
        What is translated.
    reach_px
        How far away an input pixel can be and still change an output pixel.
    lattice_px
        Pixels of the image per pixel of the networks' coarsest map.
    fields
        The parts of each plane that are measured, where all of it is; else none.
    reuses_maps
        Whether tiles are made from the maps that measuring leaves, instead of from pixels.
    states_device
        In whose memory the maps are between two layers.
    keeps_on_disk
        Whether they are in files instead.
    scratch_bytes
        What these take.
    memory_bytes
        What the statistics and one tile will take at a time, about.
    pieces
        How much is measured at once.
    """

    source_domain: str
    target_domain: str
    settings: EngineSettings
    device: str
    size: tuple[int, int]
    tile_px: int
    part: Part
    reach_px: int
    lattice_px: int
    fields: tuple[Region, ...]
    reuses_maps: bool
    states_device: str
    keeps_on_disk: bool
    scratch_bytes: int
    memory_bytes: int
    pieces: Pieces

    def with_less_device_memory(self) -> "TranslationPlan | None":
        """Return a plan whose measuring takes less of the device; None where there is none."""
        smaller = self.pieces.smaller()
        if smaller.block_px < 32:
            return None
        return replace(self, pieces=smaller, states_device="cpu")


def plan_translation(
    model: TranslationModel,
    source_domain: str,
    target_domain: str,
    planes: PlaneSource,
    settings: EngineSettings,
    *,
    is_calibrated: bool = False,
    part: Part | None = None,
) -> TranslationPlan:
    """Plan a translation; nothing is read or computed yet.

    Parameters
    ----------
    model
        The model.
    source_domain, target_domain
        Names of its domains.
    planes
        The image.
    settings
        How to translate.
    is_calibrated
        Whether the calibration is there already, so that no statistics are measured.
    part
        What to translate; None is all of the image.

    Raises
    ------
    ValueError
        If the model, the image and the settings do not go together.
    MemoryError
        If it would take more memory than there is, or than the settings allow.
    """
    route = route_of(model.steps(source_domain, target_domain))
    _check_image(model, source_domain, planes)
    device = resolve_device(settings.device)
    size = (
        padded_length(planes.height, route.geometry),
        padded_length(planes.width, route.geometry),
    )
    mode = settings.statistics
    measures_all = mode in ("whole", "local") or (
        mode == "image" and not n_looks(planes.n_planes, size)
    )
    fields = FieldChoice()
    if mode not in ("tile", "model") and not is_calibrated:
        fields = choose_fields(route, size, planes.n_planes, settings, device, measures_all)
    left = _left(settings, device, fields)
    n_channels = (planes.n_channels, model.domains[model.index_of(target_domain)].n_channels)
    tile_px, tile_bytes = choose_tile(route, size, n_channels, settings, device, left)
    if part is None:
        part = Part(tuple(range(planes.n_planes)), whole((planes.height, planes.width)))
    return TranslationPlan(
        source_domain,
        target_domain,
        settings,
        str(device),
        size,
        tile_px,
        part,
        reach_of(route.geometry),
        lattice_of(route.geometry),
        fields.regions,
        measures_all and not is_calibrated,
        fields.device,
        fields.on_disk,
        fields.scratch_bytes,
        fields.held_bytes + tile_bytes,
        Pieces(),
    )


def _left(settings: EngineSettings, device: torch.device, fields: FieldChoice) -> int:
    """Return what the settings and the device leave for a tile."""
    available = available_bytes(device)
    limit = settings.memory_bytes
    if available is not None:
        limit = available if device.type != "cpu" else min(limit, available)
    is_beside = torch.device(fields.device) == device
    left = limit - (fields.held_bytes if is_beside else 0)
    if left <= 0:
        raise MemoryError(
            f"Measuring the statistics {settings.statistics!r} takes about "
            f"{size_in_words(fields.held_bytes)} of memory, and {size_in_words(limit)} may be "
            "taken; give more (memory), or use a narrower model."
        )
    return left


def _check_image(model: TranslationModel, source_domain: str, planes: PlaneSource) -> None:
    domain = model.domains[model.index_of(source_domain)]
    if planes.dtype.kind not in "iuf":
        raise ValueError(
            f"The image's pixels are of dtype {planes.dtype}; they must be real numbers, "
            "integer or float."
        )
    if planes.n_planes < 1:
        raise ValueError("The image has no planes; there is nothing to translate.")
    if min(planes.height, planes.width) < MIN_SIZE_PX:
        raise ValueError(
            f"The image is {planes.height} x {planes.width} px; both sides must have at least "
            f"{MIN_SIZE_PX}."
        )
    if planes.n_channels != domain.n_channels:
        raise ValueError(
            f"The image has {channels_in_words(planes.n_channels)}, but domain {domain.name!r} has "
            f"{domain_in_words(domain)}; choose another domain, model or channels."
        )
