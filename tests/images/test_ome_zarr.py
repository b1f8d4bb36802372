from pathlib import Path
from typing import Any

import dask.array
import numpy as np
import pytest
import zarr
from ome_zarr.io import parse_url
from ome_zarr.reader import Reader
from yaozarrs import validate_zarr_store

from napari_unit.domains import Domain, IntensityScaling
from napari_unit.images.axes import Axes
from napari_unit.images.files import open_path
from napari_unit.images.ome_zarr import OmeZarrPlan, describe, stored_axes
from napari_unit.images.placement import PixelSize
from napari_unit.images.stored_image import StoredImage
from napari_unit.images.unit_store import create_store
from napari_unit.images.work_folder import WorkFolder

SIZE = PixelSize(0.5, 0.25, 2.0, "µm")
RANGE = IntensityScaling("range", 0.0, 255.0)
DNA = Domain("synthetic", ("dna",), IntensityScaling("percentiles", 0.5, 99.5, (100.0,), (4e4,)))
TWO = Domain(
    "two", ("dna", "actin"), IntensityScaling("percentiles", 0.5, 99.5, (0.0, 5.0), (90.0, 4e5))
)
RGB = Domain("stained", ("red", "green", "blue"), RANGE)
HOW = {"model": "nuclei", "window": {"low": [0.5], "high": [99.0]}, "notes": [], "seed": 0}


def written(
    folder: Path, axes: str, shapes: list[tuple[int, ...]], dtype: str, target: Domain, **of: Any
) -> tuple[Path, np.ndarray]:
    image = np.random.default_rng(0).integers(0, 250, shapes[0]).astype(dtype)
    work = WorkFolder.beside(folder / "a.ome.zarr")
    with work.claimed({}):
        store = create_store(work, Axes(axes), shapes, image.dtype)
        store.levels[0][...] = image
        list(store.build_levels())
        stored = StoredImage(
            Axes(axes), tuple(shapes), image.dtype, "cells", **{"pixel_size": SIZE, **of}
        )
        plan = OmeZarrPlan.of_translation(stored, target)
        describe(work.store_path, plan, HOW)
        work.store_path.rename(folder / "a.ome.zarr")
        work.remove()
    return folder / "a.ome.zarr", image


@pytest.mark.parametrize(
    ("axes", "shape", "target"),
    [
        ("YX", (70, 50), DNA),
        ("ZYX", (3, 70, 50), DNA),
        ("CYX", (3, 70, 50), RGB),
        ("CZYX", (2, 3, 70, 50), TWO),
        ("TCZYX", (2, 1, 3, 70, 50), DNA),
        ("TYX", (2, 70, 50), DNA),
    ],
)
@pytest.mark.parametrize("dtype", ["u1", "f4"])
def test_usual_readers_find_pixels_axes_and_scales(
    tmp_path: Path, axes: str, shape: tuple[int, ...], target: Domain, dtype: str
) -> None:
    smaller = (*shape[:-2], 35, 25)
    path, image = written(tmp_path, axes, [shape, smaller], dtype, target)
    validate_zarr_store(path)
    # ome-zarr-py, which napari-ome-zarr and others read with
    location = parse_url(path)
    assert location is not None
    (node, *_) = list(Reader(location)())
    assert [level.shape for level in node.data] == [shape, smaller]
    assert np.array_equal(node.data[0].compute(), image)
    assert [axis["name"] for axis in node.metadata["axes"]] == list(axes.lower())
    first, second = node.metadata["coordinateTransformations"]
    sides = {"T": 1.0, "C": 1.0, "Z": 2.0, "Y": 0.5, "X": 0.25}
    assert first == [{"type": "scale", "scale": [sides[letter] for letter in axes]}]
    assert second[0]["scale"][-3:] == [*(sides[x] for x in axes[-3:-2]), 1.0, 0.5][-3:]
    assert second[1]["translation"][-2:] == [0.25, 0.125]
    assert not any(second[1]["translation"][:-2])
    # zarr and dask
    group = zarr.open_group(path, mode="r")
    assert np.array_equal(group["0"][...], image)
    assert np.array_equal(dask.array.from_zarr(str(path), component="0").compute(), image)
    # and ourselves
    found = open_path(path)
    size = found.pixel_size
    assert size is not None
    assert (found.axes.letters, found.level_shapes) == (axes, (shape, smaller))
    assert (size.y, size.x, size.unit, size.z) == (0.5, 0.25, "µm", 2.0 if "Z" in axes else None)


