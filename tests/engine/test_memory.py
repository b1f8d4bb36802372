from collections.abc import Callable

import pytest
import torch

from napari_unit.engine import memory
from napari_unit.engine.memory import choose_fields, choose_tile, tile_bytes
from napari_unit.engine.runner import Route, route_of
from napari_unit.engine.sampling import Field
from napari_unit.engine.settings import EngineSettings
from napari_unit.geometry.regions import Region, grid, whole
from napari_unit.models.model import TranslationModel

MakeModel = Callable[..., TranslationModel]
CPU = torch.device("cpu")
SIZE = (8000, 12000)


def route(random_model: MakeModel, width: int = 16) -> Route:
    return route_of(random_model(width=width, n_shared=4).steps("a", "b"))


@pytest.mark.parametrize(("width", "tile_px"), [(4, 2048), (16, 1024), (64, 512)])
def test_larger_tiles_are_chosen_for_narrower_networks(
    random_model: MakeModel, width: int, tile_px: int
) -> None:
    settings = EngineSettings(device="cpu")
    found, n_bytes = choose_tile(route(random_model, width), SIZE, (1, 1), settings, CPU, 10**10)
    assert found == tile_px
    assert n_bytes == tile_bytes(route(random_model, width), SIZE, tile_px, (1, 1))


def test_no_larger_tile_than_the_image_is_chosen(random_model: MakeModel) -> None:
    settings = EngineSettings(device="cpu")
    assert choose_tile(route(random_model), (12, 36), (1, 1), settings, CPU, 10**10)[0] == 36


def test_tiles_keep_to_what_is_left(random_model: MakeModel) -> None:
    narrow, settings = route(random_model, 4), EngineSettings(device="cpu")
    assert choose_tile(narrow, SIZE, (1, 1), settings, CPU, 150 << 20)[0] == 768
    with pytest.raises(MemoryError, match=r"A tile of 256 px takes about \d+ MB of memory, and 4 "):
        choose_tile(narrow, SIZE, (1, 1), settings, CPU, 4 * 10**6)
    settings = EngineSettings(device="cpu", tile_px=4096)
    with pytest.raises(MemoryError, match=r"A tile of 4096 px takes about 1.* use a smaller tile"):
        choose_tile(narrow, SIZE, (1, 1), settings, CPU, 400 << 20)


def test_fields_that_do_not_fit_into_the_memory_go_to_files(random_model: MakeModel) -> None:
    wide = route(random_model)
    settings = EngineSettings("whole", memory_bytes=10**9)
    found = choose_fields(wide, SIZE, 1, settings, CPU, True)
    assert found.on_disk
    assert set(found.regions) == set(grid(whole(SIZE), 2048))
    # all of the image at 3 maps of 16 channels of 4 bytes per pixel, and the fields' surroundings
    assert 1.0 < found.scratch_bytes / (1.5 * 48 * 8000 * 12000) < 1.3
    assert found.held_bytes < 0.6e9
    more = choose_fields(wide, SIZE, 1, EngineSettings("whole", memory_bytes=10**10), CPU, True)
    assert (set(more.regions), more.on_disk) == (set(grid(whole(SIZE), 4096)), False)
    assert 1.0 < more.held_bytes / (48 * 8000 * 12000) < 1.05


def test_the_fields_do_not_depend_on_the_memory_but_where_one_is_too_large(
    random_model: MakeModel,
) -> None:
    wide = route(random_model)
    sides = [
        choose_fields(wide, SIZE, 1, EngineSettings("whole", memory_bytes=n), CPU, True)
        .regions[0].rows.length
        for n in (10**8, 5 * 10**8, 2 * 10**9, 5 * 10**10)
    ]  # fmt: skip
    assert sides == [512, 2048, 4096, 4096]


def test_a_stack_takes_the_maps_of_all_its_planes(random_model: MakeModel) -> None:
    settings = EngineSettings("whole", memory_bytes=10**9)
    one, twenty = (
        choose_fields(route(random_model), (1024, 1024), n, settings, CPU, True) for n in (1, 20)
    )
    assert not one.on_disk
    assert twenty.on_disk
    assert twenty.held_bytes == one.held_bytes


def test_a_sample_takes_the_maps_of_its_squares(random_model: MakeModel) -> None:
    settings = EngineSettings("image")
    found = choose_fields(route(random_model), SIZE, 1, settings, CPU, False)
    assert found.regions == ()
    square = 16 * 4 * 256 * 256
    assert 1.5 < found.held_bytes / (64 * square) < 6
    wide = choose_fields(route(random_model, 64), SIZE, 1, settings, CPU, False)
    assert wide.on_disk


def test_a_sample_is_planned_by_one_square_however_many_there_are(
    random_model: MakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned: list[Region] = []
    real = memory.plan_sweep

    def plan(route: Route, size: tuple[int, int], fields: list[Field]) -> object:
        planned.extend(field.core for field in fields)
        return real(route, size, fields)

    monkeypatch.setattr(memory, "plan_sweep", plan)
    route = route_of(random_model(width=2).steps("a", "b"))
    for size in ((100_000, 100_000), (260, 100_000), (520, 260)):
        planned.clear()
        choose_fields(route, size, 1, EngineSettings(), torch.device("cpu"), False)
        (square,) = planned
        assert (square.rows.length, square.columns.length) == (256, 256)


def test_a_device_keeps_the_maps_where_it_has_the_room(
    random_model: MakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = torch.device("cuda:0")
    settings = EngineSettings("whole")
    monkeypatch.setattr(memory, "available_bytes", lambda d: 10**10 if d.type == "cuda" else None)
    found = choose_fields(route(random_model), (4096, 4096), 1, settings, device, True)
    assert (found.device, found.on_disk) == ("cuda:0", False)
    monkeypatch.setattr(memory, "available_bytes", lambda d: 10**9 if d.type == "cuda" else None)
    found = choose_fields(route(random_model), (4096, 4096), 1, settings, device, True)
    assert (found.device, found.on_disk) == ("cpu", False)
