"""Small images with a class each, as benchmarks and people keep them, brought to one size."""

import hashlib
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from torch import Tensor
from torch.nn.functional import interpolate

from napari_unit_training.errors import TrainingError

Part = Literal["train", "test"]
PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff")
_BATCH = 4096
_LUMA = (0.299, 0.587, 0.114)


@dataclass(frozen=True, slots=True)
class LabelledImages:
    """Images of one size, each with its class where that is known.

    Parameters
    ----------
    images
        Shape (N, C, S, S), uint8.
    labels
        Shape (N,), numbers of classes; None where nobody has said.
    classes
        Names of the classes, by number; empty without labels.
    """

    images: Tensor
    labels: Tensor | None
    classes: tuple[str, ...]

    @property
    def n_channels(self) -> int:
        """1 or 3."""
        return int(self.images.shape[1])

    def batch(self, places: Tensor, device: torch.device) -> Tensor:
        """Return images (B, C, S, S) in [-1, 1] on a device."""
        scaled = self.images[places].to(device).float() / 127.5 - 1.0
        return scaled.contiguous(memory_format=torch.channels_last)

    @property
    def shown_classes(self) -> tuple[str, ...]:
        """Names of the classes that there are images of."""
        numbers = [] if self.labels is None else self.labels.unique().tolist()
        return tuple(self.classes[n] for n in numbers)

    @property
    def fingerprint(self) -> str:
        """A hash of pixels and labels."""
        digest = hashlib.sha256(str(tuple(self.images.shape)).encode())
        digest.update(self.images.numpy().tobytes())
        if self.labels is not None:
            digest.update(self.labels.numpy().tobytes())
        return digest.hexdigest()

    def with_channels(self, n_channels: int) -> "LabelledImages":
        """Return the images with as many channels: gray three times, or the luma of RGB.

        Luma is that of ITU-R BT.601: 0.299 R + 0.587 G + 0.114 B.
        """
        images = self.images
        if n_channels > self.n_channels:
            images = images.expand(-1, n_channels, -1, -1).contiguous()
        elif n_channels < self.n_channels:
            shares = torch.tensor(_LUMA).view(1, -1, 1, 1)
            images = (images * shares).sum(1, keepdim=True).round().byte()
        return LabelledImages(images, self.labels, self.classes)

    def with_negatives(self) -> "LabelledImages":
        """Return the images and their negatives."""
        both = torch.cat([self.images, 255 - self.images])
        labels = None if self.labels is None else torch.cat([self.labels, self.labels])
        return LabelledImages(both, labels, self.classes)


def load_labelled(path: Path, side_px: int, part: Part = "train") -> LabelledImages:
    """Read images with their classes, and make them squares of one size.

    - ``.npz``: arrays ``x_train``, ``y_train``, ``x_test``, ``y_test``, or ``images`` and
      ``labels``, without pickled objects;
    - ``.mat`` as SVHN has it: ``X`` of shape (Y, X, C, N), ``y`` from 1 to 10, where 10 is the
      digit 0;
    - a folder with a folder of PNG, JPEG or TIFF pictures of 8 bits for each class, in the order of
      their names; or with pictures of which nobody has said the class.

    Parameters
    ----------
    path
        The file or folder.
    side_px
        Of the result.
    part
        What is read of a file that has both parts; what has one part only is that part.

    Raises
    ------
    TrainingError
        If there is nothing of that kind, or pixels, shapes and labels do not go together.
    """
    if not path.exists():
        raise TrainingError(f"There is no file or folder {path}.")
    if path.is_dir():
        pixels, labels, classes = _from_folder(path, side_px)
    elif path.suffix == ".npz":
        pixels, labels, classes = _from_npz(path, part)
    elif path.suffix == ".mat":
        pixels, labels, classes = _from_mat(path)
    else:
        raise TrainingError(f"{path} is no .npz, no .mat and no folder of pictures.")
    if pixels.dtype != np.uint8 or pixels.ndim != 4 or pixels.shape[-1] not in (1, 3):
        raise TrainingError(
            f"The images in {path} are {pixels.dtype} of shape {pixels.shape}; they must be 8-bit, "
            "of shape (N, Y, X) or (N, Y, X, 3)."
        )
    if not len(pixels):
        raise TrainingError(f"There are no images in {path}.")
    if labels is not None and labels.shape != (len(pixels),):
        raise TrainingError(
            f"{path} has {len(pixels)} images and labels of shape {labels.shape}; each image needs "
            "one label."
        )
    return LabelledImages(
        _resized(pixels, side_px),
        None if labels is None else torch.from_numpy(labels.astype(np.int64)),
        classes,
    )


