"""What a user can ask of a translation."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from napari_unit.engine.settings import DEFAULT_MEMORY_BYTES, Precision, StatisticsMode
from napari_unit.images.parts import Ranges

if TYPE_CHECKING:
    from napari_unit.engine.calibration import Calibration
    from napari_unit.models.file import LoadedModel

OutputDtype = Literal["float32", "same", "uint8", "uint16"]
_DTYPES = ("float32", "same", "uint8", "uint16")
_UNITS = {"": 1, "MB": 10**6, "GB": 10**9, "MIB": 2**20, "GIB": 2**30}


@dataclass(frozen=True, slots=True)
class TranslationRequest:
    """What to make of an image.

    Parameters
    ----------
    model
        Name of a bundled or own model, path of a model file, or a model already loaded; None
        takes the bundled one that fits.
    to
        Name of the domain to translate to; None where only one fits.
    statistics
        What the normalisation layers are told: ``"image"``, a sample of the image; ``"whole"``,
        all of it; ``"model"``, what the model was trained on; ``"local"``, the surroundings;
        ``"tile"``, each tile alone (for comparison).
    tile
        Side of a tile in pixels, or ``"auto"``.
    device
        ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"``.
    dtype
        Of the result; ``"same"`` is the image's own integer type, and float32 for floats.
    out
        OME-TIFF or OME-Zarr to write, as its ending says; None keeps the result in memory.
    seed
        Of the sample that the statistics are taken from; None is always the same sample.
    memory
        Bytes that the maps of the networks may take, or such as ``"4 GB"``; None is 2 GB.
    calibration
        File of an earlier translation of this image with this model, or what one has measured;
        nothing is measured then.
    cluster
        A dask.distributed client, the address of a scheduler, or ``"local"``; None computes here.
    precision
        Of the tiles: ``"float32"``, or ``"bfloat16"``, faster and less exact.
    part
        Ranges along axes that are translated, by their letters: ``{"Y": (0, 512), "Z": (3, 4)}``;
        None is all of the image.
    channels
        Numbers of the image's channels, from 0, in the order of the model's; None is all of them.
    """

    model: "str | Path | LoadedModel | None" = None
    to: str | None = None
    statistics: StatisticsMode = "image"
    tile: int | Literal["auto"] = "auto"
    device: str = "auto"
    dtype: OutputDtype = "float32"
    out: str | Path | None = None
    seed: int | None = None
    memory: int | str | None = None
    calibration: "str | Path | Calibration | None" = None
    cluster: Any = None
    precision: Precision = "float32"
    part: Ranges | None = None
    channels: Sequence[int] | None = None

    def __post_init__(self) -> None:
        """Refuse what can be refused before an image is opened."""
        _ = self.memory_bytes
        if self.dtype not in _DTYPES:
            raise ValueError(
                f"dtype is {self.dtype!r}; it must be 'float32', 'same', 'uint8' or 'uint16'."
            )

    @property
    def memory_bytes(self) -> int:
        """The memory setting in bytes."""
        return DEFAULT_MEMORY_BYTES if self.memory is None else bytes_of(self.memory)


def bytes_of(memory: int | str) -> int:
    """Return a size as users write it in bytes.

    Parameters
    ----------
    memory
        Bytes, or a number with MB, GB, MiB or GiB behind it.

    Raises
    ------
    ValueError
        If it is no size.

    Examples
    --------
    >>> bytes_of("1.5 GB"), bytes_of("512MiB"), bytes_of(10**9)
    (1500000000, 536870912, 1000000000)
    """
    text = str(memory).strip()
    number = text.rstrip("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
    unit = text[len(number) :].upper()
    try:
        return int(float(number) * _UNITS[unit])
    except (ValueError, KeyError, OverflowError) as error:
        raise ValueError(
            f"The memory is {memory!r}; it must be a number of bytes, or one with MB or GB, as in "
            "'4 GB'."
        ) from error
