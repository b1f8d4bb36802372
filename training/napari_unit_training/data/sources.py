"""Which image files a source names: a file, a folder, a pattern, or several of these."""

import glob
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from napari_unit.images.files import SUFFIXES
from napari_unit.images.zarr_files import is_zarr
from napari_unit_training.errors import TrainingError

Source = str | Path | Sequence[str | Path]
"""A file, a folder, a pattern such as ``"plate*/*.tif"``, or several of these."""


@dataclass(frozen=True, slots=True)
class ValidationSources:
    """Where images are that a run is measured on and does not learn from.

    Parameters
    ----------
    a, b
        Images of the two domains; see `find_images`.
    paired
        They correspond one to one, in the order of their paths.
    """

    a: Source
    b: Source
    paired: bool = False


def validation_of(
    a: Source | None, b: Source | None, *, paired: bool = False
) -> ValidationSources | None:
    """Return what was given to measure on; None if nothing was.

    Raises
    ------
    TrainingError
        If images of one domain only were given, or pairs of none.
    """
    if a is None and b is None and not paired:
        return None
    if a is None or b is None:
        raise TrainingError(
            "Quality is measured in both directions; give images of both domains, --val-a and "
            "--val-b, or of neither."
        )
    return ValidationSources(a, b, paired)


def find_images(source: Source) -> list[Path]:
    """Return the images that a source names, each once, sorted by path.

    A folder gives the images in it by their endings and the zarr folders in it, not those of its
    subfolders; names that begin with a dot are left out. A zarr folder is one image. In a
    pattern ``**`` stands for any folders.

    Raises
    ------
    TrainingError
        If a part of the source names no image.
    """
    found: set[Path] = set()
    for part in _parts(source):
        images = _images_of(part)
        if not images:
            raise TrainingError(_nothing_there(part))
        found.update(images)
    first = {path.resolve(): path for path in sorted(found, reverse=True)}
    return sorted(first.values())


def name_of_source(source: Source) -> str:
    """Return what a source is called in sentences and as a domain."""
    parts = _parts(source)
    first = Path(parts[0])
    if _has_magic(parts[0]) and not first.exists():
        fixed = [part for part in first.parts if not _has_magic(part)]
        first = Path(*fixed) if fixed else Path()
    named = first if first.is_dir() else first.parent
    return named.resolve().name or "images"


def told(source: Source) -> str:
    """Return a source for the end of a sentence."""
    parts = _parts(source)
    return str(parts[0]) if len(parts) == 1 else f"{parts[0]} and {len(parts) - 1} more"


def _parts(source: Source) -> list[str]:
    parts = [source] if isinstance(source, str | Path) else source
    if not parts:
        raise TrainingError("There is no source; give a folder with training images.")
    return [str(part) for part in parts]


def _has_magic(text: str) -> bool:
    return any(sign in text for sign in "*?[")


def _images_of(part: str) -> list[Path]:
    path = Path(part)
    if path.is_file() or (path.is_dir() and is_zarr(path)):
        return [path]
    if path.is_dir():
        return [entry for entry in path.iterdir() if _is_image(entry)]
    if _has_magic(part):
        matches = [
            entry for entry in map(Path, glob.glob(part, recursive=True)) if _is_image(entry)
        ]
        # levels of a pyramid are no images of their own
        return [entry for entry in matches if not any(map(is_zarr, entry.parents))]
    return []


def _is_image(path: Path) -> bool:
    if path.name.startswith("."):
        return False
    return is_zarr(path) if path.is_dir() else path.suffix.lower() in SUFFIXES


def _nothing_there(part: str) -> str:
    endings = ", ".join(SUFFIXES)
    if Path(part).is_dir():
        return f"The folder {part} has no images; it needs files that end in {endings}, or zarr."
    if _has_magic(part):
        return f"No image matches {part}; images end in {endings}, or are zarr folders."
    return f"There is no {part}; give a folder with training images, a file or a pattern."
