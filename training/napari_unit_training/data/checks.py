"""Which images of a source can be learned from, and what is wrong with the others."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_unit.images.source_image import SourceImage
from napari_unit_training.data.image_files import ImageFiles
from napari_unit_training.errors import TrainingError

NAMES_IN_SENTENCE = 5
_JPEG = (".jpg", ".jpeg")


@dataclass(slots=True)
class ImageProblems:
    """What is wrong with which images, said together at the end."""

    where: str
    names: dict[str, list[str]] = field(default_factory=dict)
    bad: set[Path] = field(default_factory=set)

    def add(self, path: Path, what: str, detail: str = "") -> None:
        """Note that an image cannot be used: `what` as in "3 of the images in x WHAT: names"."""
        self.bad.add(path)
        self.names.setdefault(what, []).append(path.name + detail)

    def sentences(self) -> list[str]:
        """Return one sentence per kind of problem, naming the files."""
        return [
            f"{len(names)} of the images in {self.where} {what}: {some_of(names)}."
            for what, names in self.names.items()
        ]


def open_images(
    paths: Sequence[Path], files: ImageFiles, problems: ImageProblems
) -> dict[Path, SourceImage]:
    """Open every image without keeping its array: a source may have more files than can be open."""
    opened: dict[Path, SourceImage] = {}
    for path in paths:
        try:
            image = files.open(path)
        except (ValueError, OSError, MemoryError) as error:
            reason = str(error).removeprefix(str(path)).strip().rstrip(".")
            problems.add(path, "cannot be used; repair them or take them out", f" ({reason})")
            continue
        if image.axes.letters == "YXS" and image.n_channels == 4 and path.suffix.lower() in _JPEG:
            problems.add(path, "are JPEGs of printing inks; save them as RGB or gray")
            continue
        opened[path] = replace(image, array=_Shape(image.shape, np.dtype(image.array.dtype)))
    return opened


@dataclass(frozen=True, slots=True)
class _Shape:
    """An array without its pixels."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]


def check_channels(
    opened: dict[Path, SourceImage], problems: ImageProblems, skip_bad: bool
) -> None:
    """Refuse differing channel counts; where bad images are skipped, most decide."""
    counts = Counter(image.n_channels for image in opened.values())
    if len(counts) < 2:
        return
    (most, n), (_, second) = counts.most_common(2)
    by_count = "; ".join(
        f"{count}: {some_of([p.name for p, i in opened.items() if i.n_channels == count])}"
        for count in sorted(counts)
    )
    if not skip_bad or n == second:
        differing = (
            f"The images in {problems.where} have differing numbers of channels ({by_count}); "
            "all images of a domain must have the same."
        )
        raise TrainingError(" ".join([*problems.sentences(), differing]))
    for path, image in opened.items():
        if image.n_channels != most:
            problems.add(path, f"have not {most} channels as most have", f" ({image.n_channels})")


def check_shapes(opened: dict[Path, SourceImage], problems: ImageProblems, crop_px: int) -> None:
    """Note images whose pixels are no numbers or that no crop fits into."""
    small = (
        f"are smaller than the crop of {crop_px} x {crop_px} pixels; choose a smaller crop_px or "
        "take them out"
    )
    for path, image in opened.items():
        height, width = image.shape[image.axes.y], image.shape[image.axes.x]
        if image.array.dtype.kind not in "uif":
            what = "hold no real numbers; save them as integers or floats"
            problems.add(path, what, f" ({image.array.dtype})")
        elif 0 in image.shape:
            problems.add(path, "have no pixels", f" {image.shape}")
        elif min(height, width) < crop_px:
            problems.add(path, small, f" ({height} x {width})")


def some_of(names: Sequence[str], separator: str = ", ") -> str:
    """Return the first few names, and how many more there are."""
    shown = separator.join(names[:NAMES_IN_SENTENCE])
    more = len(names) - NAMES_IN_SENTENCE
    return f"{shown} and {more} more" if more > 0 else shown
