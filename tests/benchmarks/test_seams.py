import numpy as np
import pytest

pytest.importorskip("seams", reason="benchmarks/ is in the repository only")

from seams import seam_excess

BORDERS = ([64, 128], [50, 100])


def stepped(height: float) -> np.ndarray:
    """Return an image in which every second tile is brighter."""
    image = np.zeros((2, 192, 150))
    rows, columns = (
        np.searchsorted(BORDERS[0], np.arange(192), "right"),
        np.searchsorted(BORDERS[1], np.arange(150), "right"),
    )
    return image + height * ((rows[:, None] + columns) % 2)


def test_a_seam_is_as_high_as_the_step_between_tiles() -> None:
    assert seam_excess(stepped(3.0), *BORDERS) == pytest.approx(3.0)
    assert seam_excess(stepped(3.0), BORDERS[0], []) == pytest.approx(3.0)


def test_borders_elsewhere_show_no_seam_there() -> None:
    assert seam_excess(stepped(3.0), [30], [20]) == 0.0


def test_smooth_images_have_no_seams() -> None:
    rows, columns = np.mgrid[:192, :150]
    smooth = np.sin(rows / 30) + 0.02 * columns
    assert seam_excess(smooth[None], *BORDERS) == pytest.approx(0.0, abs=1e-3)


def test_noise_has_no_seams_and_hides_none() -> None:
    noise = np.random.default_rng(0).normal(0, 0.2, (2, 192, 150))
    assert seam_excess(noise, *BORDERS) == pytest.approx(0.0, abs=0.01)
    # the step's half is taken from one difference and given to another where noise is larger
    assert seam_excess(noise + stepped(3.0), *BORDERS) == pytest.approx(3.0 - 0.226, abs=0.02)


def test_unsigned_pixels_do_not_wrap_around() -> None:
    assert seam_excess(stepped(200.0).astype(np.uint8), *BORDERS) == pytest.approx(200.0)


def test_without_borders_there_is_no_number() -> None:
    assert np.isnan(seam_excess(stepped(3.0), [0, 192], []))
