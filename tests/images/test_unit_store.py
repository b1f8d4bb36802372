import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_unit.geometry.regions import Region, grid, whole
from napari_unit.images import levels, unit_store
from napari_unit.images.axes import Axes
from napari_unit.images.levels import shrink
from napari_unit.images.storage import ArraySource
from napari_unit.images.unit_store import UnitStore, create_store
from napari_unit.images.work_folder import WorkFolder

LENGTHS = {"T": 2, "Z": 3, "C": 2, "S": 3, "Q": 2}


@pytest.fixture(autouse=True)
def small_units(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unit_store, "UNIT_PX", 32)
    monkeypatch.setattr(unit_store, "CHUNK_PX", 8)
    monkeypatch.setattr(UnitStore, "unit_px", 32)


def random_image(shape: tuple[int, ...], dtype: str) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 250, shape).astype(dtype)


def units(store: UnitStore) -> list[tuple[int, Region]]:
    planes = store.planes(0)
    size = (planes.height, planes.width)
    return [(p, u) for p in range(planes.n_planes) for u in grid(whole(size), 32)]


def fill(store: UnitStore, image: np.ndarray) -> None:
    source = ArraySource(image, store.axes, store.planes(0).n_channels)
    for plane, unit in reversed(units(store)):
        assert store.written(plane, unit) is None
        store.write(plane, unit, source.read(plane, unit), plane + 1)
        assert store.written(plane, unit) == plane + 1


@settings(max_examples=25)
@given(
    axes=st.sampled_from(["YX", "ZYX", "TZYX", "CYX", "ZCYX", "TCZYX", "YXS", "ZYXS", "QTYX"]),
    size=st.tuples(st.integers(1, 75), st.integers(1, 75)),
    dtype=st.sampled_from(["u1", "u2", "i4", "f4"]),
    ratio=st.sampled_from([1, 2, 3, 7]),
)
def test_units_and_levels_of_any_shape(
    tmp_path_factory: pytest.TempPathFactory,
    axes: str, size: tuple[int, int], dtype: str, ratio: int,
) -> None:  # fmt: skip
    length = LENGTHS | {"Y": size[0], "X": size[1]}
    smaller = LENGTHS | {"Y": -(-size[0] // ratio), "X": max(1, size[1] // ratio)}
    shapes = [tuple(of[letter] for letter in axes) for of in (length, smaller)]
    image = random_image(shapes[0], dtype)
    work = WorkFolder.beside(tmp_path_factory.mktemp("store") / "a.zarr")
    with work.claimed({}):
        store = create_store(work, Axes(axes), shapes, image.dtype)
        fill(store, image)
        news = list(store.build_levels())
        assert news == [(i + 1, len(news)) for i in range(len(news))]
        assert store.axes.letters == axes
        assert np.array_equal(store.levels[0][...], image)
        expected = np.empty(shapes[1], dtype)
        list(shrink(image, expected, Axes(axes).y))
        if image.dtype.kind == "f":
            assert np.allclose(store.levels[1][...], expected, rtol=1e-5)
        else:
            # sums in another order: a mean amid two integers may go either way
            assert np.abs(store.levels[1][...].astype(int) - expected).max() <= 1
        again = create_store(work, Axes(axes), shapes, image.dtype)
        assert all(again.written(plane, unit) == plane + 1 for plane, unit in units(again))
        work.remove()


def test_a_level_is_read_in_bands_and_goes_on_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(levels, "_BLOCK_VALUES", 300)
    image = random_image((150, 97), "u2")
    made = []
    for stop in (None, 2):
        work = WorkFolder.beside(tmp_path / f"{stop}.zarr")
        with work.claimed({}):
            store = create_store(work, Axes("YX"), [(150, 97), (75, 48), (37, 24)], image.dtype)
            fill(store, image)
            steps = store.build_levels()
            for _ in range(stop or 0):
                next(steps)
            steps.close()
            if stop:
                # what is there is not made again
                store.levels[1][:32, :32] = 7
            list(UnitStore(work).build_levels())
            made.append([level[...] for level in store.levels])
            work.remove()
    assert np.array_equal(made[0][1][32:], made[1][1][32:])
    assert (made[1][1][:32, :32] == 7).all()


# a process of its own has the real sizes of units at first
WRITER = """
import pickle, sys
from pathlib import Path
import numpy as np
from napari_unit.geometry.regions import grid, whole
from napari_unit.images import unit_store
from napari_unit.images.storage import ArraySource

unit_store.UNIT_PX = 32
folder, rank = Path(sys.argv[1]), int(sys.argv[2])
store = pickle.loads((folder / "store.pickle").read_bytes())
source = ArraySource(np.load(folder / "image.npy"), store.axes, 1)
size = (source.height, source.width)
units = [(p, u) for p in range(source.n_planes) for u in grid(whole(size), 32)]
for plane, unit in units[rank::2]:
    store.write(plane, unit, source.read(plane, unit), rank)
"""


def test_processes_write_units_side_by_side(tmp_path: Path) -> None:
    image = random_image((3, 100, 90), "u2")
    work = WorkFolder.beside(tmp_path / "a.zarr")
    np.save(tmp_path / "image.npy", image)
    with work.claimed({}):
        store = create_store(work, Axes("ZYX"), [image.shape], image.dtype)
        (tmp_path / "store.pickle").write_bytes(pickle.dumps(store))
        jobs = [
            subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), str(rank)])
            for rank in (0, 1)
        ]
        assert [job.wait() for job in jobs] == [0, 0]
        assert np.array_equal(store.levels[0][...], image)
        assert {store.written(*unit) for unit in units(store)} == {0, 1}
        work.remove()


