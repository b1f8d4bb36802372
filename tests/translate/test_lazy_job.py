from pathlib import Path
from typing import Any

import dask.array
import numpy as np
import pytest
from napari.layers import Image
from scipy.ndimage import gaussian_filter

import napari_unit
from napari_unit import lazy_job
from napari_unit.engine import sampling


def blobs(*shape: int) -> np.ndarray:
    noise = np.random.default_rng(0).random(shape)
    return (gaussian_filter(noise, (0,) * (len(shape) - 2) + (2, 2)) * 60000).astype("u2")


class Untouchable:
    """An image of which no pixel may be read yet."""

    def __init__(self, pixels: np.ndarray) -> None:
        self.pixels, self.shape, self.dtype, self.ndim = (
            pixels, pixels.shape, pixels.dtype, pixels.ndim,
        )  # fmt: skip
        self.n_px = 0
        self.is_open = False

    def __getitem__(self, index: Any) -> np.ndarray:
        assert self.is_open
        found = self.pixels[index]
        self.n_px += found.size
        return found


@pytest.mark.parametrize("statistics", ["whole", "image", "local"])
def test_it_shows_the_pixels_of_an_eager_translation(nuclei: Path, statistics: str) -> None:
    image = blobs(2, 100, 120)
    given = {"statistics": statistics, "tile": 32}
    eager = napari_unit.translate(Image(image), nuclei, "real", **given)
    lazily = napari_unit.translate(Image(image), nuclei, "real", lazy=True, **given)
    assert lazily.name == eager.name
    assert lazily.contrast_limits == eager.contrast_limits
    np.testing.assert_allclose(np.asarray(lazily.data), eager.data, rtol=0, atol=255 * 1e-4)


def test_sampled_and_integer_pixels_are_the_same_to_the_last_bit(
    nuclei: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sampling, "SAMPLE_CORE_PX", 32)
    monkeypatch.setattr(sampling, "MAX_SAMPLED", 4)
    image = blobs(150, 170)
    given = {"tile": 64, "dtype": "uint8"}
    eager = napari_unit.translate(image, nuclei, "real", **given)
    lazily = napari_unit.translate(image, nuclei, "real", lazy=True, **given)
    assert np.array_equal(np.asarray(lazily), eager)


def test_it_returns_before_a_pixel_is_read_and_reads_what_is_looked_at(
    nuclei: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lazy_job, "_OVERVIEW_PX", 40)  # some levels are of a picture of all
    image = Untouchable(blobs(600, 700))
    first = napari_unit.translate(
        image.pixels, nuclei, "real", out=tmp_path / "a.tif", tile=32, progress=False
    )
    calibration = f"{first}.calibration.safetensors"
    made = napari_unit.translate(
        Image(np.broadcast_to(np.zeros((), "u2"), image.shape)),
        nuclei, "real", lazy=True, calibration=calibration, tile=32,
    )  # fmt: skip
    assert "translated from a picture of all" in [
        level["made"] for level in made.metadata["napari_unit"]["levels"]
    ]
    made = napari_unit.translate(image, nuclei, "real", lazy=True, calibration=calibration, tile=32)
    assert made.shape == (600, 700)
    image.is_open = True
    part = np.asarray(made[320:352, 320:352])
    # the tile and what the networks see around it
    assert image.n_px <= (32 + 2 * 88) ** 2
    import tifffile

    np.testing.assert_allclose(part, tifffile.imread(first)[320:352, 320:352], atol=255 * 1e-4)


def test_smaller_levels_come_of_the_sources(nuclei: Path) -> None:
    image = blobs(128, 160)
    levels = [image, image[::2, ::2], image[::4, ::4]]
    made = napari_unit.translate(Image(levels, multiscale=True), nuclei, "real", lazy=True, tile=64)
    assert made.multiscale
    assert [level.shape for level in made.data] == [(128, 160), (64, 80), (32, 40)]
    for level in made.data:
        assert isinstance(level, dask.array.Array)
        assert np.isfinite(np.asarray(level)).all()
    told = made.metadata["napari_unit"]
    assert [level["made"] for level in told["levels"]] == [
        "translated", *["translated from the source's level"] * 2,
    ]  # fmt: skip
    assert told["lazy"] is True


def test_an_image_without_levels_gets_previews(
    nuclei: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lazy_job, "_OVERVIEW_PX", 20)
    monkeypatch.setattr(lazy_job, "_LARGEST_POOLED", 2)
    image = Untouchable(blobs(200, 160))
    image.is_open = True
    made = napari_unit.translate(Image(image), nuclei, "real", lazy=True, tile=64)
    assert [level.shape for level in made.data] == [
        (200, 160), (100, 80), (50, 40), (25, 20), (13, 10),
    ]  # fmt: skip
    told = made.metadata["napari_unit"]["levels"]
    assert [level["made"] for level in told] == [
        "translated", "translated from means", *["translated from a picture of all"] * 3,
    ]  # fmt: skip
    smallest = np.asarray(made.data[-1])
    # once for the intensities and once for the statistics, with its surroundings; not again
    n_px = image.n_px
    assert n_px < 8 * image.pixels.size
    for level in made.data[2:]:
        assert np.isfinite(np.asarray(level)).all()
    assert image.n_px == n_px
    assert smallest.std() > 0
    # a preview has about the brightness of what it stands for
    full = np.asarray(made.data[0])
    assert abs(smallest.mean() - full.mean()) < 0.2 * 255


def test_provenance_is_there_as_soon_as_it_is_measured(nuclei: Path) -> None:
    made = napari_unit.translate(Image(blobs(60, 52)), nuclei, "real", lazy=True)
    told = made.metadata["napari_unit"]
    assert "window" not in told
    np.asarray(made.data[:8, :8])
    assert told["window"]["low"] != told["window"]["high"]
    assert told["squares"] == [1, 1]
    assert told["n_saturated"] is None  # most pixels were never made


def test_tiles_are_small_unless_one_says_otherwise(nuclei: Path) -> None:
    image = np.zeros((3000, 3000), "u2")
    made = napari_unit.translate(image, nuclei, "real", lazy=True)
    assert made.chunksize == (512, 512)
    made = napari_unit.translate(image, nuclei, "real", lazy=True, tile=1200)
    assert made.chunksize == (1200, 1200)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (
            {"out": "a.tif"},
            "A lazy translation is not written or computed elsewhere; leave",
        ),
        ({"cluster": "local"}, "leave out cluster or lazy"),
        ({"statistics": "tile"}, "Statistics 'tile' have no one result"),
        ({"dtype": "float64"}, "dtype is 'float64'"),
    ],
)
def test_what_does_not_go_lazily_is_refused(given: dict[str, Any], says: str, nuclei: Path) -> None:
    with pytest.raises(ValueError, match=says):
        napari_unit.translate(blobs(60, 52), nuclei, "real", lazy=True, **given)
