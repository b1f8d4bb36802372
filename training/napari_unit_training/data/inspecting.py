"""A quick look at the images of a training, before it starts. Needs no torch."""

import base64
import io
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from napari_unit.domains import Window
from napari_unit.geometry.regions import Region
from napari_unit.geometry.tiling import Span
from napari_unit.images.source_image import SourceImage
from napari_unit.images.storage import ArraySource
from napari_unit.runs.inspection import DomainInspection
from napari_unit_training.config import TrainSettings
from napari_unit_training.config_tables import DomainSettings
from napari_unit_training.data.checks import (
    ImageProblems,
    check_channels,
    check_shapes,
    open_images,
)
from napari_unit_training.data.describing import (
    channels_of,
    choose_scaling,
    describe,
    left_out,
    notes_on,
)
from napari_unit_training.data.image_files import ImageFiles
from napari_unit_training.data.scaling import Scaling
from napari_unit_training.data.sources import Source, find_images, name_of_source, told
from napari_unit_training.errors import TrainingError
from napari_unit_training.rgb import rgb_of

MOST_OPENED = 200
"""Images per domain whose size and type are looked at."""
MOST_SAMPLED = 8
"""Images per domain of which pixels are read."""
SAMPLED_PX = 512
"""Side of the square that is read of each, from its middle."""
N_THUMBNAILS = 4
THUMBNAIL_PX = 72

_One = TypeVar("_One")


def inspect_sources(settings: TrainSettings, a: Source, b: Source) -> Iterator[DomainInspection]:
    """Look at the images of both domains as `load_domain` would, at a few of many.

    Parameters
    ----------
    settings
        Of the training.
    a, b
        Its images; see `find_images`.

    Yields
    ------
    What is found of domain a, then of b. What would be refused is in its `problems`.
    """
    first = _inspect("a", a, settings.domain_a, settings)
    yield first
    second = _inspect("b", b, settings.domain_b, settings)
    if first.name == second.name:
        same = f"Both domains are called {first.name!r}; give them names that differ."
        second = replace(second, problems=(*second.problems, same))
    yield second


def _inspect(
    side: str, source: Source, domain: DomainSettings, settings: TrainSettings
) -> DomainInspection:
    found = DomainInspection(side, domain.name)
    try:
        found = replace(found, name=domain.name or name_of_source(source))
        paths = find_images(source)
        found = replace(found, n_images=len(paths))
        return _looked_at(found, paths, source, domain, settings)
    except (TrainingError, OSError) as error:
        return replace(found, problems=(str(error),))


def _looked_at(
    found: DomainInspection,
    paths: Sequence[Path],
    source: Source,
    domain: DomainSettings,
    settings: TrainSettings,
) -> DomainInspection:
    looked_at = _spread(paths, MOST_OPENED)
    problems = ImageProblems(told(source))
    files = ImageFiles(domain.axes or None)
    opened = open_images(looked_at, files, problems)
    check_channels(opened, problems, settings.skip_bad_images)
    check_shapes(opened, problems, settings.crop_px)
    usable = {path: image for path, image in opened.items() if path not in problems.bad}
    if not usable:
        return replace(found, n_looked_at=len(looked_at), problems=tuple(problems.sentences()))
    images = list(usable.values())
    scaling = choose_scaling(domain, images)
    samples = _samples(usable, files, problems)
    shown = [
        (pixels, window) for pixels in samples if (window := _window(pixels, scaling)) is not None
    ]
    told_of = describe(source, usable)
    is_refused = bool(problems.bad) and not settings.skip_bad_images
    notes = notes_on(source, usable, domain)
    if len(looked_at) < len(paths):
        notes.append(
            f"{len(looked_at)} of {len(paths)} images were looked at; a training looks at all of "
            "them before it starts."
        )
    kind, low, high = scaling
    return replace(
        found,
        n_looked_at=len(looked_at),
        n_planes=told_of["planes"],
        height_px=tuple(told_of["height_px"]),
        width_px=tuple(told_of["width_px"]),
        dtypes=tuple(told_of["dtypes"]),
        channels=channels_of(source, domain, images),
        scaling=f"{kind}:{low:g},{high:g}",
        low=_median([window.low for _, window in shown]),
        high=_median([window.high for _, window in shown]),
        notes=(*([] if is_refused else left_out(problems)), *notes),
        problems=tuple(problems.sentences()) if is_refused else (),
        thumbnails=tuple(_thumbnail(*one) for one in _spread(shown, N_THUMBNAILS)),
    )


def _spread(parts: Sequence[_One], n: int) -> list[_One]:
    """Return at most `n` parts, evenly over all of them."""
    if len(parts) <= n:
        return list(parts)
    return [parts[index * len(parts) // n] for index in range(n)]


def _samples(
    usable: dict[Path, SourceImage], files: ImageFiles, problems: ImageProblems
) -> list[NDArray[Any]]:
    """Read the middle of the middle plane of a few images, (C, Y, X) each."""
    samples = []
    for path in _spread(list(usable), MOST_SAMPLED):
        try:
            pixels = _middle(files.planes(path))
        except (OSError, ValueError, MemoryError) as error:
            what = "cannot be read to their end; copy them again"
            problems.add(path, what, f" ({error})")
            continue
        if not np.isfinite(pixels).all():
            problems.add(path, "hold NaN or infinite pixels; replace them")
            continue
        samples.append(pixels)
    return samples


def _middle(planes: ArraySource) -> NDArray[Any]:
    rows, columns = (
        Span((length - side) // 2, (length - side) // 2 + side)
        for length in (planes.height, planes.width)
        for side in (min(SAMPLED_PX, length),)
    )
    return planes.read(planes.n_planes // 2, Region(rows, columns))


def _window(pixels: NDArray[Any], scaling: Scaling) -> Window | None:
    """Return what is taken for black and white, by a sample; None where it is all the same."""
    kind, low, high = scaling
    n = len(pixels)
    if kind == "range":
        return Window((low,) * n, (high,) * n)
    lows, highs = np.percentile(pixels.reshape(n, -1), (low, high), axis=1)
    if not (lows < highs).all():
        return None
    return Window(tuple(lows.tolist()), tuple(highs.tolist()))


def _median(values: list[tuple[float, ...]]) -> tuple[float, ...]:
    return tuple(np.median(values, axis=0).tolist()) if values else ()


def _thumbnail(pixels: NDArray[Any], window: Window) -> str:
    """Return a small PNG in base64."""
    from PIL import Image

    picture = Image.fromarray(rgb_of(window.to_unit(pixels)[np.newaxis])[0])
    picture.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX))
    written = io.BytesIO()
    picture.save(written, format="png")
    return base64.b64encode(written.getvalue()).decode("ascii")
