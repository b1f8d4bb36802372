"""Real nuclei for the benchmark: which images train, which are scored, and none in both.

`dsb2018_fluo` holds copies of fields that are also in `bbbc039` (27 of them, found by content):
without care a network would be scored on images that it was trained on. Whatever is scored keeps
its images; copies of them leave the training part.
"""

import argparse
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SETS = ("dsb2018_fluo", "bbbc039")
"""The two sets of real images, each a folder with `images/` and `labels/` of equal names."""
TISSUE_SETS = ("dsb2018_he",)
"""The same in hematoxylin and eosin, RGB."""

Subject = Literal["fluorescence", "histology"]
SUBJECTS: Mapping[Subject, tuple[str, ...]] = {"fluorescence": SETS, "histology": TISSUE_SETS}

Part = Literal["validation", "tuning"]
PARTS: tuple[Part, ...] = ("validation", "tuning")

_SCORED_PART = {"dsb2018_fluo": 5, "bbbc039": 3, "dsb2018_he": 4}
"""One part of so many of each set validates."""
COPY_CORRELATION = 0.95
"""Thumbnails that correlate more show the same field: copies reach 0.995, other pairs 0.87."""
_THUMBNAIL_PX = 32


@dataclass(frozen=True, slots=True)
class LabelledImage:
    """A picture and its instances.

    Parameters
    ----------
    name
        Of the file, without its ending.
    image
        Shape (Y, X), any real dtype; or (Y, X, 3), red, green and blue up to 255.
    labels
        Shape (Y, X), integers: 0 is background.
    """

    name: str
    image: NDArray[Any]
    labels: NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class RealImages:
    """The real images of one run.

    Parameters
    ----------
    train, scored
        By the name of the set; no field is in both, across the sets either.
    n_copies
        Images that were left out of training because they show a scored field.
    """

    train: dict[str, tuple[LabelledImage, ...]]
    scored: dict[str, tuple[LabelledImage, ...]]
    n_copies: int


@dataclass(frozen=True, slots=True)
class Split:
    """Names of one set's images, sorted, by what they are for.

    Parameters
    ----------
    train, tuning, validation
        Disjoint, and together all names. `tuning` was cut from the end of what trains.
    """

    train: tuple[str, ...]
    tuning: tuple[str, ...]
    validation: tuple[str, ...]


def split_names(set_name: str, names: list[str]) -> Split:
    """Split a set by name order.

    ``dsb2018_fluo``: the last fifth validates, the last fifth of the rest is for tuning.
    ``bbbc039``: the last 50 of 150 validate (a third), the last 20 of the first 100 are for tuning.
    ``dsb2018_he``: the last quarter validates, the last fifth of the rest is for tuning.

    Parameters
    ----------
    set_name
        One of `SETS` or `TISSUE_SETS`.
    names
        Of all images of the set, in any order, each once.
    """
    ordered = sorted(names)
    first_scored = len(ordered) - len(ordered) // _SCORED_PART[set_name]
    first_tuning = first_scored - first_scored // 5
    return Split(
        tuple(ordered[:first_tuning]),
        tuple(ordered[first_tuning:first_scored]),
        tuple(ordered[first_scored:]),
    )


def read_real(folder: Path, part: Part, subject: Subject = "fluorescence") -> RealImages:
    """Read all sets of a subject from disk.

    With ``"validation"`` the validation images are scored, and the tuning images train. With
    ``"tuning"`` the tuning images are scored, and nothing touches the validation images.

    Parameters
    ----------
    folder
        Holds the folders of the sets.
    part
        What is scored.
    subject
        Whose sets.

    Raises
    ------
    FileNotFoundError
        If a set is missing, or an image has no labels.
    """
    train: dict[str, tuple[LabelledImage, ...]] = {}
    scored: dict[str, tuple[LabelledImage, ...]] = {}
    for set_name in SUBJECTS[subject]:
        split = split_names(set_name, image_names(folder / set_name))
        if part == "validation":
            training_names, scored_names = split.train + split.tuning, split.validation
        else:
            training_names, scored_names = split.train, split.tuning
        train[set_name] = tuple(read_labelled(folder / set_name, n) for n in training_names)
        scored[set_name] = tuple(read_labelled(folder / set_name, n) for n in scored_names)
    return without_copies(train, scored)


