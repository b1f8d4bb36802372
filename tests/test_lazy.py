import threading
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_unit.geometry.regions import Region
from napari_unit.images.axes import Axes
from napari_unit.lazy import LazyLevel, LazyTranslation, TileCache

if TYPE_CHECKING:
    from collections.abc import Callable

PIXELS = np.random.default_rng(0).integers(0, 255, (2, 3, 50, 70)).astype("u1")


class Copying:
    """Translates nothing; remembers what was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, Region]] = []

    def read(self, plane: int, target: Region) -> np.ndarray:
        rows, columns = target.rows, target.columns
        return PIXELS[plane, :, rows.start : rows.stop, columns.start : columns.stop].astype("f4")

    def translate(self, plane: int, target: Region, read: np.ndarray | None) -> np.ndarray:
        self.asked.append((plane, target))
        assert read is not None
        return read


def lazy(
    axes: str = "ZCYX", cache: TileCache | None = None
) -> tuple[LazyTranslation, Copying, list[str]]:
    copying, prepared = Copying(), []

    def prepare() -> Generator[None, None, list[Any]]:
        prepared.append(threading.current_thread().name)
        yield
        return [copying]

    order = ["ZCYX".index(letter.replace("S", "C")) for letter in axes]
    shape = tuple(PIXELS.shape[axis] for axis in order)
    level = LazyLevel(Axes(axes), shape, np.dtype("u1"), 16, "translated")
    made = LazyTranslation([level], prepare, lambda v: v.astype("u1"), cache or TileCache())
    return made, copying, prepared


@pytest.mark.parametrize("axes", ["ZCYX", "ZYXS", "CZYX", "XZYC"])
def test_the_array_is_the_translation_in_any_order_of_axes(axes: str) -> None:
    made, _, _ = lazy(axes)
    (array,) = made.arrays("a")
    expected = PIXELS.transpose(["ZCYX".index(letter.replace("S", "C")) for letter in axes])
    assert array.dtype == "u1"
    assert np.array_equal(array.compute(), expected)
    cut = tuple(slice(1, length - 1) for length in array.shape)
    assert np.array_equal(array[cut].compute(), expected[cut])


def test_nothing_is_computed_until_it_is_looked_at_and_then_only_that() -> None:
    made, copying, prepared = lazy()
    (array,) = made.arrays("a")
    part = array[1, :, 20:30, 40:60]
    assert copying.asked == prepared == []
    part.compute()
    assert len(prepared) == 1
    assert {plane for plane, _ in copying.asked} == {1}
    places = sorted((region.rows.start, region.columns.start) for _, region in copying.asked)
    assert places == [(16, 32), (16, 48)]


def test_a_tile_is_computed_once_while_it_is_in_the_cache() -> None:
    made, copying, _ = lazy()
    (array,) = made.arrays("a")
    array[0].compute()
    n = len(copying.asked)
    array[0].compute()
    array[0, 1, 3:9].compute()
    assert len(copying.asked) == n == 4 * 5


def test_the_cache_forgets_what_was_not_used_for_longest() -> None:
    cache = TileCache(limit_bytes=3 * 16 * 16 * 2)  # two tiles
    made, copying, _ = lazy(cache=cache)
    (array,) = made.arrays("a")
    for column in (0, 16, 0, 32, 0, 16):
        array[0, :, :16, column : column + 16].compute()
    assert [region.columns.start for _, region in copying.asked] == [0, 16, 32, 16]


def test_a_tile_that_is_larger_than_the_cache_is_given_and_not_kept() -> None:
    made, copying, _ = lazy(cache=TileCache(limit_bytes=10))
    (array,) = made.arrays("a")
    assert np.array_equal(array[0].compute(), PIXELS[0])
    array[0].compute()
    assert len(copying.asked) == 2 * 4 * 5


def test_many_threads_prepare_once_and_compute_each_tile_once() -> None:
    made, copying, prepared = lazy()
    (array,) = made.arrays("a")
    found = array.compute(scheduler="threads", num_workers=8)
    assert np.array_equal(found, PIXELS)
    assert len(prepared) == 1
    assert len(copying.asked) == len(set(copying.asked)) == 2 * 4 * 5


def test_a_calibration_that_fails_fails_each_time_and_can_succeed_later() -> None:
    tries: list[int] = []
    copying = Copying()

    def prepare() -> Generator[None, None, list[Any]]:
        tries.append(1)
        yield
        if len(tries) < 3:
            raise OSError("the store is gone")
        return [copying]

    level = LazyLevel(Axes("ZCYX"), PIXELS.shape, np.dtype("u1"), 16, "translated")
    made = LazyTranslation([level], prepare, lambda v: v.astype("u1"), TileCache())
    (array,) = made.arrays("a")
    for _ in range(2):
        with pytest.raises(OSError, match="the store is gone"):
            array[0].compute(scheduler="synchronous")
    assert np.array_equal(array[0].compute(), PIXELS[0])


def test_who_stops_measuring_keeps_no_one_from_it() -> None:
    made, _, prepared = lazy()
    measuring = made.measuring()
    next(measuring)
    threading.Thread(target=measuring.close).start()
    assert np.array_equal(made.arrays("a")[0][0].compute(), PIXELS[0])
    assert len(prepared) == 2


def test_the_smallest_level_is_made_before_it_is_asked_for() -> None:
    made, copying, prepared = lazy()
    n_tiles = len(list(made.making_smallest()))
    assert n_tiles == len(copying.asked) == 4 * 5
    made.arrays("a")[0][0].compute()
    assert len(copying.asked) == n_tiles
    assert len(prepared) == 1


def test_tiles_cannot_be_written_to() -> None:
    made, _, _ = lazy()
    region: Callable[..., Any] = made.tile
    from napari_unit.geometry.tiling import Span

    tile = region(0, 0, Region(Span(0, 16), Span(0, 16)))
    with pytest.raises(ValueError, match="read-only"):
        tile[:] = 0
