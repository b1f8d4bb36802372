from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_unit.images import pieces
from napari_unit.images.pieces import HeldPieces, box_of, bytes_held, pieces_of

SHAPE = (4, 1, 7, 5)
ARRAY = np.arange(140).reshape(SHAPE)

parts = st.one_of(
    st.integers(-1, 0),
    st.slices(5),
    st.builds(slice, st.none() | st.integers(-9, 9), st.none() | st.integers(-9, 9)),
)
indices = st.lists(parts, max_size=4).flatmap(
    lambda given: st.sampled_from([tuple(given), (*given[:1], ..., *given[1:])])
)


@given(indices, st.tuples(*(st.integers(1, 8) for _ in SHAPE)))
def test_a_block_put_together_of_pieces_is_what_numpy_slices(
    index: Any, sizes: tuple[int, ...]
) -> None:
    box = box_of(index, SHAPE)
    block = np.full(box.shape, -1)
    for piece in pieces_of(box.spans, sizes):
        starts = [n * size for n, size in zip(piece.number, sizes, strict=True)]
        stored = ARRAY[tuple(slice(s, s + n) for s, n in zip(starts, sizes, strict=True))]
        assert (block[piece.outside] == -1).all()
        block[piece.outside] = stored[piece.inside]
    assert np.array_equal(block[box.rest], ARRAY[index])


@pytest.mark.parametrize("index", [4, (0, 0, 0, 0, 0), [1, 2], None, True, (0, "x")])
def test_other_indices_are_refused(index: Any) -> None:
    with pytest.raises(IndexError, match=r"\.$"):
        box_of(index, SHAPE)


def test_what_was_not_asked_for_the_longest_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "HELD_BYTES", 25)
    held = HeldPieces()
    for number in range(3):
        held.put((7, number), np.zeros(8, "u1"))
    assert held.get((7, 0)) is not None
    held.put((8, 0), np.zeros(9, "u1"))
    assert [held.get((7, number)) is not None for number in range(3)] == [True, False, True]
    held.drop(7)
    assert held.get((7, 0)) is None
    assert held.get((8, 0)) is not None
    held.put((8, 1), np.zeros(100, "u1"))  # larger than all that may be held: alone
    assert held.get((8, 0)) is None
    assert held.get((8, 1)) is not None
    assert (bytes_held(100, 999), bytes_held(3, 999), bytes_held(3, 12)) == (100, 25, 12)
