import platform

import pytest

from napari_unit._widget.trouble import Trouble


def raised(error: Exception) -> Exception:
    try:
        raise error
    except type(error) as caught:
        return caught


def test_a_refusal_keeps_its_sentence_and_tells_where_it_came_from() -> None:
    trouble = Trouble.refused(raised(ValueError("There is no such image.")))
    assert trouble.sentence == "There is no such image."
    assert "ValueError: There is no such image." in trouble.details
    assert "in raised" in trouble.details
    assert f"Python {platform.python_version()}" in trouble.details
    assert "napari-unit " in trouble.details


def test_memory_that_ran_out_is_said() -> None:
    assert "out of memory" in Trouble.refused(MemoryError()).sentence


@pytest.mark.parametrize("code", [126, 1114])
def test_torch_that_windows_cannot_load_after_qt_gets_a_way_out(code: int) -> None:
    error = OSError("Error loading torch\\lib\\c10.dll")
    error.winerror = code  # type: ignore[attr-defined]
    assert "start napari with" in Trouble.refused(error).sentence


def test_a_fault_is_named_by_its_kind() -> None:
    trouble = Trouble.unexpected(raised(KeyError("x")), "The translation")
    assert trouble.sentence == "The translation failed unexpectedly (KeyError: 'x')."
    assert "KeyError: 'x'" in trouble.details
