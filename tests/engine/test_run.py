import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from engine_runs import TOLERANCE, MakeModel, in_one_piece, picture, translated

from napari_unit.domains import Domain, IntensityScaling
from napari_unit.engine import memory, sweep
from napari_unit.engine.calibration import from_bytes, to_bytes
from napari_unit.engine.run import (
    Calibration,
    EngineSettings,
    Known,
    plan_translation,
    run_plan,
)
from napari_unit.geometry.regions import Region
from napari_unit.images.axes import Axes
from napari_unit.images.storage import ArraySink, ArraySource


def test_a_stack_is_calibrated_once(random_model: MakeModel) -> None:
    model = random_model(width=3)
    image = np.concatenate([picture(1, 1, 40, 44), 0.3 * picture(1, 1, 40, 44, seed=1) - 0.5])
    found, report, _ = translated(model, image, statistics="whole", tile_px=24)
    # a plane's pixels depend on the other planes, but not on their order
    turned, _, _ = translated(model, image[::-1], statistics="whole", tile_px=24)
    np.testing.assert_allclose(found, turned[::-1], rtol=0, atol=TOLERANCE)
    alone, _, _ = translated(model, image[:1], statistics="whole", tile_px=24)
    assert np.abs(found[:1] - alone).max() > 10 * TOLERANCE
    assert report.statistics is not None
    assert report.statistics.n_sampled == 2


def test_progress_counts_every_phase_to_its_end(random_model: MakeModel) -> None:
    _, report, told = translated(random_model(width=2), picture(2, 1, 60, 70), tile_px=32)
    phases = list(dict.fromkeys(p.phase for p in told))
    assert phases == ["intensities", "statistics", "tiles"]
    for phase in phases:
        steps = [p for p in told if p.phase == phase]
        assert [p.done for p in steps] == sorted(p.done for p in steps)
        assert steps[-1].done == steps[-1].total
        # the statistics are of the padded image
        assert {p.total for p in steps} == {2 * 60 * (72 if phase == "statistics" else 70)}
    assert sum(p.phase == "tiles" for p in told) == 2 * 2 * 3
    seconds = report.seconds
    assert min(seconds.intensities, seconds.statistics, seconds.tiles) > 0


@pytest.mark.parametrize("statistics", ["image", "whole", "local", "tile"])
def test_closing_stops_at_once_and_changes_no_setting(
    random_model: MakeModel, statistics: Any
) -> None:
    model, image = random_model(width=2), picture(1, 1, 60, 70)
    planes = ArraySource(image, Axes("TCYX"), 1)
    chosen = EngineSettings(statistics=statistics, tile_px=32, device="cpu")
    plan = plan_translation(model, "a", "b", planes, chosen)
    n_steps = len(translated(model, image, statistics=statistics, tile_px=32)[2])
    for stop_after in (1, n_steps // 2, n_steps - 1):
        out = np.full((1, 1, 60, 70), np.nan, "float32")
        job = run_plan(plan, model, planes, ArraySink(out, Axes("TCYX")))
        for _ in range(stop_after):
            last = next(job)
            assert not torch.is_inference_mode_enabled()
        job.close()
        assert np.isfinite(out).sum() == (last.done if last.phase == "tiles" else 0)
        assert torch.is_grad_enabled()


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16"])
def test_integer_output_is_rounded_and_what_does_not_fit_is_counted(
    random_model: MakeModel, dtype: str
) -> None:
    model, image = random_model(width=3), picture(1, 1, 40, 44)
    high = 1.5 * np.iinfo(dtype).max
    scaling = IntensityScaling("range", -high, high)
    model.domains = (model.domains[0], Domain("b", ("b0",), scaling))
    exact, _, _ = translated(model, image, tile_px=24)
    found, report, _ = translated(model, image, tile_px=24, dtype=np.dtype(dtype))
    assert found.dtype == dtype
    bounds = np.iinfo(dtype)
    np.testing.assert_allclose(found, exact.clip(bounds.min, bounds.max), atol=0.51)
    rounded = np.rint(exact)
    expected = np.count_nonzero((rounded < bounds.min) | (rounded > bounds.max))
    assert abs(report.n_saturated - expected) <= 2  # float32 at the very bound
    assert report.n_saturated > 0


def test_the_input_window_is_measured_and_reported(random_model: MakeModel) -> None:
    model = random_model(width=2)
    scaling = IntensityScaling("percentiles", 2.0, 98.0, (0.0,), (1.0,))
    model.domains = (Domain("a", ("a0",), scaling), model.domains[1])
    image = (picture(2, 1, 40, 44) * 900 + 1000).astype("uint16")
    _, report, _ = translated(model, image, tile_px=24)
    low, high = np.percentile(image, [2.0, 98.0])
    assert report.input_window.low == pytest.approx((low,))
    assert report.input_window.high == pytest.approx((high,))
    assert report.n_clipped == np.count_nonzero((image < low) | (image > high))
    # the same pixels as an image that comes in units of the window
    unit = report.input_window.to_unit(image.reshape(1, -1, 44)).reshape(image.shape)
    same = random_model(width=2)
    np.testing.assert_allclose(
        translated(model, image, tile_px=24)[0], translated(same, unit, tile_px=24)[0], atol=1e-6
    )


def test_each_pixel_is_written_once(random_model: MakeModel) -> None:
    written = np.zeros((2, 50, 61), int)

    class Counter:
        unit_px = 0

        def written(self, plane: int, unit: Region) -> None: ...

        def write(self, plane: int, region: Region, pixels: np.ndarray, n_saturated: int) -> None:
            assert pixels.shape == (1, region.rows.length, region.columns.length)
            rows, columns = region.rows, region.columns
            written[plane, rows.start : rows.stop, columns.start : columns.stop] += 1

    model, image = random_model(width=1), picture(2, 1, 50, 61)
    planes = ArraySource(image, Axes("TCYX"), 1)
    plan = plan_translation(model, "a", "b", planes, EngineSettings(tile_px=20, device="cpu"))
    for _ in run_plan(plan, model, planes, Counter()):
        pass
    assert (written == 1).all()


def test_a_broken_network_is_told_from_a_dark_image(random_model: MakeModel) -> None:
    model = random_model(width=2)
    head = model.steps("a", "b")[-1].block.conv
    torch.nn.init.constant_(head.weight, torch.nan)
    with pytest.raises(
        FloatingPointError, match="gave 256 pixels that are not finite in the tile at"
    ):
        translated(model, picture(1, 1, 40, 44), tile_px=16)


def test_pixels_that_are_not_finite_are_refused(random_model: MakeModel) -> None:
    image = picture(1, 1, 40, 44)
    image[0, 0, 3, 3] = np.nan
    with pytest.raises(ValueError, match="1 of the image's 1760 pixel values are NaN"):
        translated(random_model(width=1), image)


def test_statistics_are_measured_again_in_smaller_pieces_where_the_device_is_small(
    random_model: MakeModel, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    model, image = random_model(width=2), picture(1, 1, 140, 144)
    expected, _, _ = translated(model, image, tile_px=64)
    real = sweep.Sweeper.advance

    def exhausted(self: Any, number: int, index: int, state: Any) -> Any:
        if index == 5 and self.plan.pieces.block_px > 100:
            raise torch.OutOfMemoryError
        return (yield from real(self, number, index, state))

    monkeypatch.setattr(sweep.Sweeper, "advance", exhausted)
    found, _, told = translated(model, image, tile_px=64)
    np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE)
    assert "cpu ran out of memory; the statistics are measured again" in caplog.text
    assert told[-1].done == told[-1].total

    def always(*_: Any) -> Any:
        raise torch.OutOfMemoryError
        yield

    monkeypatch.setattr(sweep.Sweeper, "advance", always)
    with pytest.raises(MemoryError, match="cpu ran out of memory while the statistics were"):
        translated(model, image, tile_px=64)


def test_maps_too_large_for_the_memory_go_to_files_that_are_removed(
    random_model: MakeModel, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    model, image = random_model(width=2), picture(2, 1, 150, 201)
    expected, _, _ = translated(model, image, statistics="whole", tile_px=64)
    monkeypatch.setattr(memory, "_SHARE_OF_FIELDS", 1e-3)
    monkeypatch.setattr(memory, "FIELD_SIZES_PX", (512, 64))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for statistics in ("whole", "image"):
        found, report, _ = translated(
            model, image, statistics=statistics, tile_px=100, memory_bytes=10**8
        )
        np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE)
        assert report.statistics is not None
        assert report.statistics.n_sampled == 2 * 3 * 4
        assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 9, 1))
    with pytest.raises(OSError, match=r"'whole' takes 0.0 GB of scratch space, and .* has 0.0 GB"):
        translated(model, image, statistics="whole", memory_bytes=10**8)
    assert list(tmp_path.iterdir()) == []


