import math
import random

import pytest
import torch

from napari_unit_training.config_tables import LossWeights, Watchdog
from napari_unit_training.watch import Look, Watch, variation

SETTINGS = Watchdog(patience=3, grace_images=10)
LOSSES = {"cycle_a": 0.1, "cycle_b": 0.1, "content_a": 0.1, "content_b": 0.2}
VARIED = {"left": (0.3, 0.3), "right": (0.2, 0.4)}


def taken(watch: Watch, n: int, at: int = 100, **changes: object) -> list[str | None]:
    look = Look(**({"losses": LOSSES, "variations": VARIED} | changes))
    return [watch.take(look, at) for _ in range(n)]


def test_a_training_that_goes_well_is_left_alone() -> None:
    watch = Watch(SETTINGS, LossWeights())
    assert taken(watch, 20) == [None] * 20
    assert watch.is_calm


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_told_at_once(value: float) -> None:
    watch = Watch(SETTINGS, LossWeights())
    assert taken(watch, 1, at=0, losses=LOSSES | {"kl_b": value}) == ["not finite: kl_b"]


def test_constant_translations_are_told_when_they_last() -> None:
    watch = Watch(SETTINGS, LossWeights())
    black = {"variations": VARIED | {"right": (0.03, 0.4)}}
    trouble = "translations into 'right' are nearly constant"
    taken(watch, 3)
    told = taken(watch, 20, **black)
    # some looks until the running mean is below a tenth, then two more
    assert told[:6] == [None] * 6
    assert told[-1] == trouble


def test_trouble_that_passes_is_forgotten() -> None:
    watch = Watch(SETTINGS, LossWeights())
    black = {"variations": {"right": (0.03, 0.4)}}
    assert taken(watch, 2, **black) == [None, None]
    assert not watch.is_calm
    assert taken(watch, 1) == [None]
    assert watch.is_calm
    assert taken(watch, 1, **black) == [None]


def test_a_blank_crop_now_and_then_is_no_trouble() -> None:
    watch = Watch(SETTINGS, LossWeights())
    chance = random.Random(0)
    for _ in range(5000):
        made, real = chance.choice((0.02, 0.4)), chance.choice((0.02, 0.4))
        assert taken(watch, 1, variations={"left": (made, real)}) == [None]


def test_the_start_of_a_run_has_its_grace() -> None:
    watch = Watch(SETTINGS, LossWeights())
    assert taken(watch, 9, at=9, variations={"left": (0.0, 1.0)}) == [None] * 9
    assert watch.is_calm


def test_negatives_are_trouble_only_where_bright_is_to_stay_bright() -> None:
    inverted = {"losses": LOSSES | {"content_a": 1.8}}
    assert taken(Watch(SETTINGS, LossWeights()), 5, **inverted)[-1] is None
    for weights in (LossWeights(content=1.0), LossWeights(identity=1.0)):
        told = taken(Watch(SETTINGS, weights), 3, **inverted)[-1]
        assert told == "translations from domain a are negatives of their images"


def test_an_objective_that_runs_away_is_told() -> None:
    watch = Watch(SETTINGS, LossWeights())
    taken(watch, 20)
    told = taken(watch, 30, losses=LOSSES | {"cycle_a": 20.0})
    assert told[-1] == "the objective has grown more than 10 times"
    assert told[0] is None


def test_it_goes_on_where_it_was() -> None:
    one, other = Watch(SETTINGS, LossWeights()), Watch(SETTINGS, LossWeights())
    black = {"variations": {"left": (0.0, 0.4)}}
    taken(one, 2, **black)
    other.load_state(one.state())
    assert other.state() == one.state()
    assert taken(other, 1, **black) == taken(one, 1, **black) != [None]


def test_variation_is_within_images_and_not_between_them() -> None:
    flat = torch.tensor([-1.0, 1.0]).view(2, 1, 1, 1).expand(2, 1, 8, 8)
    assert variation(flat) == 0
    halves = torch.cat([torch.zeros(2, 1, 4, 8), torch.ones(2, 1, 4, 8)], 2)
    assert variation(halves) == pytest.approx(0.5)
