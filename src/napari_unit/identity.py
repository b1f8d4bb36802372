"""What the pixels of a translation depend on, so that one that was stopped ends like another."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from napari_unit.images.parts import Ranges
from napari_unit.images.source_image import SourceImage

if TYPE_CHECKING:
    from napari_unit.engine.run import TranslationPlan
    from napari_unit.models.file import LoadedModel


def identity_of(
    image: SourceImage,
    loaded: "LoadedModel",
    plan: "TranslationPlan",
    mark: str,
    calibration: str | None = None,
    part: Ranges | None = None,
) -> dict[str, Any]:
    """Return what the pixels of a translation depend on, by names as users read them.

    Tile and device are among it: they change the last bits, and a translation that was stopped
    and gone on with must end like one that was not.

    Parameters
    ----------
    image
        What is translated.
    loaded
        By which model.
    plan
        Of the engine.
    mark
        See `napari_unit.images.content_mark.content_mark`.
    calibration
        Hash of the file that was given; None where the image is measured.
    part
        What is translated of the image; None is all of it.
    """
    from importlib.metadata import version

    return {
        "model": loaded.sha256,
        "from": plan.source_domain,
        "to": plan.target_domain,
        "statistics": plan.settings.statistics,
        "seed": plan.settings.seed,
        "tile": plan.tile_px,
        "field": max((r.rows.length for r in plan.fields), default=0),
        "device": plan.device.partition(":")[0],
        "dtype": plan.settings.dtype.name,
        "precision": plan.settings.precision,
        "calibration": calibration,
        "part": None if part is None else {a: list(part[a]) for a in sorted(part)},
        "channels": list(image.channels_read),
        "axes": image.axes.letters,
        "shape": list(image.shape),
        "levels": [list(shape) for shape in image.level_shapes[1:]],
        "image": mark,
        "version": version("napari-unit"),
    }


def as_begun(
    begun: Mapping[str, Any],
    tile: int | Literal["auto"],
    device: str,
    available: Sequence[str],
) -> tuple[int | Literal["auto"], str]:
    """Return tile and device; what is left open is as it was in the job that is gone on with.

    Memory that is free now may not have been then, and another computer may have another device.

    Parameters
    ----------
    begun
        From `identity_of`, as a file has it; empty for a new job.
    tile, device
        As given.
    available
        Devices that there are.
    """
    if tile == "auto" and type(begun.get("tile")) is int:
        tile = begun["tile"]
    if device == "auto" and begun.get("device") in [name.partition(":")[0] for name in available]:
        device = begun["device"]
    return tile, device
