import numpy as np
import pytest
from napari.layers import Image

from napari_unit.images.axes import Axes
from napari_unit.images.layers import read_layer
from napari_unit.images.parts import described_part, part_of
from napari_unit.images.placement import PixelSize
from napari_unit.images.source_image import SourceImage

STACK = SourceImage(np.zeros((4, 3, 2, 60, 52), "u2"), Axes("TZCYX"), "cells")


def test_planes_are_those_of_the_ranges_in_order() -> None:
    part = part_of(STACK, {"T": (1, 3), "Z": (2, 3), "Y": (10, 20)})
    assert part.planes == (5, 8)
    assert (part.region.rows.start, part.region.rows.stop) == (10, 20)
    assert (part.region.columns.start, part.region.columns.stop) == (0, 52)
    assert part.n_px == 2 * 10 * 52
    assert part_of(STACK, {}).planes == tuple(range(12))
    flat = SourceImage(np.zeros((60, 52)), Axes("YX"), "flat")
    assert part_of(flat, {"X": (1, 2)}).planes == (0,)


def test_a_part_stands_where_it_stood_in_the_image() -> None:
    angle = np.deg2rad(20.0)
    rotate = np.eye(3)
    rotate[1:, 1:] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    affine = np.eye(4)
    affine[1, 2], affine[2, 3] = 0.3, 7.0
    layer = Image(
        np.zeros((5, 60, 52), "u1"), scale=(2.0, 0.5, 0.25), translate=(1.0, 2.0, 3.0),
        rotate=rotate, shear=[0.0, 0.0, 0.1], affine=affine,
    )  # fmt: skip
    image = read_layer(layer)
    ranges = {"Z": (2, 4), "Y": (11, 30), "X": (5, 9)}
    placed = described_part(image, ranges).placement
    assert placed is not None
    moved = Image(
        np.zeros((2, 19, 4), "u1"), scale=placed.scale, translate=placed.translate,
        rotate=placed.rotate, shear=placed.shear, affine=placed.affine,
    )  # fmt: skip
    for pixel in ((0, 0, 0), (1, 18, 3)):
        first = np.add(pixel, (2, 11, 5))
        np.testing.assert_allclose(moved.data_to_world(pixel), layer.data_to_world(first))


def test_a_part_of_a_file_keeps_its_origin_and_loses_its_levels() -> None:
    image = SourceImage(
        np.zeros((5, 60, 52)), Axes("ZYX"), "in", pixel_size=PixelSize(0.5, 0.25, 2.0),
        origin=(10.0, 20.0, 30.0), level_shapes=((5, 60, 52), (5, 30, 26)),
        smaller=(np.zeros((5, 30, 26)),),
    )  # fmt: skip
    part = described_part(image, {"Z": (1, 2), "X": (8, 52)})
    assert part.origin == (12.0, 20.0, 32.0)
    assert part.shape == (1, 60, 44)
    assert not part.is_multiscale
    assert part.smaller == ()


@pytest.mark.parametrize("ranges", [{"Q": (0, 1)}, {"C": (0, 1)}, {"T": (3, 5)}, {"Y": (5, 5)}])
def test_what_is_no_part_is_refused(ranges: dict[str, tuple[int, int]]) -> None:
    with pytest.raises(ValueError, match="The part"):
        part_of(STACK, ranges)
    with pytest.raises(ValueError, match="The part"):
        described_part(STACK, ranges)
