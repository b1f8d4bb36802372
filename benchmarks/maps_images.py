"""The pictures of the maps benchmark: which train, which are scored, and what a score is.

`DATA/maps` holds aerial photos and street maps of the same places under the same numbers; they
are used without that knowledge in training, and scored with it.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

Pictures = NDArray[np.uint8]
"""Shape (N, Y, X, 3)."""
Part = Literal["tuning", "validation"]
PARTS: tuple[Part, ...] = ("tuning", "validation")
N_TUNING = 100
"""Pairs at the end of the training images that are for tuning."""
LEVELS = (5, 10, 16)
"""A pixel is right if no channel differs by more, of 255."""
CONSTANT = "the best constant colour"
"""What the baseline that curves are held against is called."""
_BATCH = 16


@dataclass(frozen=True, slots=True)
class Folders:
    """Where the pictures of one part are, made small.

    Parameters
    ----------
    photos, maps
        For training.
    scored_photos, scored_maps
        Pairs by name.
    """

    photos: Path
    maps: Path
    scored_photos: Path
    scored_maps: Path


def prepare(data: Path, out: Path, part: Part, side_px: int) -> Folders:
    """Write the pictures of one part as PNG of one size.

    With ``"validation"`` all of ``trainA`` and ``trainB`` train and the pairs of ``valA`` and
    ``valB`` are scored. With ``"tuning"`` the last `N_TUNING` pairs of the training pictures, by
    number, are scored and the others train; validation pictures are not opened.

    Parameters
    ----------
    data
        Holds ``maps/``.
    out
        Folder for the pictures; what is there already is taken as it is.
    part
        What is scored.
    side_px
        Of the pictures, which are made smaller by averaging areas.
    """
    maps = data / "maps"
    folders = Folders(*(out / f"{part}_{side_px}" / name for name in Folders.__slots__))
    if part == "validation":
        sources = [maps / name for name in ("trainA", "trainB", "valA", "valB")]
        groups = [_by_number(source) for source in sources]
    else:
        both = [_by_number(maps / name) for name in ("trainA", "trainB")]
        groups = [group[:-N_TUNING] for group in both] + [group[-N_TUNING:] for group in both]
    for name, group in zip(Folders.__slots__, groups, strict=True):
        folder: Path = getattr(folders, name)
        if folder.is_dir():
            continue
        partial = folder.with_name(f"{name}.partial")
        partial.mkdir(parents=True, exist_ok=True)
        for path in group:
            picture = Image.open(path).convert("RGB")
            small = picture.resize((side_px, side_px), Image.Resampling.BOX)
            small.save(partial / f"{number_of(path):05d}.png")
        partial.rename(folder)
    return folders


def _by_number(folder: Path) -> list[Path]:
    found = sorted((p for p in folder.iterdir() if p.suffix in (".jpg", ".png")), key=number_of)
    if not found:
        raise FileNotFoundError(f"{folder} holds no pictures; --data must be what holds maps/.")
    return found


def number_of(path: Path) -> int:
    """Return the number of a picture's place."""
    found = re.search(r"\d+", path.stem)
    if found is None:
        raise ValueError(f"{path} has no number in its name; pictures of one place share one.")
    return int(found[0])


def read(folder: Path) -> Pictures:
    """Read all pictures of a folder, by name."""
    return np.stack([np.asarray(Image.open(path)) for path in sorted(folder.glob("*.png"))])


def compare(made: Pictures, true: Pictures, background: NDArray[np.uint8]) -> dict[str, float]:
    """Compare pictures with the maps that they should be; means over pixels, then over pictures.

    Returns
    -------
    ``accuracy_16``, ``accuracy_10``, ``accuracy_5``: share of pixels whose largest difference of a
    channel is at most so much; UNIT's pixel accuracy is that of 16 (Liu et al. 2017, section 4).
    ``drawn_16``: the same over pixels that are not of the background's colour, which it alone
    gets right, over all pictures together. ``rmse``: root mean squared difference over channels.
    """
    difference = np.abs(made.astype(np.int16) - true.astype(np.int16))
    largest = difference.max(-1)
    drawn = np.abs(true.astype(np.int16) - background.astype(np.int16)).max(-1) > LEVELS[-1]
    found = {
        f"accuracy_{level}": float((largest <= level).mean((1, 2)).mean())
        for level in reversed(LEVELS)
    }
    found["drawn_16"] = float((largest[drawn] <= LEVELS[-1]).mean())
    squares = np.square(difference, dtype=np.float64).mean((1, 2, 3))
    found["rmse"] = float(np.sqrt(squares).mean())
    return found


def best_constant(maps: Pictures) -> NDArray[np.uint8]:
    """Return the colour that is within 16 levels of the most pixels, to the nearest 4 levels."""
    counts = np.zeros((64, 64, 64))
    np.add.at(counts, tuple((maps.reshape(-1, 3) // 4).T), 1)
    near = ndimage.uniform_filter(counts, 2 * (LEVELS[-1] // 4) + 1, mode="constant")
    place: Any = np.unravel_index(int(near.argmax()), near.shape)
    return np.array([4 * int(i) + 2 for i in place], np.uint8)


@dataclass(frozen=True, slots=True)
class MapsScore:
    """Scores a model by its maps of the scored photos; see `compare`.

    The whole picture goes through the network, so that normalisation layers see one picture at a
    time, as `napari_unit.translate` with the statistics ``"whole"`` has it.

    Parameters
    ----------
    folders
        Of the pictures.
    background
        See `compare`.
    """

    folders: Folders
    background: tuple[int, int, int]

    def __call__(self, loaded: Any) -> dict[str, float]:
        """Translate all scored photos by a loaded model and compare them with their maps."""
        made = translate_all(loaded.model, read(self.folders.scored_photos))
        return self._compared(made)

    def baselines(self) -> dict[str, dict[str, float]]:
        """Compare what needs no training: the photos as they are, and one colour everywhere."""
        photos = read(self.folders.scored_photos)
        constant = np.broadcast_to(np.array(self.background, np.uint8), photos.shape)
        return {
            "the photo as it is": self._compared(photos),
            CONSTANT: self._compared(constant),
        }

    def _compared(self, made: Pictures) -> dict[str, float]:
        return compare(made, read(self.folders.scored_maps), np.array(self.background, np.uint8))


def translate_all(model: Any, pictures: Pictures) -> Pictures:
    """Translate 8-bit RGB pictures from the model's first domain to its second."""
    import torch

    source, target = (domain.name for domain in model.domains)
    images = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1.0
    with torch.inference_mode():
        made = torch.cat([model.translate(b, source, target) for b in images.split(_BATCH)])
    levels = ((made + 1.0) * 127.5).round().clamp(0, 255).byte()
    return np.asarray(levels.permute(0, 2, 3, 1).contiguous().numpy())
