import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from napari_unit.engine.planning import TranslationPlan, plan_translation
from napari_unit.engine.settings import EngineSettings
from napari_unit.engine.tiles import translate_units, units_of
from napari_unit.geometry.regions import Region, whole
from napari_unit.images.axes import Axes
from napari_unit.images.storage import ArraySink, ArraySource
from napari_unit.models.model import TranslationModel

SIZE = (100, 90)
IMAGE = np.random.default_rng(0).uniform(-1, 1, (2, 1, *SIZE)).astype("float32")
SOURCE = ArraySource(IMAGE, Axes("TCYX"), 1)


class Copying:
    """Translates nothing; remembers on which thread it read and how large its tiles were."""

    def __init__(self, limit_px: int = 10**6) -> None:
        self.limit_px = limit_px
        self.threads: set[str] = set()
        self.sides: list[int] = []

    def read(self, plane: int, target: Region) -> np.ndarray:
        self.threads.add(threading.current_thread().name)
        return SOURCE.read(plane, target)

    def translate(self, plane: int, target: Region, read: np.ndarray | None) -> np.ndarray:
        if target.n_px > self.limit_px**2:
            raise torch.OutOfMemoryError
        assert read is not None
        self.sides.append(max(target.rows.length, target.columns.length))
        return read


@pytest.fixture(scope="module")
def model(random_model: Callable[..., TranslationModel]) -> TranslationModel:
    return random_model(width=1)


def planned(model: TranslationModel, **settings: Any) -> TranslationPlan:
    chosen = EngineSettings(**{"statistics": "tile", "device": "cpu", "tile_px": 32} | settings)
    return plan_translation(model, "a", "b", SOURCE, chosen)


def run(model: TranslationModel, translator: Any, finish: Any, unit_px: int = 0) -> Any:
    out = np.full((2, 1, *SIZE), np.nan, "float32")
    sink = ArraySink(out, Axes("TCYX"))
    sink.unit_px = unit_px
    target = model.domains[1]
    _, told = finish(translate_units(planned(model), translator, target, sink))
    window = target.typical_window
    expected = np.stack([window.from_unit(plane, np.dtype("float32")) for plane in IMAGE])
    assert (out == expected).all()
    return told


@pytest.mark.parametrize("unit_px", [0, 64, 50, 1000])
def test_each_pixel_comes_from_its_tile_whatever_the_units(
    model: TranslationModel, finish: Any, unit_px: int
) -> None:
    translator = Copying()
    told = run(model, translator, finish, unit_px)
    assert [p.done for p in told] == sorted({p.done for p in told})
    assert told[-1].done == told[-1].total == 2 * 100 * 90
    assert max(translator.sides) <= 32


def test_tiles_are_read_ahead_on_another_thread(model: TranslationModel, finish: Any) -> None:
    translator = Copying()
    run(model, translator, finish)
    assert threading.current_thread().name not in translator.threads


@pytest.mark.parametrize("limit_px", [31, 16])
def test_a_device_out_of_memory_gets_smaller_tiles_and_gives_the_same(
    model: TranslationModel, finish: Any, limit_px: int, caplog: pytest.LogCaptureFixture
) -> None:
    translator = Copying(limit_px)
    run(model, translator, finish)
    assert max(translator.sides) == 16
    # the others are cut from the start
    assert len(caplog.messages) == 1
    assert "cpu ran out of memory with tiles of 32 px; it goes on with 16 px" in caplog.text


def test_a_device_without_any_memory_is_given_up(model: TranslationModel, finish: Any) -> None:
    with pytest.raises(MemoryError, match="cpu ran out of memory even with tiles of 16 px"):
        run(model, Copying(8), finish)


def test_what_cannot_be_read_or_written_is_told(model: TranslationModel, finish: Any) -> None:
    class Unreadable(Copying):
        def read(self, plane: int, target: Region) -> np.ndarray:
            if target.rows.start:
                raise OSError("the store is gone")
            return super().read(plane, target)

    with pytest.raises(OSError, match="the store is gone"):
        run(model, Unreadable(), finish)

    class Full(ArraySink):
        def write(self, *_: Any) -> None:
            raise OSError("no room")

    sink = Full(np.zeros((2, 1, *SIZE), "float32"), Axes("TCYX"))
    job = translate_units(planned(model), Copying(), model.domains[1], sink)
    with pytest.raises(OSError, match="no room"):
        finish(job)


def test_closing_waits_for_what_is_being_written(model: TranslationModel) -> None:
    out = np.full((2, 1, *SIZE), np.nan, "float32")
    sink = ArraySink(out, Axes("TCYX"))
    before = set(threading.enumerate())  # dask keeps a pool, where a test has used it
    job = translate_units(planned(model), Copying(), model.domains[1], sink)
    for _ in range(3):
        told = next(job)
    job.close()
    assert np.isfinite(out).sum() == told.done
    assert set(threading.enumerate()) <= before


def test_units_cover_each_plane_once(model: TranslationModel) -> None:
    times = np.zeros((2, *SIZE), int)
    for plane, unit in units_of(planned(model), 40):
        rows, columns = unit.within(whole(SIZE))
        times[plane, rows, columns] += 1
    assert (times == 1).all()
