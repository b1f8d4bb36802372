from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_unit.geometry.tiling import (
    LayerGeometry,
    Span,
    lattice_of,
    lengths_of,
    padded_length,
    plan_axis,
    reach_of,
    step_for,
)

STEM = LayerGeometry(kernel=7, stride=1, padding=3, upsample=1)
DOWN = LayerGeometry(kernel=4, stride=2, padding=1, upsample=1)
SAME = LayerGeometry(kernel=3, stride=1, padding=1, upsample=1)
UP = LayerGeometry(kernel=5, stride=1, padding=2, upsample=2)
EVEN = LayerGeometry(kernel=2, stride=3, padding=0, upsample=1)
UNIT = (STEM, DOWN, DOWN, *(SAME,) * 16, UP, UP, STEM)
SHORT = (STEM, DOWN, DOWN, SAME, SAME, UP, UP, STEM)

layers_in_any_order = st.lists(
    st.sampled_from([STEM, DOWN, SAME, UP, EVEN]), min_size=1, max_size=6
)


def convolve(line: np.ndarray, kernel: np.ndarray, stride: int) -> np.ndarray:
    return np.correlate(line, kernel, "valid")[::stride]


def whole_line(
    layers: list[LayerGeometry], kernels: list[np.ndarray], line: np.ndarray
) -> np.ndarray:
    for layer, kernel in zip(layers, kernels, strict=True):
        line = np.pad(line.repeat(layer.upsample), layer.padding, "reflect")
        line = convolve(line, kernel, layer.stride)
    return line


@given(layers=layers_in_any_order, length=st.integers(24, 70), data=st.data())
def test_a_plan_yields_its_target_as_the_whole_line_has_it(
    layers: list[LayerGeometry], length: int, data: st.DataObject
) -> None:
    random = np.random.default_rng(0)
    kernels = [random.normal(size=layer.kernel) for layer in layers]
    line = random.normal(size=length)
    if min(lengths_of(layers, length)) < 4:
        return  # too short to be reflected
    whole = whole_line(layers, kernels, line)
    start = data.draw(st.integers(0, len(whole) - 1))
    target = Span(start, data.draw(st.integers(start + 1, len(whole))))

    steps = plan_axis(layers, length, target)
    piece = line[steps[0].source.start : steps[0].source.stop]
    for layer, kernel, step in zip(layers, kernels, steps, strict=True):
        assert len(piece) == step.source.length
        piece = piece.repeat(layer.upsample)
        piece = piece[step.crop[0] : len(piece) - step.crop[1]]
        piece = convolve(np.pad(piece, step.pad, "reflect"), kernel, layer.stride)
        assert len(piece) == step.target.length

    np.testing.assert_allclose(piece, whole[target.start : target.stop], rtol=1e-9, atol=1e-9)


@given(layers=layers_in_any_order, start=st.integers(0, 30), n=st.integers(1, 30))
def test_a_plan_pads_at_true_edges_only_and_links_its_steps(
    layers: list[LayerGeometry], start: int, n: int
) -> None:
    length = 40_000  # six strides of 3 leave more than `start` can reach
    lengths = lengths_of(layers, length)
    target = Span(start, min(start + n, lengths[-1]))
    steps = plan_axis(layers, length, target)
    for first, second in pairwise(steps):
        assert first.target == second.source
    assert steps[-1].target == target
    for step, layer, before in zip(steps, layers, lengths, strict=False):
        assert step.source.start >= 0
        assert step.source.stop <= before
        if step.pad[0]:
            assert step.source.start == 0
        if step.pad[1]:
            assert step.source.stop == before
        assert max(step.pad) <= layer.padding
        assert max(step.crop) < layer.upsample


def test_away_from_the_edges_a_step_takes_no_pixel_more_than_the_kernel_sees() -> None:
    assert step_for(STEM, 100, Span(40, 50)).source == Span(37, 53)
    assert step_for(DOWN, 100, Span(20, 30)).source == Span(39, 61)
    assert step_for(UP, 100, Span(40, 50)).source == Span(19, 26)
    assert step_for(UP, 100, Span(41, 50)).crop == (1, 0)


def test_unit_sees_82_pixels_on_a_lattice_of_4() -> None:
    assert reach_of(UNIT) == 82
    assert lattice_of(UNIT) == 4


@pytest.mark.parametrize(
    ("layers", "lattice"), [((SAME,), 1), ((DOWN, UP), 2), ((DOWN, DOWN, DOWN, UP), 8)]
)
def test_the_lattice_is_the_largest_total_stride(
    layers: tuple[LayerGeometry, ...], lattice: int
) -> None:
    assert lattice_of(layers) == lattice


@given(st.integers(1, 1000))
def test_the_padded_length_is_the_next_one_on_which_no_pixel_is_lost(length: int) -> None:
    padded = padded_length(length, SHORT)
    assert length <= padded < length + 4
    assert padded % 4 == 0
    if padded >= 8:
        assert lengths_of(SHORT, padded)[-1] == padded


spans = st.tuples(st.integers(0, 20), st.integers(1, 20)).map(lambda t: Span(t[0], t[0] + t[1]))


@given(spans, spans)
def test_spans_agree_with_sets_of_pixels(one: Span, other: Span) -> None:
    ones, others = (set(range(s.start, s.stop)) for s in (one, other))
    common = one.common(other)
    assert (set(range(common.start, common.stop)) if common else set()) == ones & others
    assert one.contains(other) == (others <= ones)
    assert one.length == len(ones)
    if one.contains(other):
        line = np.arange(one.start, one.stop)
        assert set(line[other.within(one)]) == others
    else:
        with pytest.raises(ValueError, match="does not lie in"):
            other.within(one)


def test_a_span_keeps_its_place_at_another_resolution() -> None:
    assert Span(8, 20).at_scale(40, 10) == Span(2, 5)
    assert Span(2, 5).at_scale(10, 40) == Span(8, 20)
    with pytest.raises(ValueError, match="has no whole pixels among 10 px"):
        Span(8, 21).at_scale(40, 10)


@pytest.mark.parametrize(("start", "stop"), [(3, 3), (4, 3), (-1, 2)])
def test_a_span_without_pixels_is_refused(start: int, stop: int) -> None:
    with pytest.raises(ValueError, match=f"from pixel {start} to pixel {stop}"):
        Span(start, stop)


@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "upsample"),
    [(0, 1, 0, 1), (3, 0, 1, 1), (3, 1, -1, 1), (3, 1, 1, 0), (3, 1, 2, 1), (2, 1, 1, 1)],
)
def test_a_layer_that_cannot_be_tiled_is_refused(
    kernel: int, stride: int, padding: int, upsample: int
) -> None:
    with pytest.raises(ValueError, match=f"kernel {kernel}, stride {stride}, padding {padding}"):
        LayerGeometry(kernel, stride, padding, upsample)


def test_what_a_layer_does_not_have_is_refused() -> None:
    with pytest.raises(ValueError, match="reaches beyond the 50 px there are"):
        step_for(DOWN, 100, Span(40, 51))
    with pytest.raises(ValueError, match="An axis of 3 px is too short for a padding of 3 px"):
        step_for(STEM, 3, Span(0, 3))
