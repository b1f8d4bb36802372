import pytest

from napari_unit.runs.inspection import DomainInspection

FOUND = DomainInspection(
    "a", "left", 3, 2, 7, (40, 50), (32, 48), ("uint16",), ("red", "green"),
    "percentiles:0.1,99.9", (1.0, 2.0), (300.0, 400.5), ("a note",), ("a problem",), ("aGk=",),
)  # fmt: skip


def test_a_line_comes_back_as_it_was():
    assert DomainInspection.from_json(FOUND.to_json()) == FOUND


def test_keys_of_later_versions_are_passed_over():
    assert DomainInspection.from_json(FOUND.to_json()[:-1] + ', "mood": "good"}') == FOUND


@pytest.mark.parametrize("line", ["", "{", "[]", "{}", '{"side": "a"}'])
def test_what_is_no_inspection_is_refused(line):
    with pytest.raises(ValueError, match="is no inspection"):
        DomainInspection.from_json(line)
