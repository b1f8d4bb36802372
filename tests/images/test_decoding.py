import pytest

from napari_unit.images import decoding
from napari_unit.images.decoding import TooLargeError, check_piece, first_line


def test_the_first_line_ends_a_sentence() -> None:
    assert first_line(ValueError("one. \ntwo")) == "one"
    assert first_line(KeyError()) == "KeyError"
    assert first_line(ValueError("a\x00b\x1b[31m")) == "a?b?[31m"
    assert len(first_line(ValueError("x" * 10_000))) == 301


def test_half_of_the_free_memory_may_go_into_a_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "available_system_bytes", lambda: 8 * 10**9)
    check_piece(4 * 10**9)
    with pytest.raises(TooLargeError, match=r"its strips must .* to 4.1 GB, and 8.0 GB of memory"):
        check_piece(4_100_000_000, "strips")
    monkeypatch.setattr(decoding, "available_system_bytes", lambda: None)
    check_piece(10**18)
