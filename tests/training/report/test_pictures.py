import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_unit_training.report.pictures import (
    embedded_large,
    embedded_strip,
    open_picture,
    rows_of,
    spread,
)


def noise(width: int, height: int, channels: int = 3) -> Image.Image:
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (height, width, channels), dtype=np.uint8)
    return Image.fromarray(np.broadcast_to(pixels, (height, width, 3)).copy())


def decoded(uri: str) -> Image.Image:
    content = base64.b64decode(uri.partition(",")[2])
    return Image.open(io.BytesIO(content))


def test_a_picture_that_is_not_too_large_is_embedded_to_the_last_pixel() -> None:
    picture = noise(40, 30)
    embedded = embedded_large(picture)
    assert embedded.uri.startswith("data:image/png;base64,")
    assert np.array_equal(np.asarray(decoded(embedded.uri)), np.asarray(picture))
    assert (embedded.width, embedded.height, embedded.scale) == (40, 30, 1.0)


def test_gray_is_embedded_as_gray() -> None:
    assert decoded(embedded_large(noise(40, 30, 1)).uri).mode == "L"


def test_what_is_large_is_scaled_down_to_a_sane_size() -> None:
    embedded = embedded_large(noise(4200, 2100))
    assert (embedded.width, embedded.height, embedded.scale) == (2100, 1050, 0.5)
    assert len(embedded.uri) < 3_500_000
    assert decoded(embedded.uri).size == (2100, 1050)
    assert embedded_strip(noise(2200, 100)).width == 1100


def test_rows_of_a_preview_are_its_crops() -> None:
    side, gap = 8, 2
    picture = noise(8 * side + 7 * gap, 3 * side + 2 * gap)
    rows = rows_of(picture)
    assert [row.size for row in rows] == [(picture.width, side)] * 3
    pixels = np.asarray(picture)
    assert np.array_equal(np.asarray(rows[2]), pixels[2 * (side + gap) :])


@pytest.mark.parametrize("size", [(78, 29), (5, 5), (1, 40)])
def test_another_picture_is_one_row(size: tuple[int, int]) -> None:
    assert [row.size for row in rows_of(noise(*size))] == [size]


def test_times_are_spread_from_the_first_to_the_last() -> None:
    assert list(spread(0)) == []
    assert list(spread(8)) == list(range(8))
    assert list(spread(100)) == [0, 14, 28, 42, 57, 71, 85, 99]
    assert all(len(set(spread(n))) == 8 for n in range(8, 50))


def test_only_whole_pictures_of_the_folder_are_opened(tmp_path: Path) -> None:
    folder = tmp_path / "previews"
    folder.mkdir()
    noise(8, 8).save(folder / "good.png")
    noise(8, 8).save(tmp_path / "outside.png")
    (folder / "torn.png").write_bytes((folder / "good.png").read_bytes()[:60])
    (folder / "text.png").write_text("no picture")
    noise(8, 8).save(folder / "other.jpg")
    assert open_picture(folder, "good.png") is not None
    names = ["torn.png", "text.png", "other.jpg", "missing.png", "../outside.png"]
    assert [open_picture(folder, name) for name in names] == [None] * 5
