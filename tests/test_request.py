from typing import Any

import pytest

from napari_unit.request import TranslationRequest, bytes_of


@pytest.mark.parametrize(
    ("given", "n_bytes"),
    [(10**9, 10**9), ("4 GB", 4 * 10**9), ("1.5gb", 15 * 10**8), ("512 MiB", 2**29), ("7", 7)],
)
def test_sizes_are_read_as_users_write_them(given: Any, n_bytes: int) -> None:
    assert bytes_of(given) == n_bytes


@pytest.mark.parametrize("given", ["", "much", "4 TB", "GB", "1e999 GB", "nan GB", [3]])
def test_what_is_no_size_is_refused(given: Any) -> None:
    with pytest.raises(ValueError, match="it must be a number of bytes, or one with MB or GB"):
        TranslationRequest(memory=given)


def test_two_gigabytes_are_taken_where_nothing_is_said() -> None:
    assert TranslationRequest().memory_bytes == 2 * 10**9
