"""Looks at a training now and then and says what has gone wrong with it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from napari_unit.runs.sentences import INVERTED_AGREEMENT
from napari_unit_training.config_tables import LossWeights, Watchdog

CONSTANT_SHARE = 0.1
"""Translations that vary less than this share of what real images vary by are called constant."""
INVERTED_CONTENT = 1 - INVERTED_AGREEMENT
"""Content disagreement, 1 - correlation, above which a translation is its image's negative."""
DIVERGED_TIMES = 10.0
"""The objective has run away where it is so many times the least it was."""
_SMOOTHING = 0.9
_VARIATION_SMOOTHING = 0.7
"""Less: a batch may be one blank crop, and a collapse is to be seen soon."""


@dataclass(frozen=True, slots=True)
class Look:
    """What is seen of a training at one step.

    Parameters
    ----------
    losses
        Unweighted terms by name.
    variations
        By the name of a domain: mean standard deviation within translations into it, and within
        its own images, in units of [-1, 1].
    """

    losses: Mapping[str, float]
    variations: Mapping[str, tuple[float, float]]


def variation(images: Tensor) -> float:
    """Return the mean over images (B, C, H, W) of the standard deviation of their pixels."""
    return float(images.float().flatten(1).std(1, correction=0).mean())


class Watch:
    """Finds trouble that lasts.

    - Numbers that are not finite: at once.
    - Translations into a domain that are nearly constant, over some looks: black, white or gray.
    - Translations that are the negatives of their images; only where the content or the identity
      term has a weight, for between some domains that is right.
    - An objective that grows to `DIVERGED_TIMES` the least that it was.

    All but the first must be found in `patience` looks in a row, after the grace period.

    Parameters
    ----------
    settings
        How patient it is.
    weights
        Of the objective.
    """

    def __init__(self, settings: Watchdog, weights: LossWeights) -> None:
        self.settings = settings
        self.weights = weights
        self.strikes: dict[str, int] = {}
        self._smoothed: float | None = None
        self._least = math.inf
        self._variations: dict[str, tuple[float, float]] = {}

    @property
    def is_calm(self) -> bool:
        """Whether the last look found nothing."""
        return not self.strikes

    def take(self, look: Look, images_seen: int) -> str | None:
        """Look once; return what has been wrong for too long, as the end of a sentence."""
        odd = [name for name, value in look.losses.items() if not math.isfinite(value)]
        if odd:
            return f"not finite: {', '.join(odd)}"
        total = sum(
            getattr(self.weights, name[:-2], 0.0) * value for name, value in look.losses.items()
        )
        before = total if self._smoothed is None else self._smoothed
        self._smoothed = _SMOOTHING * before + (1 - _SMOOTHING) * total
        self._least = min(self._least, self._smoothed)
        for domain, new in look.variations.items():
            old = self._variations.get(domain, new)
            made, real = (
                _VARIATION_SMOOTHING * before + (1 - _VARIATION_SMOOTHING) * now
                for before, now in zip(old, new, strict=True)
            )
            self._variations[domain] = (made, real)
        if images_seen < self.settings.grace_images:
            return None
        found = self._troubles(look)
        self.strikes = {what: self.strikes.get(what, 0) + 1 for what in found}
        lasting = [what for what, n in self.strikes.items() if n >= self.settings.patience]
        return lasting[0] if lasting else None

    def _troubles(self, look: Look) -> list[str]:
        found = [
            f"translations into {domain!r} are nearly constant"
            for domain, (made, real) in self._variations.items()
            if made < CONSTANT_SHARE * real
        ]
        if self.weights.content > 0 or self.weights.identity > 0:
            found += [
                f"translations from domain {name[-1]} are negatives of their images"
                for name, value in look.losses.items()
                if name.startswith("content_") and value > INVERTED_CONTENT
            ]
        assert self._smoothed is not None
        if self._smoothed > DIVERGED_TIMES * max(self._least, 1e-6):
            found.append(f"the objective has grown more than {DIVERGED_TIMES:g} times")
        return found

    def state(self) -> dict[str, Any]:
        """Return what `load_state` needs to go on exactly."""
        return {
            "strikes": dict(self.strikes),
            "smoothed": self._smoothed,
            "least": self._least,
            "variations": {domain: list(pair) for domain, pair in self._variations.items()},
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` returned."""
        self.strikes = dict(state["strikes"])
        self._smoothed, self._least = state["smoothed"], state["least"]
        self._variations = {
            domain: (made, real) for domain, (made, real) in state["variations"].items()
        }