_Found = tuple[NDArray[Any], NDArray[Any] | None, tuple[str, ...]]


def _from_npz(path: Path, part: Part) -> _Found:
    arrays = _arrays(path)
    names = (f"x_{part}", f"y_{part}")
    if names[0] not in arrays:
        names = ("images", "labels")
    if names[0] not in arrays:
        raise TrainingError(
            f"{path} has the arrays {', '.join(arrays) or 'none'}; it needs x_{part} and "
            f"y_{part}, or images and labels."
        )
    pixels = arrays[names[0]]
    labels = arrays.get(names[1])
    return (pixels[..., None] if pixels.ndim == 3 else pixels), *_numbered(path, labels)


def _arrays(path: Path) -> Mapping[str, NDArray[Any]]:
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (
        OSError,
        ValueError,
        EOFError,
        KeyError,
        TypeError,  # an .npy under this name
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        raise TrainingError(f"{path} cannot be read: {error}") from error


def _from_mat(path: Path) -> _Found:
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    try:
        file = loadmat(path, variable_names=("X", "y"))
        pixels, labels = np.asarray(file["X"]), np.asarray(file["y"])
    except (OSError, ValueError, TypeError, NotImplementedError, MatReadError) as error:
        raise TrainingError(f"{path} cannot be read: {error}") from error
    except KeyError as error:
        raise TrainingError(f"{path} has no {error}; it must be as SVHN has it.") from error
    if pixels.ndim != 4:
        raise TrainingError(
            f"X in {path} has the shape {pixels.shape}; it must be (Y, X, C, N), as SVHN has it."
        )
    return np.moveaxis(pixels, 3, 0), *_numbered(path, labels.ravel() % 10)


def _numbered(
    path: Path, labels: NDArray[Any] | None
) -> tuple[NDArray[Any] | None, tuple[str, ...]]:
    if labels is None:
        return None, ()
    whole = np.issubdtype(labels.dtype, np.integer)
    if not whole or (labels.size and not 0 <= labels.min() <= labels.max() < 1000):
        raise TrainingError(f"The labels in {path} must be whole numbers from 0 to 999.")
    return labels, tuple(str(n) for n in range(int(labels.max(initial=0)) + 1))


def _from_folder(path: Path, side_px: int) -> _Found:
    folders = sorted(p for p in path.iterdir() if p.is_dir() and not p.name.startswith("."))
    groups = [_pictures(folder) for folder in folders] if folders else [_pictures(path)]
    if not any(groups):
        raise TrainingError(f"There are no pictures ({', '.join(PICTURES)}) in {path}.")
    modes = set()
    squares = []
    for picture in (p for group in groups for p in group):
        try:
            with Image.open(picture) as opened:
                modes.add(opened.mode)
                square = opened.resize((side_px, side_px), Image.Resampling.BILINEAR)
                squares.append(np.asarray(square))
        except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
            raise TrainingError(f"{picture} cannot be read: {error}") from error
    if len(modes) > 1 or not modes <= {"L", "RGB"}:
        raise TrainingError(
            f"The pictures in {path} are of the kinds {', '.join(sorted(modes))}; all must be gray "
            "(L), or all RGB, of 8 bits."
        )
    pixels = np.stack(squares)
    if pixels.ndim == 3:
        pixels = pixels[..., None]
    if not folders:
        return pixels, None, ()
    labels = np.repeat(np.arange(len(groups)), [len(group) for group in groups])
    return pixels, labels, tuple(folder.name for folder in folders)


def _pictures(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in PICTURES)


def _resized(pixels: NDArray[np.uint8], side_px: int) -> Tensor:
    """Return (N, C, S, S) of (N, Y, X, C), smoothed where it becomes smaller."""
    images = torch.from_numpy(np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)))
    if images.shape[2:] == (side_px, side_px):
        return images
    parts = [
        interpolate(
            part.float(), (side_px, side_px), mode="bilinear", antialias=True, align_corners=False
        )
        .round()
        .clamp(0, 255)
        .byte()
        for part in images.split(_BATCH)
    ]
    return torch.cat(parts)
