"""How good a run's model is on crops that it does not learn from, and which was the best."""

import math
from dataclasses import asdict
from typing import Any

from napari_unit.models.model import TranslationModel
from napari_unit.runs.events import QualityMeasured
from napari_unit_training.data.loading import DomainImages
from napari_unit_training.quality.crops import CropChoice, draw_crops
from napari_unit_training.quality.measures import DirectionQuality, measure_quality
from napari_unit_training.session import Session


def score_of(quality: tuple[DirectionQuality, DirectionQuality]) -> float:
    """Return what the best model is chosen by; smaller is better.

    With pairs it is 1 minus the structural similarity to the ground truth, without pairs the
    distance of translations to real images; in either case the mean of both directions.
    """
    return sum(q.distance if q.paired is None else 1.0 - q.paired.ssim for q in quality) / len(
        quality
    )


class Judge:
    """Measures models on the same crops, and remembers the best score.

    Parameters
    ----------
    session
        Of the run.
    data
        Domain a and b, with images that are held out.
    paired
        The images that are held out correspond one to one.
    """

    def __init__(
        self, session: Session, data: tuple[DomainImages, DomainImages], *, paired: bool = False
    ) -> None:
        self.paired = paired
        self.best_score = math.inf
        self.best_at = -1
        settings = session.settings
        choice = CropChoice(
            settings.validation.crops, settings.crop_px, settings.min_crop_deviation, settings.seed
        )
        images = (data[0].held_out, data[1].held_out)
        self.crops = draw_crops(images, choice, session.device, paired=paired)

    def measure(self, model: TranslationModel, images_seen: int) -> QualityMeasured:
        """Measure a model; if it is the best so far its score is remembered."""
        quality = measure_quality(model, self.crops, paired=self.paired)
        score = score_of(quality)
        is_best = score < self.best_score  # not where it is no number
        if is_best:
            self.best_score, self.best_at = score, images_seen
        return QualityMeasured(
            images_seen, (asdict(quality[0]), asdict(quality[1])), score, is_best
        )

    def state(self) -> dict[str, Any]:
        """Return what `load_state` needs."""
        return {"best_score": self.best_score, "best_at": self.best_at}

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from what `state` returned."""
        self.best_score, self.best_at = float(state["best_score"]), int(state["best_at"])