def test_a_unit_is_one_file_and_zeros_are_written(tmp_path: Path) -> None:
    work = WorkFolder.beside(tmp_path / "a.zarr")
    with work.claimed({}):
        store = create_store(work, Axes("CYX"), [(2, 64, 40)], np.dtype("u1"))
        fill(store, np.zeros((2, 64, 40), "u1"))
        files = [p for p in (work.store_path / "0" / "c").rglob("*") if p.is_file()]
        assert len(files) == len(units(store)) == 4
        assert store.levels[0].chunks == (1, 8, 8)
        assert store.levels[0].shards == (2, 32, 32)
        work.remove()


def test_records_without_their_pixels_count_for_nothing(tmp_path: Path) -> None:
    work = WorkFolder.beside(tmp_path / "a.zarr")
    with work.claimed({}):
        work.mark("unit-0-0-0-0", {"n_saturated": 3})
        store = create_store(work, Axes("YX"), [(20, 20)], np.dtype("u1"))
        assert store.written(*units(store)[0]) is None
        work.mark("unit-0-0-0-0", {"n_saturated": "many"})
        assert store.written(*units(store)[0]) is None
        work.remove()


def test_damaged_pixels_and_levels_that_grow_are_told(tmp_path: Path) -> None:
    work = WorkFolder.beside(tmp_path / "a.zarr")
    with work.claimed({}):
        with pytest.raises(ValueError, match=r"\(20, 20\) cannot be shrunk to \(20, 21\)"):
            create_store(work, Axes("YX"), [(20, 20), (20, 21)], np.dtype("u1"))
        create_store(work, Axes("YX"), [(20, 20)], np.dtype("u1"))
        for content in (b"{", b'{"zarr_format": 3, "node_type": "group"}'):
            (work.store_path / "0" / "zarr.json").write_bytes(content)
            with pytest.raises(OSError, match=r"image cannot be read .*; remove .*a.zarr.partial"):
                create_store(work, Axes("YX"), [(20, 20)], np.dtype("u1"))
        work.remove()


def test_plain_zarr_reads_it(tmp_path: Path) -> None:
    image = random_image((40, 70), "f4")
    work = WorkFolder.beside(tmp_path / "a.zarr")
    with work.claimed({}):
        fill(create_store(work, Axes("YX"), [image.shape], image.dtype), image)
        array = zarr.open_array(work.store_path / "0", mode="r")
        assert np.array_equal(array[...], image)
        assert array.metadata.dimension_names == ("y", "x")
        work.remove()
