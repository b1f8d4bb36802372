"""A folder of images as one domain, all in memory, in [-1, 1]."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_unit.domains import Domain, IntensityScaling
from napari_unit_training.config import DomainSettings
from napari_unit_training.errors import TrainingError
from napari_unit_training.images import SUFFIXES, RawImage, UnreadableImageError, read_image

DEFAULT_PERCENTILES = (0.1, 99.9)
NAMES_IN_SENTENCE = 5


@dataclass(frozen=True, slots=True, eq=False)
class DomainImages:
    """The training images of one domain.

    Parameters
    ----------
    domain
        Name, channels and scaling, with the typical values of these images.
    images
        One tensor (C, Y, X) per file, float32 in [-1, 1], sorted by file name.
    description
        Of the folder, as plain JSON values, for the model card; no absolute path.
    notes
        Sentences for the user about what was read differently than it was written.
    fingerprint
        Hexadecimal hash of names and mapped pixels: a resumed run must see the same.
    """

    domain: Domain
    images: tuple[Tensor, ...]
    description: dict[str, Any]
    notes: tuple[str, ...]
    fingerprint: str


def load_domain(folder: Path, settings: DomainSettings, crop_px: int) -> DomainImages:
    """Read every TIFF, PNG and JPEG of a folder, not of its subfolders.

    Parameters
    ----------
    folder
        Where the images are; sizes and bit depths may be mixed, channel counts not.
    settings
        Name, scaling and channels.
    crop_px
        The smallest side that an image may have.

    Raises
    ------
    TrainingError
        With one sentence per kind of problem, naming the files.
    """
    paths = _image_paths(folder)
    raw = _read_all(folder, paths)
    _check_pixels(folder, raw, crop_px)
    scaling_kind, low, high = _scaling_of(settings.scaling, list(raw.values()))
    percentiles = {
        name: np.percentile(image.pixels, [low, high], axis=(1, 2))  # (2, C)
        for name, image in raw.items()
        if scaling_kind == "percentiles"
    }
    flat = [name for name, (p_low, p_high) in percentiles.items() if not (p_low < p_high).all()]
    _refuse(flat, folder, f"have the same value at their percentiles {low:g} and {high:g} in a "
            "channel; choose wider ones, a fixed range:LOW,HIGH, or take them out")  # fmt: skip
    typical = np.median(np.stack(list(percentiles.values())), axis=0) if percentiles else None
    domain = _domain(folder, settings, list(raw.values()), (scaling_kind, low, high), typical)
    images = {
        name: torch.from_numpy(
            domain.window_from(percentiles[name].T.tolist() if percentiles else ()).to_unit(
                image.pixels
            )
        )
        for name, image in raw.items()
    }
    return DomainImages(
        domain=domain,
        images=tuple(images.values()),
        description=_describe(folder, list(raw.values())),
        notes=_notes(folder, raw),
        fingerprint=_fingerprint(images),
    )


def _image_paths(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise TrainingError(f"There is no folder {folder}; give one with training images.")
    paths = sorted(
        p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES and not p.name.startswith(".")
    )
    if not paths:
        raise TrainingError(
            f"The folder {folder} has no images; it needs files that end in {', '.join(SUFFIXES)}."
        )
    return paths


def _read_all(folder: Path, paths: Sequence[Path]) -> dict[str, RawImage]:
    images: dict[str, RawImage] = {}
    problems: list[str] = []
    for path in paths:
        try:
            images[path.name] = read_image(path)
        except UnreadableImageError as error:
            problems.append(f"{path.name} {error}")
    if problems:
        raise TrainingError(
            f"{_some(problems, '; ')}: in {folder} every image must be a readable "
            "2D TIFF, PNG or JPEG; repair these or take them out."
        )
    return images


def _check_pixels(folder: Path, images: dict[str, RawImage], crop_px: int) -> None:
    """Refuse what cannot be trained on, all problems together."""
    odd = {n: i.pixels.dtype for n, i in images.items() if i.pixels.dtype.kind not in "uif"}
    _refuse([f"{n} ({dtype})" for n, dtype in odd.items()], folder,
            "hold no real numbers; save them as integers or floats")  # fmt: skip
    counts = {n: i.pixels.shape[0] for n, i in images.items()}
    if len(set(counts.values())) > 1:
        by_count = "; ".join(
            f"{count}: {_some([n for n, c in counts.items() if c == count])}"
            for count in sorted(set(counts.values()))
        )
        raise TrainingError(
            f"The images in {folder} have differing numbers of channels ({by_count}); "
            "all images of a domain must have the same."
        )
    sentences = []
    small = [
        f"{n} ({i.pixels.shape[1]} x {i.pixels.shape[2]})"
        for n, i in images.items()
        if min(i.pixels.shape[1:]) < crop_px
    ]
    sentences.append(_problem(small, folder, f"are smaller than the crop of {crop_px} x {crop_px} "
                     "pixels; choose a smaller crop_px or take them out"))  # fmt: skip
    unbounded = [n for n, i in images.items() if not np.isfinite(i.pixels).all()]
    sentences.append(_problem(unbounded, folder, "hold NaN or infinite pixels; replace them"))
    constant = [n for n, i in images.items() if n not in unbounded and _is_constant(i.pixels)]
    sentences.append(_problem(constant, folder, "have the same value everywhere; take them out"))
    found = [sentence for sentence in sentences if sentence]
    if found:
        raise TrainingError(" ".join(found))


def _is_constant(pixels: NDArray[Any]) -> bool:
    return bool((pixels == pixels[:, :1, :1]).all())


def _problem(names: Sequence[str], folder: Path, what: str) -> str:
    if not names:
        return ""
    return f"{len(names)} of the images in {folder} {what}: {_some(names)}."


def _refuse(names: Sequence[str], folder: Path, what: str) -> None:
    sentence = _problem(names, folder, what)
    if sentence:
        raise TrainingError(sentence)


def _some(names: Sequence[str], separator: str = ", ") -> str:
    shown = separator.join(names[:NAMES_IN_SENTENCE])
    more = len(names) - NAMES_IN_SENTENCE
    return f"{shown} and {more} more" if more > 0 else shown


def _scaling_of(text: str, images: Sequence[RawImage]) -> tuple[str, float, float]:
    """Read ``KIND:LOW,HIGH``, or choose for ``auto``."""
    if text == "auto":
        if all(image.is_rgb and image.pixels.dtype == np.uint8 for image in images):
            return "range", 0.0, 255.0
        return "percentiles", *DEFAULT_PERCENTILES
    kind, _, bounds = text.partition(":")
    try:
        low, high = (float(bound) for bound in bounds.split(","))
    except ValueError:
        kind, low, high = "", 0.0, 0.0
    if kind not in ("percentiles", "range"):
        raise TrainingError(
            f"The scaling is {text!r}; it must be 'auto', 'percentiles:LOW,HIGH' "
            "or 'range:LOW,HIGH'."
        )
    if not low < high or (kind == "percentiles" and not 0 <= low < high <= 100):
        raise TrainingError(
            f"The scaling is {text!r}; LOW must be below HIGH, and percentiles lie from 0 to 100."
        )
    return kind, low, high


def _domain(
    folder: Path,
    settings: DomainSettings,
    images: Sequence[RawImage],
    scaling: tuple[str, float, float],
    typical: NDArray[np.float64] | None,
) -> Domain:
    kind, low, high = scaling
    n_channels = images[0].pixels.shape[0]
    channels = settings.channels or _channel_names(n_channels, all(i.is_rgb for i in images))
    if len(channels) != n_channels:
        raise TrainingError(
            f"{len(channels)} channels are named ({', '.join(channels)}), but the images in "
            f"{folder} have {n_channels}."
        )
    try:
        return Domain(
            settings.name or folder.resolve().name,
            channels,
            IntensityScaling("range", low, high)
            if kind == "range" or typical is None
            else IntensityScaling(
                "percentiles", low, high, tuple(typical[0].tolist()), tuple(typical[1].tolist())
            ),
        )
    except ValueError as error:
        raise TrainingError(str(error)) from error


def _channel_names(n_channels: int, is_rgb: bool) -> tuple[str, ...]:
    if is_rgb and n_channels == 3:
        return ("red", "green", "blue")
    if n_channels == 1:
        return ("intensity",)
    return tuple(f"channel {index}" for index in range(n_channels))


def _describe(folder: Path, images: Sequence[RawImage]) -> dict[str, Any]:
    sides = np.array([image.pixels.shape[1:] for image in images])  # (N, 2)
    return {
        "folder": folder.resolve().name,
        "images": len(images),
        "dtypes": sorted({str(image.pixels.dtype) for image in images}),
        "height_px": [int(sides[:, 0].min()), int(sides[:, 0].max())],
        "width_px": [int(sides[:, 1].min()), int(sides[:, 1].max())],
    }


def _notes(folder: Path, images: dict[str, RawImage]) -> tuple[str, ...]:
    with_alpha = [name for name, image in images.items() if image.dropped_alpha]
    if not with_alpha:
        return ()
    names = _some(with_alpha)
    return (f"The alpha channel of {len(with_alpha)} images in {folder} is left out: {names}.",)


def _fingerprint(images: dict[str, Tensor]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for name, image in images.items():
        digest.update(f"{name}:{tuple(image.shape)};".encode())
        digest.update(np.ascontiguousarray(image.numpy()).data)
    return digest.hexdigest()
