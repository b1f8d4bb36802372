"""The demo: simulate a field of nuclei, translate it, write what came out, and show it."""

import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_unit.atomic import written_whole
from napari_unit.images.axes import Axes
from napari_unit.images.layers import TranslationResult, make_layer
from napari_unit.images.ome_tiff import OmeTiffPlan, write_ome_tiff
from napari_unit.images.pictures import SideBySide, draw
from napari_unit.images.placement import PixelSize
from napari_unit.images.source_image import SourceImage
from napari_unit.images.stored_image import StoredImage
from napari_unit.job import calibration_path, translation_job
from napari_unit.models.zoo import find_model
from napari_unit.progress import carry_out, foreground
from napari_unit.provenance import summary_of
from napari_unit.request import TranslationRequest
from napari_unit.simulate import PIXEL_SIZE_UM, Scene, SceneSettings, simulate_nuclei

if TYPE_CHECKING:
    import napari

_FOLDER = "napari-unit-demo"
_SOURCE = "synthetic"
_MIN_SIZE_PX = 64
_MAX_SIZE_PX = 2**15


@dataclass(frozen=True, slots=True)
class DemoSettings:
    """What the demo does.

    Parameters
    ----------
    size_px
        Side of the simulated field.
    out
        Folder to write to, new or empty; None takes ``napari-unit-demo`` in the working
        directory, with a number behind it where there is one already.
    seed
        Of the simulation.
    model
        One that has a domain ``"synthetic"``.
    tile, device
        As of `napari_unit.translate`.
    viewer
        Open napari at the end where there is a display.

    Raises
    ------
    ValueError
        If the size is out of bounds.
    """

    size_px: int = 4096
    out: str | Path | None = None
    seed: int = 0
    model: str | Path = "nuclei"
    tile: int | Literal["auto"] = "auto"
    device: str = "auto"
    viewer: bool = True

    def __post_init__(self) -> None:
        """Refuse sizes that make no picture, or fill the memory."""
        if not _MIN_SIZE_PX <= self.size_px <= _MAX_SIZE_PX:
            raise ValueError(
                f"The field's size is {self.size_px} px; it must be from {_MIN_SIZE_PX} to "
                f"{_MAX_SIZE_PX}."
            )


@dataclass(frozen=True, slots=True)
class DemoFiles:
    """What the demo wrote.

    Parameters
    ----------
    simulated, translation, labels
        OME-TIFFs of one size.
    picture
        PNG.
    """

    simulated: Path
    translation: Path
    labels: Path
    picture: Path


def run_demo(settings: DemoSettings) -> DemoFiles:
    """Run the demo from start to end, telling on stderr how far it is and on stdout what it made.

    Raises
    ------
    ValueError
        If there is no such model, or it translates no synthetic images.
    FileExistsError
        If the folder is not empty.
    """
    target = _target_domain(settings.model)
    folder = _fresh_folder(settings.out)
    files = DemoFiles(
        simulated=folder / "simulated.ome.tif",
        translation=folder / "translation.ome.tif",
        labels=folder / "labels.ome.tif",
        picture=folder / "side_by_side.png",
    )
    began_s = time.monotonic()
    _tell(f"Simulating nuclei on {settings.size_px} × {settings.size_px} px …")
    scene = simulate_nuclei(_scene_settings(settings.size_px), settings.seed)
    _write(files.simulated, scene.image, "fluorescence")
    _write(files.labels, scene.labels, "nucleus")
    _tell(f"{scene.labels.max()} nuclei in {time.monotonic() - began_s:.0f} s.")
    began_s = time.monotonic()
    request = TranslationRequest(
        model=settings.model,
        to=target,
        tile=settings.tile,
        device=settings.device,
        out=files.translation,
    )
    result = carry_out(translation_job(_layer_image(scene, files), request), foreground())
    took_s = time.monotonic() - began_s
    draw(_side_by_side(scene, result, took_s)).save(files.picture)
    print(summary_of(result))
    opens = settings.viewer and _has_display()
    _tell_files(files, opens)
    if opens:
        _show(scene, result)
    return files


def _target_domain(model: str | Path) -> str:
    entry = find_model(model)
    names = [domain.name for domain in entry.card.domains]
    if _SOURCE not in names:
        raise ValueError(
            f"The model {entry.name!r} translates between {names[0]!r} and {names[1]!r}; the demo "
            f"needs one with a domain {_SOURCE!r}."
        )
    names.remove(_SOURCE)
    return names[0]