def test_the_metadata_says_how_levels_and_image_were_made(tmp_path: Path) -> None:
    path, _ = written(tmp_path, "CYX", [(2, 70, 50), (2, 35, 25)], "u2", TWO)
    attributes = zarr.open_group(path, mode="r").attrs.asdict()
    assert attributes["napari_unit"] == HOW
    scales = attributes["ome"]["multiscales"][0]
    assert (scales["type"], scales["name"]) == ("local mean", "cells")
    assert [axis.get("unit") for axis in scales["axes"]] == [None, "micrometer", "micrometer"]
    channels = attributes["ome"]["omero"]["channels"]
    assert [(c["label"], c["color"]) for c in channels] == [("dna", "FF0000"), ("actin", "00FF00")]
    assert channels[0]["window"] == {"min": 0, "max": 65535, "start": 0, "end": 90}
    assert channels[1]["window"] == {"min": 0, "max": 65535, "start": 5, "end": 65535}


def test_place_and_time_of_the_source_carry_over(tmp_path: Path) -> None:
    path, _ = written(
        tmp_path,
        "TYX",
        [(2, 70, 50), (2, 35, 25)],
        "u1",
        DNA,
        origin={"Y": 12.0, "X": -3.0},
        time_step_s=2.5,
    )
    validate_zarr_store(path)
    found = open_path(path)
    assert (found.time_step_s, found.origin) == (2.5, (0.0, 12.0, -3.0))
    scales = zarr.open_group(path, mode="r").attrs.asdict()["ome"]["multiscales"][0]
    second = scales["datasets"][1]["coordinateTransformations"]
    assert second[1]["translation"] == [0.0, 12.25, -2.875]


def test_an_unknown_size_is_not_invented(tmp_path: Path) -> None:
    path, _ = written(tmp_path, "YX", [(20, 20)], "f4", DNA, pixel_size=None)
    scales = zarr.open_group(path, mode="r").attrs.asdict()["ome"]["multiscales"][0]
    assert "type" not in scales
    assert not any("unit" in axis for axis in scales["axes"])
    assert open_path(path).pixel_size is None


def test_a_stack_without_distances_has_no_unit_for_them(tmp_path: Path) -> None:
    path, _ = written(tmp_path, "ZYX", [(2, 20, 20)], "f4", DNA, pixel_size=PixelSize(0.5, 0.5))
    axes = zarr.open_group(path, mode="r").attrs.asdict()["ome"]["multiscales"][0]["axes"]
    assert [axis.get("unit") for axis in axes] == [None, "micrometer", "micrometer"]


def test_what_killed_writers_left_is_not_in_it(tmp_path: Path) -> None:
    work = WorkFolder.beside(tmp_path / "a.ome.zarr")
    with work.claimed({}):
        create_store(work, Axes("YX"), [(20, 20)], np.dtype("u1"))
        torn = work.store_path / "0" / "c" / "0" / "0.12ab.partial"
        torn.parent.mkdir(parents=True)
        torn.write_text("torn")
        stored = StoredImage(Axes("YX"), ((20, 20),), np.dtype("u1"), "cells")
        describe(work.store_path, OmeZarrPlan.of_translation(stored, DNA), HOW)
        assert not torn.exists()
        work.remove()


def test_what_is_not_valid_is_not_passed_off_as_an_image(tmp_path: Path) -> None:
    work = WorkFolder.beside(tmp_path / "a.ome.zarr")
    with work.claimed({}):
        create_store(work, Axes("YX"), [(20, 20)], np.dtype("u1"))
        stored = StoredImage(Axes("YX"), ((20, 20), (10, 10)), np.dtype("u1"), "cells")
        with pytest.raises(RuntimeError, match="did not become a valid OME-Zarr"):
            describe(work.store_path, OmeZarrPlan.of_translation(stored, DNA), HOW)
        work.remove()


def test_axes_are_stored_by_type() -> None:
    assert [stored_axes(Axes(a)).letters for a in ("XYZ", "YXC", "ZYXS", "CZTYX", "ZCYX")] == [
        "ZYX", "CYX", "CZYX", "TCZYX", "CZYX",
    ]  # fmt: skip
    with pytest.raises(ValueError, match=r"'QTYX', and an OME-Zarr has none for Q; say with axes"):
        stored_axes(Axes("QTYX"))
