"""How well found instances agree with the true ones: F1 at an intersection over union of 0.5."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.int32]

MIN_AREA_PX = 20
"""Smaller objects are dust of annotation or of prediction: they count nowhere."""
MATCH_IOU = 0.5


@dataclass(frozen=True, slots=True)
class Matches:
    """Instances of one image that were found, invented and missed."""

    found: int
    invented: int
    missed: int

    @property
    def f1(self) -> float:
        """F1 = 2 TP / (2 TP + FP + FN); an empty image found empty is perfect."""
        total = 2 * self.found + self.invented + self.missed
        return 2 * self.found / total if total else 1.0


@dataclass(frozen=True, slots=True)
class Score:
    """F1 over a set of images.

    Parameters
    ----------
    per_image
        Mean over images of each image's F1: every image counts the same. The benchmark's number.
    pooled
        F1 of the matches of all images together: every nucleus counts the same.
    """

    per_image: float
    pooled: float


def without_dust(labels: Labels, min_area_px: int = MIN_AREA_PX) -> Labels:
    """Return labels (Y, X) without small objects, renumbered 1..n."""
    ids, inverse, areas = np.unique(labels, return_inverse=True, return_counts=True)
    keep = (ids > 0) & (areas >= min_area_px)
    numbers = np.where(keep, np.cumsum(keep), 0).astype(np.int32)
    return np.asarray(numbers[inverse.reshape(labels.shape)], np.int32)


def match(truth: Labels, found: Labels) -> Matches:
    """Match two labellings (Y, X) of one image at an intersection over union above 0.5.

    Above one half an object has at most one partner, so there is nothing to assign.
    """
    truth, found = without_dust(truth), without_dust(found)
    n_truth, n_found = int(truth.max()), int(found.max())
    pairs = np.bincount(
        truth.ravel() * (n_found + 1) + found.ravel(), minlength=(n_truth + 1) * (n_found + 1)
    ).reshape(n_truth + 1, n_found + 1)
    areas_truth, areas_found = pairs.sum(1, keepdims=True), pairs.sum(0, keepdims=True)
    iou = pairs / np.maximum(areas_truth + areas_found - pairs, 1)
    hits = int(np.count_nonzero(iou[1:, 1:] > MATCH_IOU))
    return Matches(hits, n_found - hits, n_truth - hits)


def score(matches: Sequence[Matches]) -> Score:
    """Sum up the images of a set.

    Raises
    ------
    ValueError
        If there are none.
    """
    if not matches:
        raise ValueError("There is no image to score; give at least one.")
    pooled = Matches(
        sum(m.found for m in matches),
        sum(m.invented for m in matches),
        sum(m.missed for m in matches),
    )
    return Score(float(np.mean([m.f1 for m in matches])), pooled.f1)
