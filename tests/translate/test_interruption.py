"""What is finished outlives an interruption, and nothing looks whole that is not."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.layers import Image

import napari_unit
from napari_unit import _translate
from napari_unit.images import unit_store
from napari_unit.images.axes import Axes
from napari_unit.images.files import open_path
from napari_unit.images.source_image import SourceImage
from napari_unit.images.unit_store import UnitStore
from napari_unit.job import translation_job
from napari_unit.request import TranslationRequest

ENDINGS = ("ome.tif", "ome.zarr")

CALIBRATION = "calibration.safetensors"


@pytest.fixture
def stack(rng: np.random.Generator) -> np.ndarray:
    return rng.integers(0, 60000, (2, 60, 52)).astype("u2")


@pytest.fixture
def translated_units(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, Any]]:
    """Make units small, and return a list of those that are written."""
    monkeypatch.setattr(unit_store, "UNIT_PX", 32)
    monkeypatch.setattr(unit_store, "CHUNK_PX", 16)
    monkeypatch.setattr(UnitStore, "unit_px", 32)
    written: list[tuple[int, Any]] = []
    write = UnitStore.write

    def listen(store: UnitStore, plane: int, unit: Any, *rest: Any) -> None:
        write(store, plane, unit, *rest)
        written.append((plane, unit))

    monkeypatch.setattr(UnitStore, "write", listen)
    return written


def content(path: Path) -> dict[str, bytes]:
    """Return every file of an output; those of a zarr image without what says how it was made."""
    if path.is_file():
        return {"": path.read_bytes()}
    files = (file for file in path.rglob("*") if file.is_file())
    return {str(f.relative_to(path)): f.read_bytes() for f in files if f != path / "zarr.json"}


def levels_of(stack: np.ndarray) -> Image:
    smaller = [stack, stack[:, ::2, ::2], stack[:, ::4, ::4]]
    return Image(smaller, multiscale=True, axis_labels=("z", "y", "x"))


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("phase", ["intensities", "statistics", "tiles", "levels", "writing"])
def test_an_interruption_in_any_phase_leaves_nothing_that_looks_whole(
    gray: np.ndarray, tmp_path: Path, nuclei: Path, phase: str, ending: str
) -> None:
    seen: list[str] = []

    def interrupt(news: Any) -> None:
        seen.append(news.phase)
        if news.phase == phase:
            raise KeyboardInterrupt

    if (phase, ending) == ("writing", "ome.zarr"):
        pytest.skip("an OME-Zarr is renamed, not written")
    layer = Image([gray, gray[::2, ::2]], multiscale=True)
    out = tmp_path / f"o.{ending}"
    with pytest.raises(KeyboardInterrupt):
        napari_unit.translate(layer, nuclei, "real", out=out, tile=32, progress=interrupt)
    assert seen[-1] == phase
    assert not out.exists()
    if phase in ("levels", "writing"):
        assert os.listdir(tmp_path) == [f"o.{ending}.partial"]
    napari_unit.translate(layer, nuclei, "real", out=out, tile=32)
    assert sorted(os.listdir(tmp_path)) == [out.name, f"{out.name}.{CALIBRATION}"]


@pytest.mark.parametrize("ending", ENDINGS)
def test_an_interruption_after_any_step_goes_on_to_the_same_bits(
    stack: np.ndarray,
    tmp_path: Path,
    nuclei: Path,
    ending: str,
    translated_units: list[tuple[int, Any]],
) -> None:
    layer = levels_of(stack)

    def steps(out: Path) -> Iterator[Any]:
        request = TranslationRequest(nuclei, "real", tile=20, dtype="uint16", out=out)
        return translation_job(_translate.read_layer(layer), request)

    whole = tmp_path / f"whole.{ending}"
    phases = [news.phase for news in steps(whole)]
    n_units = len(translated_units)
    assert n_units == 2 * 4
    first = phases.index("tiles")
    for n in range(first, len(phases) + 1, 2 if ending == "ome.zarr" else 5):
        out = tmp_path / f"{n}.{ending}"
        translated_units.clear()
        job = steps(out)
        for _ in range(n):
            next(job)
        job.close()
        assert not out.exists()
        again = list(steps(out))
        assert all(news.done <= news.total for news in again)
        assert len(translated_units) == n_units  # none was made twice
        assert content(out).keys() == content(whole).keys()
        if ending == "ome.zarr":
            assert content(out) == content(whole)
        for level in (0, 1, 2):
            made, expected = (open_level(path, level) for path in (out, whole))
            assert np.array_equal(made, expected)
    assert not list(tmp_path.glob("*.partial"))


def open_level(path: Path, level: int) -> np.ndarray:
    import tifffile
    import zarr

    if path.is_file():
        with tifffile.TiffFile(path) as tif:
            return tif.series[0].levels[level].asarray()
    return np.asarray(zarr.open_array(path / str(level), mode="r")[...])


def test_what_was_saturated_before_is_counted(
    stack: np.ndarray, tmp_path: Path, nuclei: Path, translated_units: list[tuple[int, Any]]
) -> None:
    def told(out: Path, is_stopped: bool) -> Any:
        image = SourceImage(stack, Axes("ZYX"), "image")
        job = translation_job(
            image, TranslationRequest(nuclei, "synthetic", tile=32, dtype="uint8", out=out)
        )
        if is_stopped:
            while not translated_units:
                next(job)
            return job.close()
        while True:
            try:
                next(job)
            except StopIteration as end:
                return end.value.provenance

    expected = told(tmp_path / "whole.zarr", False)
    assert expected["n_saturated"] > 0
    translated_units.clear()
    told(tmp_path / "out.zarr", True)
    assert told(tmp_path / "out.zarr", False) == expected
    assert open_path(tmp_path / "out.zarr").shape == stack.shape


def test_a_failing_image_leaves_nothing_behind(
    gray: np.ndarray, tmp_path: Path, nuclei: Path
) -> None:
    broken = gray.astype("f4")
    broken[3, 4] = np.nan
    for ending in ENDINGS:
        with pytest.raises(ValueError, match="NaN or infinite"):
            napari_unit.translate(broken, nuclei, "real", out=tmp_path / f"o.{ending}")
    assert os.listdir(tmp_path) == []


def interrupted(out: Path, stack: np.ndarray, model: Path, **settings: Any) -> None:
    """Translate until a unit is written."""
    request = TranslationRequest(model, "real", out=out, **settings)
    job = translation_job(SourceImage(stack, Axes("ZYX"), "image"), request)
    while not list(out.parent.glob(f"{out.name}.partial/done/unit-*")):
        next(job)
    job.close()


OTHERS: dict[str, tuple[dict[str, Any], str]] = {
    "statistics": ({"statistics": "whole"}, "statistics 'image', not 'whole'"),
    "dtype": ({"dtype": "uint8"}, "dtype 'float32', not 'uint8'"),
    "seed": ({"seed": 3}, "seed 0, not 3"),
    "tile": ({"tile": 40}, "tile 32, not 40"),
    "domain": ({"to": "synthetic"}, "from 'synthetic', not 'real'; to 'real', not 'synthetic'"),
}


@pytest.mark.parametrize("what", OTHERS)
def test_another_setting_is_refused(
    stack: np.ndarray, tmp_path: Path, nuclei: Path, what: str
) -> None:
    out = tmp_path / "o.zarr"
    interrupted(out, stack, nuclei, tile=32)
    changes, sentence = OTHERS[what]
    settings = {"to": "real", "tile": 32} | changes
    with pytest.raises(ValueError, match=f"was begun with .*{sentence}.*; give the same"):
        napari_unit.translate(stack, nuclei, axes="ZYX", out=out, **settings)
    assert not out.exists()
    napari_unit.translate(stack, nuclei, "real", axes="ZYX", out=out, tile=32)
    assert sorted(os.listdir(tmp_path)) == ["o.zarr", f"o.zarr.{CALIBRATION}"]


def test_another_image_or_model_is_refused(
    stack: np.ndarray, tmp_path: Path, nuclei: Path, stain: Path
) -> None:
    out = tmp_path / "o.tif"
    interrupted(out, stack, nuclei)
    with pytest.raises(ValueError, match=r"was begun with image '\w+…, not '\w+…; give the same"):
        napari_unit.translate(stack + 1, nuclei, "real", axes="ZYX", out=out)
    with pytest.raises(ValueError, match="axes 'ZYX', not 'TYX'"):
        napari_unit.translate(stack, nuclei, "real", axes="TYX", out=out)
    with pytest.raises(ValueError, match=r"model '\w+…, not '\w+…; to 'real', not 'stained'"):
        napari_unit.translate(stack, stain, "stained", axes="ZYX", out=out)


def test_a_tile_left_open_stays_as_it_was(stack: np.ndarray, tmp_path: Path, nuclei: Path) -> None:
    interrupted(tmp_path / "o.zarr", stack, nuclei, tile=20)
    layer = Image(stack, axis_labels=("z", "y", "x"), name="image")
    made = napari_unit.translate(layer, nuclei, "real", out=tmp_path / "o.zarr")
    assert made.metadata["napari_unit"]["tile"] == 20


def test_two_at_once_are_refused(stack: np.ndarray, tmp_path: Path, nuclei: Path) -> None:
    def job() -> Iterator[Any]:
        request = TranslationRequest(nuclei, "real", out=tmp_path / "o.zarr")
        return translation_job(SourceImage(stack, Axes("ZYX"), "image"), request)

    first = job()
    next(first)
    with pytest.raises(FileExistsError, match=r"Another process is writing to .*o.zarr.partial"):
        next(job())
    list(first)
    assert sorted(os.listdir(tmp_path)) == ["o.zarr", f"o.zarr.{CALIBRATION}"]


def test_an_output_that_appears_meanwhile_is_not_touched(
    stack: np.ndarray, tmp_path: Path, nuclei: Path
) -> None:
    for name in ("o.zarr", "o.tif"):
        out = tmp_path / name

        def appear(_: object, out: Path = out) -> None:
            out.write_text("mine")

        with pytest.raises(FileExistsError, match=f"{name} exists already"):
            napari_unit.translate(stack, nuclei, "real", axes="ZYX", out=out, progress=appear)
        assert out.read_text() == "mine"
        out.unlink()
        napari_unit.translate(stack, nuclei, "real", axes="ZYX", out=out)


def test_progress_counts_every_phase_to_its_end(gray: np.ndarray, nuclei: Path) -> None:
    job = translation_job(
        SourceImage(gray, Axes("YX"), "image"), TranslationRequest(nuclei, "real", tile=32)
    )
    last: dict[str, Any] = {}
    for news in job:
        assert 0 <= news.done <= news.total
        last[news.phase] = news
    assert list(last) == ["intensities", "statistics", "tiles"]
    assert all(news.done == news.total for news in last.values())
