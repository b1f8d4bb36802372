"""Whether command line, script and dock widget translate an image to the same pixels.

Needs a display (or xvfb-run); ``python benchmarks/three_ways.py --help``, protocol in README.md.
"""

import argparse
import hashlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from nuclei_splits import image_names
from numpy.typing import NDArray
from PIL import Image
from results_file import markdown_table, provenance, write_result

PACKAGES = ("napari-unit", "napari", "torch", "numpy")
WAYS = ("command line", "script", "widget")
N_VALIDATION = 50
MOSAIC_PX = 6000
PATIENCE_S = 1800.0


def validation_mosaic(data: Path, side_px: int) -> NDArray[Any]:
    """Lay the validation images of bbbc039 side by side, again and again, in name order."""
    names = image_names(data / "bbbc039")[-N_VALIDATION:]
    pieces = [np.asarray(Image.open(data / "bbbc039" / "images" / f"{n}.png")) for n in names]
    height, width = pieces[0].shape
    rows, columns = -(-side_px // height), -(-side_px // width)
    lines = [
        np.hstack([pieces[(row * columns + i) % len(pieces)] for i in range(columns)])
        for row in range(rows)
    ]
    return np.vstack(lines)[:side_px, :side_px]


def from_command_line(image: Path, model: str, to: str, out: Path) -> NDArray[Any]:
    """Translate in a process of its own, into a file, and read that."""
    command = [sys.executable, "-m", "napari_unit", "translate", str(image), str(out)]
    subprocess.run([*command, "--model", model, "--to", to, "--quiet"], check=True)
    return tifffile.imread(out)


def from_script(image: Path, model: str, to: str) -> NDArray[Any]:
    """Translate with the public function."""
    from napari_unit import translate

    return np.asarray(translate(tifffile.imread(image), model, to, axes="YX", progress=False))


class Desk:
    """One viewer with the dock widget, used as a person would."""

    def __init__(self) -> None:
        import napari

        self.viewer = napari.Viewer(show=False)
        self.viewer.window.show()
        _, self.widget = self.viewer.window.add_plugin_dock_widget("napari-unit", "Translate")

    def translate(self, image: Path, model: str, to: str) -> NDArray[Any]:
        """Open an image, choose, press Run, and return the pixels of the layer that appears."""
        form = self.widget.form
        (layer,) = self.viewer.open(str(image), plugin="napari")
        self._choose(form.layer_choice, layer.name)
        if Path(model).is_file():
            form.model_choice.open_file(Path(model))
        else:
            self._choose(form.model_choice, model)
        self._choose(form.direction_choice, f"→ {to}")
        known = set(self.viewer.layers)
        self.widget.run_button.click()
        self._wait(lambda: self.widget.run_button.isEnabled())
        if self.widget.status.kind != "done":
            raise RuntimeError(self.widget.status.message.text())
        (result,) = set(self.viewer.layers) - known
        pixels = np.asarray(result.data)
        self.viewer.layers.clear()
        return pixels

    def close(self) -> None:
        """Close the window."""
        self.viewer.close()

    def _choose(self, choice: Any, text: str) -> None:
        found = [i for i in range(choice.count()) if text in choice.itemText(i)]
        if len(found) != 1:
            offered = [choice.itemText(i) for i in range(choice.count())]
            raise RuntimeError(f"{text!r} is not one of {offered}.")
        choice.setCurrentIndex(found[0])

    def _wait(self, is_done: Any) -> None:
        from qtpy.QtWidgets import QApplication

        until_s = time.monotonic() + PATIENCE_S
        while not is_done():
            if time.monotonic() > until_s:
                raise TimeoutError(f"The widget was not ready after {PATIENCE_S:g} s.")
            QApplication.processEvents()
            time.sleep(0.01)


def save_pair(before: NDArray[Any], after: NDArray[Any], path: Path) -> None:
    """Save an image beside its translation, each scaled by its 1st and 99.8th percentile."""
    shown = []
    for pixels in (before, after):
        step = max(1, max(pixels.shape) // 1400)
        low, high = np.percentile(pixels, (1, 99.8))
        shown.append(np.clip((pixels[::step, ::step] - low) / (high - low), 0, 1) ** 0.7)
    Image.fromarray(np.uint8(255 * np.hstack(shown))).save(path)


def compare(image: Path, args: argparse.Namespace, scratch: Path, desk: Desk) -> dict[str, Any]:
    """Translate one image the three ways and compare."""
    seconds, made = {}, []
    for way in WAYS:
        start = time.perf_counter()
        if way == "command line":
            out = scratch / f"out_{image.stem}.ome.tif"
            made.append(from_command_line(image, args.model, args.to, out))
        elif way == "script":
            made.append(from_script(image, args.model, args.to))
        else:
            made.append(desk.translate(image, args.model, args.to))
        seconds[way] = round(time.perf_counter() - start, 2)
    before = tifffile.imread(image)
    if args.pictures is not None:
        args.pictures.mkdir(parents=True, exist_ok=True)
        save_pair(before, made[0], args.pictures / f"{image.stem}.png")
    return {
        "shape": list(before.shape),
        "dtype": str(before.dtype),
        "input_range": [int(before.min()), int(before.max())],
        "output_dtype": str(made[0].dtype),
        "largest_difference": float(max(np.abs(made[0] - other).max() for other in made[1:])),
        "sha256": [hashlib.sha256(pixels.tobytes()).hexdigest()[:16] for pixels in made],
        "seconds": seconds,
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print a table and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds bbbc039")
    parser.add_argument("--model", default="nuclei")
    parser.add_argument("--to", default="synthetic")
    parser.add_argument("--mosaic", type=int, default=MOSAIC_PX, metavar="PX", help="0: none")
    parser.add_argument("--pictures", type=Path, help="folder for pictures to look at")
    parser.add_argument("--out", type=Path, help="result file (JSON)")
    args = parser.parse_args(arguments)

    result = provenance(PACKAGES, 0)
    result["settings"] = {"model": args.model, "to": args.to, "mosaic_px": args.mosaic}
    images = sorted((args.data / "bbbc039" / "raw16").glob("*.tif"))
    if not images:
        raise SystemExit(f"There are no TIFFs in {args.data / 'bbbc039' / 'raw16'}.")
    desk = Desk()
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        if args.mosaic:
            images.append(scratch / "mosaic.tif")
            tifffile.imwrite(images[-1], validation_mosaic(args.data, args.mosaic))
        for image in images:
            found[image.stem] = compare(image, args, scratch, desk)
            print(image.stem, found[image.stem], flush=True)
    desk.close()
    result["images"] = found
    header = ["image", "shape", "largest difference", *(f"{way} (s)" for way in WAYS)]
    rows = [
        [name[:14], "x".join(map(str, n["shape"])), f"{n['largest_difference']:g}",
         *(f"{n['seconds'][way]:g}" for way in WAYS)]
        for name, n in found.items()
    ]  # fmt: skip
    print("\n" + markdown_table(header, rows))
    if args.out is not None:
        write_result(args.out, result)


if __name__ == "__main__":
    main()