def test_a_calibration_leads_to_the_same_pixels_wherever_it_is_used(
    random_model: MakeModel, small_sample: None
) -> None:
    model, image = random_model(width=3), picture(1, 1, 150, 201)
    planes = ArraySource(image, Axes("TCYX"), 1)
    settings = EngineSettings(device="cpu", tile_px=64)
    out = [np.full((1, 1, 150, 201), np.nan, "float32") for _ in range(2)]
    kept: list[Calibration] = []
    plan = plan_translation(model, "a", "b", planes, settings)
    for _ in run_plan(plan, model, planes, ArraySink(out[0], Axes("TCYX")), keep=kept.append):
        pass
    (calibration,) = kept
    content = to_bytes(calibration, {"model": "m"})
    known = Known(from_bytes(content, "it")[0])
    plan = plan_translation(model, "a", "b", planes, settings, is_calibrated=True)
    told = list(run_plan(plan, model, planes, ArraySink(out[1], Axes("TCYX")), known))
    assert {p.phase for p in told} == {"tiles"}
    assert (out[0] == out[1]).all()


def test_what_a_sink_has_already_is_not_made_again(random_model: MakeModel) -> None:
    model, image = random_model(width=2), picture(1, 1, 100, 90)
    expected, _, _ = translated(model, image, tile_px=20, dtype=np.dtype("uint8"))

    class Half(ArraySink):
        unit_px = 40

        def written(self, plane: int, unit: Region) -> int | None:
            return 7 if unit.rows.start < 40 else None

    out = np.zeros((1, 1, 100, 90), "uint8")
    planes = ArraySource(image, Axes("TCYX"), 1)
    settings = EngineSettings(tile_px=20, device="cpu", dtype=np.dtype("uint8"))
    plan = plan_translation(model, "a", "b", planes, settings)
    *_, last = job = list(run_plan(plan, model, planes, Half(out, Axes("TCYX"))))
    assert (out[0, 0, :40] == 0).all()
    assert (out[0, 0, 40:] == expected[0, 0, 40:]).all()
    tiles = [p for p in job if p.phase == "tiles"]
    assert tiles[0].done == 40 * 90
    assert last.done == last.total == 100 * 90


def test_the_model_stays_as_it_is(random_model: MakeModel) -> None:
    model, image = random_model(width=2), picture(1, 1, 40, 44)
    expected = in_one_piece(model, image)
    for statistics in ("image", "whole", "tile"):
        translated(model, image, statistics=statistics, tile_px=24)
    assert (in_one_piece(model, image) == expected).all()