def _fresh_folder(out: str | Path | None) -> Path:
    """Make the folder; what an earlier run wrote is never touched."""
    if out is not None:
        folder = Path(out)
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise FileExistsError(f"{folder} is there and not empty; give a new folder as --out.")
        folder.mkdir(parents=True, exist_ok=True)
        return folder
    folder, number = Path(_FOLDER), 1
    while folder.exists():
        number += 1
        folder = Path(f"{_FOLDER}-{number}")
    folder.mkdir()
    return folder


def _scene_settings(size_px: int) -> SceneSettings:
    """Return a field as a 20x objective shows it: not every scene the model was trained on."""
    return SceneSettings(
        shape=(size_px, size_px),
        nucleus_radius_px=(11.0, 14.0),
        foreground_fraction=(0.15, 0.22),
        clustering=(0.4, 0.8),
        haze_chance=1.0,
    )


def _pixel_size() -> PixelSize:
    return PixelSize(PIXEL_SIZE_UM, PIXEL_SIZE_UM)


def _layer_image(scene: Scene, files: DemoFiles) -> SourceImage:
    return SourceImage(
        array=scene.image,
        axes=Axes("YX"),
        name="simulated nuclei",
        pixel_size=_pixel_size(),
        path=files.simulated,
    )


def _write(path: Path, image: NDArray[Any], channel: str) -> None:
    stored = StoredImage(Axes("YX"), (image.shape,), image.dtype, path.stem, _pixel_size())
    plan = OmeTiffPlan(stored, (channel,))
    with written_whole(path) as partial:
        for _ in write_ome_tiff(partial, plan, [image]):
            pass


def _side_by_side(scene: Scene, result: TranslationResult, took_s: float) -> SideBySide:
    told = result.provenance
    height, width = scene.image.shape
    made_by = (
        f"Model “{told['model']}”, {height} by {width} px in {took_s:.0f} s on {told['device']}, "
        f"in tiles of {told['tile']} px."
    )
    insets = "Insets at 200 %. The outlines in inset 3 are the simulation's labels on both sides."
    return SideBySide(
        source=scene.image,
        translated=np.asarray(result.array),
        labels=scene.labels,
        source_title=f"Simulated  ·  domain “{told['from']}”",
        translated_title=f"Translated  ·  domain “{told['to']}”",
        caption=(made_by, insets),
        pixel_size_um=PIXEL_SIZE_UM,
    )


def _has_display() -> bool:
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _tell_files(files: DemoFiles, opens: bool) -> None:
    for path, what in _described(files):
        print(f"  {path}  {what}")
    if not opens:
        paths = " ".join(str(path) for path in (files.simulated, files.translation))
        print(f"Look at {files.picture}, or at all of it in napari:  napari {paths}")


def _described(files: DemoFiles) -> Iterator[tuple[Path, str]]:
    yield files.simulated, "the simulated field"
    yield files.translation, "its translation"
    yield calibration_path(files.translation), "what was measured for it"
    yield files.labels, "the nuclei, one number each"
    yield files.picture, "both side by side"


def _show(scene: Scene, result: TranslationResult) -> None:
    """Open napari with input, translation and labels aligned, and wait until it is closed."""
    try:
        import napari
    except ImportError:
        _tell("napari is not installed here; install it with: pip install 'napari-unit[all]'")
        return
    viewer = napari.Viewer(title="napari-unit demo")
    add_layers(viewer, scene, result)
    napari.run()


def add_layers(viewer: "napari.Viewer", scene: Scene, result: TranslationResult) -> None:
    """Add the demo's input, translation and labels to a viewer, one over the other."""
    placed: dict[str, Any] = {"scale": (PIXEL_SIZE_UM,) * 2, "units": ("micrometer",) * 2}
    placed["axis_labels"] = ("y", "x")
    low, high = np.percentile(scene.image[::8, ::8], (0.5, 99.8))
    viewer.add_image(
        scene.image, name=result.source.name, contrast_limits=(low, max(high, low + 1)), **placed
    )
    viewer.add_layer(make_layer(result))
    viewer.add_labels(scene.labels, name="labels", opacity=0.4, **placed).contour = 1
    # since napari 0.9 the viewer's own attribute is deprecated
    overlays = getattr(getattr(viewer, "canvas", None), "overlays", viewer)
    overlays.scale_bar.visible = True
    viewer.reset_view()
