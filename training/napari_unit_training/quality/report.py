"""What was measured, as the rows of a table and as JSON."""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from napari_unit.atomic import written_whole
from napari_unit.models.card import ModelCard
from napari_unit.runs.sentences import inversions
from napari_unit_training.quality.crops import CropChoice
from napari_unit_training.quality.measures import DirectionQuality

Directions = Sequence[DirectionQuality]


def table_rows(found: Directions) -> dict[str, list[str]]:
    """Return a row of cells, one per direction, by what it is."""
    rows = {
        "distance of translations to real images": [f"{q.distance:.3f}" for q in found],
        "distance of untranslated images": [
            "–" if q.untranslated is None else f"{q.untranslated:.3f}" for q in found
        ],
        "distance of other real images": [f"{q.real:.3f}" for q in found],
        "intensities off by (of the range of 2)": [f"{q.intensity_distance:.3f}" for q in found],
        "sharpness (1: as real ones)": [f"{q.sharpness:.2f}" for q in found],
        "cycle error (of the range of 2)": [f"{q.cycle_error:.3f}" for q in found],
        "content agreement (1: in its place)": [f"{q.content_agreement:.3f}" for q in found],
    }
    paired = [q.paired for q in found if q.paired is not None]
    if paired:
        rows |= {
            "PSNR against the pairs (dB)": [f"{p.psnr_db:.2f}" for p in paired],
            "SSIM against the pairs (1: equal)": [f"{p.ssim:.3f}" for p in paired],
            "pixels of the right color": [f"{p.accuracy:.1%}" for p in paired],
        }
    inception = [q.inception for q in found if q.inception is not None]
    if inception:
        rows |= {
            "FID": [f"{i.fid:.2f}" for i in inception],
            "KID (and its deviation)": [f"{i.kid:.4f} ({i.kid_deviation:.4f})" for i in inception],
        }
    return rows


def remarks(found: Directions, n_crops: int) -> list[str]:
    """Return what a reader of the table must know, a sentence or two per kind of measure."""
    distance = (
        f"{n_crops} crops of each domain. Distance: sliced Wasserstein distance of patches; "
        "smaller is nearer, and what is below that of other real images is chance. It does not "
        "see one gain and offset of all translations; intensities and sharpness do."
    )
    told, first = [distance, *inversions(map(asdict, found))], found[0]
    if first.paired is not None:
        told.append(
            "A pixel has the right color where no channel differs by more than 16 of 255 levels of "
            "the domain's range."
        )
    if first.inception is not None:
        told.append(
            "FID and KID compare translations with real images; one channel is shown to Inception "
            "as gray, two as red and green, of more the first three. FID is too large for few "
            f"crops: compare equal numbers only. KID: 100 subsets of {first.inception.kid_subset}."
        )
    return told


def write_report(path: Path, card: ModelCard, choice: CropChoice, found: Directions) -> None:
    """Write what was measured as JSON, whole or not at all; infinite values become null.

    Parameters
    ----------
    path
        Of the file to make; its folder is made where it is missing.
    card
        Of the model.
    choice
        Which crops were drawn.
    found
        From a to b and from b to a; their fields are the keys.
    """
    report = {
        "model": card.name,
        "model_version": card.version,
        "images_seen": card.training.get("images_seen"),
        "crops": choice.count,
        "crop_px": choice.crop_px,
        "min_crop_deviation": choice.min_deviation,
        "seed": choice.seed,
        "directions": [_map_values(_finite, asdict(quality)) for quality in found],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as partial:
        text = json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False)
        partial.write_text(text + "\n", encoding="utf-8")


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _map_values(change: Callable[[Any], Any], values: dict[str, Any]) -> dict[str, Any]:
    return {
        key: _map_values(change, value) if isinstance(value, dict) else change(value)
        for key, value in values.items()
    }
