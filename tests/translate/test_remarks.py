from typing import Any

from napari_unit.provenance import remarks


def made(**differing: Any) -> dict[str, Any]:
    usual = {
        "from": "synthetic",
        "dtype": "uint8",
        "notes": [],
        "clipped_fraction": 0.002,
        "n_saturated": 0,
    }
    return usual | differing


def test_nothing_is_said_where_all_is_as_usual() -> None:
    assert remarks(made()) == []


def test_what_was_clipped_on_either_side_is_said() -> None:
    assert remarks(made(clipped_fraction=0.42)) == [
        "42% of the pixel values were outside the intensities of 'synthetic' and were clipped."
    ]
    assert remarks(made(n_saturated=7)) == ["Clipped to fit uint8: 7 of the translated values."]


def test_notes_of_the_engine_are_passed_on() -> None:
    assert remarks(made(notes=["The image is dark."])) == ["The image is dark."]