def without_copies(
    train: dict[str, tuple[LabelledImage, ...]], scored: dict[str, tuple[LabelledImage, ...]]
) -> RealImages:
    """Drop training images that show the field of a scored image of either set."""
    held_out = np.stack([thumbnail(i.image) for images in scored.values() for i in images])
    kept: dict[str, tuple[LabelledImage, ...]] = {}
    n_copies = 0
    for set_name, images in train.items():
        closest = [float((held_out @ thumbnail(i.image)).max()) for i in images]
        kept[set_name] = tuple(
            i for i, c in zip(images, closest, strict=True) if c < COPY_CORRELATION
        )
        n_copies += len(images) - len(kept[set_name])
    return RealImages(kept, scored, n_copies)


def thumbnail(image: NDArray[Any]) -> NDArray[np.float32]:
    """Return a small version of an image as a unit vector of zero mean, (1024,)."""
    if image.ndim == 3:
        image = image.mean(2)
    small = Image.fromarray(image.astype(np.float32)).resize(
        (_THUMBNAIL_PX, _THUMBNAIL_PX), Image.Resampling.BOX
    )
    flat = np.asarray(small).ravel()
    flat = flat - flat.mean()
    return np.asarray(flat / max(float(np.linalg.norm(flat)), 1e-12), np.float32)


def image_names(folder: Path) -> list[str]:
    """Return the names of a set's images, sorted.

    Raises
    ------
    FileNotFoundError
        If there are none.
    """
    names = sorted(p.stem for p in (folder / "images").glob("*.png"))
    if not names:
        sets = next((sets for sets in SUBJECTS.values() if folder.name in sets), (folder.name,))
        raise FileNotFoundError(
            f"{folder / 'images'} holds no PNG images; --data must be the folder that holds "
            f"{' and '.join(sets)}."
        )
    return names


def read_labelled(folder: Path, name: str) -> LabelledImage:
    """Read one image of a set with its labels."""
    picture = Image.open(folder / "images" / f"{name}.png")
    pixels = np.asarray(picture.convert("RGB") if picture.mode in ("RGBA", "P") else picture)
    labels = np.asarray(Image.open(folder / "labels" / f"{name}.png")).astype(np.int32)
    return LabelledImage(name, pixels, labels)


def copy_training_images(data: Path, out: Path, subject: Subject = "fluorescence") -> int:
    """Copy the images that the translation model is trained on into one new folder.

    Of all sets of the subject those that train in either split, so that neither the tuning nor the
    validation part, nor a field that they show, is among them.

    Raises
    ------
    FileExistsError
        If the folder exists.
    """
    splits = [read_real(data, split, subject) for split in ("tuning", "validation")]
    out.mkdir(parents=True)
    n_copied = 0
    for set_name in SUBJECTS[subject]:
        names = [{image.name for image in split.train[set_name]} for split in splits]
        for name in sorted(set.intersection(*names)):
            source = data / set_name / "images" / f"{name}.png"
            shutil.copyfile(source, out / f"{set_name}_{name}.png")
            n_copied += 1
    return n_copied


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description="Collect the real training images of a model in one folder."
    )
    parser.add_argument("--data", type=Path, required=True, help="folder with the sets")
    parser.add_argument("--subject", choices=SUBJECTS, default="fluorescence")
    parser.add_argument("--out", type=Path, required=True, help="new folder for the images")
    arguments = parser.parse_args()
    print(
        copy_training_images(arguments.data, arguments.out, arguments.subject),
        "images in",
        arguments.out,
    )
