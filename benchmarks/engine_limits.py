"""An image of a gigapixel in little memory, and a lazy layer of ten gigapixels in a real viewer.

Needs a display (or xvfb-run); ``python benchmarks/engine_limits.py --help``, protocol in README.md.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from results_file import markdown_table, peak_resident, provenance, write_result

from napari_unit.simulate import SceneSettings, simulate_nuclei

PACKAGES = ("napari-unit", "napari", "torch", "numpy", "zarr", "dask")
CHUNK_PX = 1024
N_SCENES = 12
VIEW_PX = 1024
N_VIEWS = 5
PATIENCE_S = 3600.0
COMMAND = "translate {image} {out} --model nuclei --to real --axes YX --dtype uint8 --quiet"


def generated(path: Path, side: int) -> Path:
    """Write a square zarr array of bytes: simulated scenes, a chunk each, over and over.

    Chunks that show the same are one file under several names, so that little room is taken;
    they are read and decoded each time all the same.
    """
    shape, chunks = (side, side), (CHUNK_PX, CHUNK_PX)
    array = zarr.create_array(path, shape=shape, chunks=chunks, dtype="u1")
    n = -(-side // CHUNK_PX)
    rng = np.random.default_rng(0)
    first: dict[int, Path] = {}
    for row, column in np.ndindex(n, n):
        number = int(rng.integers(N_SCENES))
        chunk = path / "c" / str(row) / str(column)
        if number in first:
            chunk.parent.mkdir(parents=True, exist_ok=True)
            os.link(first[number], chunk)
            continue
        scene = simulate_nuclei(SceneSettings(shape=chunks), number).image.astype(np.float64)
        pixels = np.clip(scene * (255 / np.percentile(scene, 99.8)), 0, 255).astype("u1")
        rows, columns = (slice(i * CHUNK_PX, (i + 1) * CHUNK_PX) for i in (row, column))
        array[rows, columns] = pixels[: side - rows.start, : side - columns.start]
        if side >= max(rows.stop, columns.stop):  # chunks at the far ends hold less
            first[number] = chunk
    return path


def by_command(image: Path, out: Path) -> dict[str, Any]:
    """Translate from the command line; return the time and the most memory that it had."""
    words = COMMAND.format(image=image, out=out).split()
    began = time.perf_counter()
    process = os.spawnv(os.P_NOWAIT, sys.executable, [sys.executable, "-m", "napari_unit", *words])
    _, status, usage = os.wait4(process, 0)
    if status:
        raise SystemExit(f"napari-unit {' '.join(words)} has failed.")
    seconds = time.perf_counter() - began
    n_px = zarr.open_group(out, mode="r")["0"].size
    return {
        "seconds": seconds,
        "mpx_per_second": n_px / seconds / 1e6,
        "peak_bytes": 1024 * usage.ru_maxrss,
        "bytes_on_disk": sum(f.stat().st_size for f in out.rglob("*") if f.is_file()),
    }


def checked(image: Path, out: Path) -> float:
    """Compare regions of an output with those of a lazy layer.

    Returns
    -------
    By how many grey levels, at most, a byte is farther from the lazy layer's number than rounding
    takes it. Lazy and written tiles are cut differently, which on some processors changes the last
    bits of a float (within 1e-4 of [-1, 1]), and with them now and then a byte.
    """
    from napari_unit import translate

    level = translate(
        image, "nuclei", "real", axes="YX", lazy=True,
        calibration=out.with_name(out.name + ".calibration.safetensors"),
    )  # fmt: skip
    written = zarr.open_group(out, mode="r")["0"]
    rng = np.random.default_rng(1)
    largest = 0.0
    for _ in range(N_VIEWS):
        top, left = (int(rng.integers(length - VIEW_PX)) for length in level.shape)
        place = slice(top, top + VIEW_PX), slice(left, left + VIEW_PX)
        found = np.clip(np.asarray(level[place]), 0, 255)
        largest = max(largest, float(np.abs(found - written[place]).max()) - 0.5)
        if np.ptp(found) == 0:
            raise SystemExit("The translation is flat, where cells should be.")
    return largest


class Window:
    """A viewer that shows a lazy layer, with asynchronous slicing as a user would have it."""

    def __init__(self) -> None:
        import napari
        from napari.settings import get_settings

        get_settings().experimental.async_ = True
        self.viewer = napari.Viewer()
        self.viewer.window.resize(VIEW_PX + 300, VIEW_PX + 200)
        self.wait(lambda: False, 1.0)

    def wait(self, is_so: Callable[[], bool], patience_s: float = PATIENCE_S) -> float:
        """Let the window work until something is so; return the seconds."""
        from qtpy.QtWidgets import QApplication

        began = time.perf_counter()
        while not is_so() and time.perf_counter() - began < patience_s:
            QApplication.processEvents()
            time.sleep(0.005)
        return time.perf_counter() - began

    def look_at(self, layer: Any, top: int, left: int) -> float:
        """Go to a place at full resolution; return the seconds until its pixels are there."""
        self.viewer.scene.camera.zoom = 1.0  # a pixel of the image is one of the screen
        self.viewer.scene.camera.center = (0.0, top + VIEW_PX / 2, left + VIEW_PX / 2)

        def shows() -> bool:
            corners = layer.corner_pixels
            held = layer._slice.image.raw
            inside = corners[0][0] <= top and corners[1][0] >= top + VIEW_PX // 2
            fits = held.shape == tuple(corners[1] - corners[0] + 1)
            return bool(layer.data_level == 0 and inside and fits and layer.loaded)

        return self.wait(shows)


def in_viewer(image: Path, picture: Path | None) -> dict[str, Any]:
    """Open a lazy layer, wait for its statistics, and go to places of it."""
    import dask.array
    from napari.layers import Image

    from napari_unit import translate

    window = Window()
    source = Image(dask.array.from_zarr(image), name="image", contrast_limits=(0, 255))
    before = peak_resident()
    began = time.perf_counter()
    layer = translate(source, "nuclei", "real", axes="YX", dtype="uint8", lazy=True)
    made_s = time.perf_counter() - began
    window.viewer.add_layer(layer)
    opened_s = time.perf_counter() - began
    # the first one imports torch, too
    began = time.perf_counter()
    translate(dask.array.from_zarr(image), "nuclei", "real", axes="YX", lazy=True)
    again_s = time.perf_counter() - began
    told = layer.metadata["napari_unit"]
    statistics_s = window.wait(lambda: "window" in told and layer.visible)
    overview_s = window.wait(lambda: layer.loaded)
    rng = np.random.default_rng(2)
    views = []
    for number in range(N_VIEWS):
        top, left = (int(rng.integers(length - 2 * VIEW_PX)) for length in layer.data[0].shape)
        views.append(window.look_at(layer, top, left))
        print(f"view {number}: {views[-1]:.2f} s", flush=True)
    if picture is not None:
        window.viewer.screenshot(str(picture), canvas_only=False, flash=False)
    found = {
        "translate_seconds": made_s,
        "translate_again_seconds": again_s,
        "open_seconds": opened_s,
        "statistics_seconds": statistics_s,
        "overview_seconds": overview_s,
        "view_seconds": views,
        "levels": [list(level.shape) for level in layer.data],
        "peak_bytes": peak_resident() - before,
    }
    window.viewer.close()
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print the table and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True, help="a folder for images, new")
    parser.add_argument("--side", type=int, default=32768, help="of the image to write; 0: none")
    parser.add_argument("--lazy-side", type=int, default=100_000, help="of the layer; 0: none")
    parser.add_argument("--picture", type=Path, help="where to put a screenshot of the layer")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args(arguments)
    args.work.mkdir(parents=True)
    threads = int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1)
    result: dict[str, Any] = provenance(PACKAGES, threads)
    rows = []
    if args.side:
        image, out = generated(args.work / "image.zarr", args.side), args.work / "out.ome.zarr"
        found = by_command(image, out)
        found["largest_difference_to_lazy"] = checked(image, out)
        result["file"] = {"side": args.side, **found}
        rows = [[key, f"{value:.4g}"] for key, value in found.items()]
        if args.out is not None:
            write_result(args.out, result)
    if args.lazy_side:
        image = generated(args.work / "large.zarr", args.lazy_side)
        found = in_viewer(image, args.picture)
        result["layer"] = {"side": args.lazy_side, **found}
        rows += [[key, str(value)] for key, value in found.items()]
        if args.out is not None:
            write_result(args.out, result)
    print(markdown_table(["", ""], rows))


if __name__ == "__main__":
    main()
