import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from napari_unit.domains import Window
from napari_unit.engine.planes import PaddedPlanes
from napari_unit.geometry.regions import Region
from napari_unit.geometry.tiling import Span
from napari_unit.images.axes import Axes
from napari_unit.images.storage import ArraySource

IMAGE = np.random.default_rng(0).integers(0, 100, (2, 3, 9, 14)).astype("uint8")
WINDOW = Window((0.0, 10.0, 20.0), (50.0, 60.0, 99.0))
SIZE = (12, 16)


@given(
    plane=st.integers(0, 1),
    rows=st.tuples(st.integers(0, 11), st.integers(1, 12)),
    columns=st.tuples(st.integers(0, 15), st.integers(1, 16)),
)
def test_any_region_is_part_of_the_reflected_plane(
    plane: int, rows: tuple[int, int], columns: tuple[int, int]
) -> None:
    planes = PaddedPlanes(ArraySource(IMAGE, Axes("TCYX"), 3), WINDOW, SIZE)
    region = Region(
        Span(rows[0], min(12, sum(rows))),
        Span(columns[0], min(16, sum(columns))),
    )
    found = planes.read(plane, region)
    padded = np.pad(WINDOW.to_unit(IMAGE[plane]), ((0, 0), (0, 3), (0, 2)), "reflect")
    expected = padded[
        :, region.rows.start : region.rows.stop, region.columns.start : region.columns.stop
    ]
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == np.float32
