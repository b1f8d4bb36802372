from collections.abc import Callable

import numpy as np
import pytest

pytest.importorskip("instance_score", reason="benchmarks/ is in the repository only")

import instance_score
from hypothesis import given, settings
from hypothesis import strategies as st
from instance_score import Matches, match, score, without_dust


def test_f1_is_its_closed_form(squares: Callable[..., np.ndarray]) -> None:
    truth = squares((2, 2, 10), (2, 20, 10), (20, 2, 10))
    found = squares((2, 2, 10), (2, 23, 10), (30, 30, 10))  # hit; IoU 70/130; nowhere near
    matches = match(truth, found)
    assert matches == Matches(found=2, invented=1, missed=1)
    assert matches.f1 == pytest.approx(2 * 2 / (2 * 2 + 1 + 1))


def test_an_iou_of_exactly_one_half_is_no_match(squares: Callable[..., np.ndarray]) -> None:
    truth, found = squares((0, 0, 12)), squares((0, 0, 12))
    found[6:12] = 0  # 72 of 144 pixels
    assert match(truth, found) == Matches(0, 1, 1)
    found[6, 0] = 1
    assert match(truth, found) == Matches(1, 0, 0)


def test_a_merger_of_two_equal_nuclei_misses_both(squares: Callable[..., np.ndarray]) -> None:
    truth = squares((0, 0, 10), (0, 10, 10))
    assert match(truth, (truth > 0).astype(np.int32)) == Matches(0, 1, 2)


def test_empty_images_count_as_perfect_only_when_left_empty(
    squares: Callable[..., np.ndarray],
) -> None:
    empty, full = squares(), squares((0, 0, 10))
    assert match(empty, empty).f1 == 1.0
    assert match(empty, full).f1 == match(full, empty).f1 == 0.0


label_images = st.builds(
    lambda seed, n: (
        np.random.default_rng(seed).integers(0, n + 1, (6, 6)).repeat(6, 0).repeat(6, 1)
    ),
    st.integers(0, 10_000),
    st.integers(1, 8),
).map(lambda labels: labels.astype(np.int32))


@given(truth=label_images, found=label_images, seed=st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
def test_matches_do_not_depend_on_numbering_and_swap_with_the_roles(
    truth: np.ndarray, found: np.ndarray, seed: int
) -> None:
    numbers = np.r_[0, 1 + np.random.default_rng(seed).permutation(20)].astype(np.int32) * 3
    forward, backward = match(truth, numbers[found]), match(found, truth)
    assert forward == match(truth, found)
    assert (forward.found, forward.invented, forward.missed) == (
        backward.found,
        backward.missed,
        backward.invented,
    )
    assert match(truth, truth).f1 == 1.0


def test_dust_counts_nowhere(squares: Callable[..., np.ndarray]) -> None:
    labels = squares((0, 0, 4), (10, 10, 9), (30, 30, 5))  # 16, 81 and 25 px
    kept = without_dust(labels)
    assert instance_score.MIN_AREA_PX == 20
    assert set(np.unique(kept)) == {0, 1, 2}
    assert match(labels, squares((10, 10, 9), (30, 30, 5), (44, 0, 3))).f1 == 1.0


def test_score_means_over_images_and_pools_over_nuclei() -> None:
    found = score([Matches(1, 0, 0), Matches(0, 0, 99)])
    assert found.per_image == pytest.approx(0.5)
    assert found.pooled == pytest.approx(2 / (2 + 99))
    with pytest.raises(ValueError, match="at least one"):
        score([])
