"""What must be known of an image before any of its tiles can be translated; and its file.

A calibration is small. Whoever has it, the model and the image translates any part of the image
anywhere, and always to the same pixels.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from napari_unit.domains import Window
from napari_unit.engine.folding import Frozen
from napari_unit.engine.local import LocalMoments
from napari_unit.engine.statistics import NormStatistics
from napari_unit.models.normalisation import Moments

FORMAT_VERSION = 1
_KEY = "napari_unit_calibration"


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """How an image's pixels map to [-1, 1], and by what its normalisation layers are frozen.

    Parameters
    ----------
    window
        Pixel values that stand for -1 and 1.
    n_clipped
        Pixel values of the image outside it.
    notes
        Sentences about the image that users should read.
    statistics
        None where each tile is normalised by itself.
    """

    window: Window
    n_clipped: int
    notes: tuple[str, ...]
    statistics: NormStatistics | None


class CalibrationFileError(ValueError):
    """A file that is no calibration, or a damaged one; the message says which."""


def to_bytes(calibration: Calibration, about: Mapping[str, Any]) -> bytes:
    """Return the content of a calibration's file (.safetensors).

    Parameters
    ----------
    calibration
        What to write.
    about
        JSON values on where it comes from: model, its hash, direction, image.
    """
    tensors: dict[str, Tensor] = {}
    found = calibration.statistics
    described = None
    if found is not None:
        for number, frozen in enumerate(found.moments):
            _put(tensors, f"{number:02}", frozen)
        described = {
            "mode": found.mode,
            "n_norms": len(found.moments),
            "n_sampled": found.n_sampled,
            "n_eligible": found.n_eligible,
            "standard_error": [repr(error) for error in found.standard_error],
            "seed": found.seed,
        }
    header = {
        "format_version": FORMAT_VERSION,
        "about": dict(about),
        "window": {"low": calibration.window.low, "high": calibration.window.high},
        "n_clipped": calibration.n_clipped,
        "notes": calibration.notes,
        "statistics": described,
    }
    return save(tensors, {_KEY: json.dumps(header, sort_keys=True)})


def from_bytes(content: bytes, name: str) -> tuple[Calibration, dict[str, Any]]:
    """Read a calibration's file, and what it says about where it comes from.

    Parameters
    ----------
    content
        Of the file.
    name
        Of the file, for the message.

    Raises
    ------
    CalibrationFileError
        If it is none, damaged, or of another version.
    """
    try:
        header = _header(content)
        tensors = load(content)
        window = Window(tuple(map(float, header["window"]["low"])),
                        tuple(map(float, header["window"]["high"])))  # fmt: skip
        made = Calibration(
            window,
            int(header["n_clipped"]),
            tuple(str(note) for note in header["notes"]),
            _statistics(header["statistics"], tensors),
        )
        about = dict(header["about"])
    except (
        SafetensorError, KeyError, TypeError, ValueError, IndexError, RecursionError,
    ) as error:  # fmt: skip
        raise CalibrationFileError(
            f"{name} cannot be read as a calibration ({error}); measure the image again."
        ) from error
    return made, about


def _header(content: bytes) -> dict[str, Any]:
    # safetensors gives the metadata of a file only, not of bytes
    length = int.from_bytes(content[:8], "little")
    metadata = json.loads(content[8 : 8 + length]).get("__metadata__", {})
    if _KEY not in metadata:
        raise ValueError("it carries no calibration")
    header = json.loads(metadata[_KEY])
    if header.get("format_version") != FORMAT_VERSION:
        raise ValueError(f"its format version is {header.get('format_version')!r}")
    return dict(header)


def _statistics(described: Any, tensors: dict[str, Tensor]) -> NormStatistics | None:
    if described is None:
        return None
    if described["mode"] not in ("image", "whole", "model", "local"):
        raise ValueError(f"its statistics are {described['mode']!r}")
    moments = tuple(_take(tensors, f"{n:02}") for n in range(int(described["n_norms"])))
    if tensors:
        raise ValueError(f"it holds unknown numbers, {min(tensors)} among them")
    return NormStatistics(
        described["mode"],
        moments,
        int(described["n_sampled"]),
        int(described["n_eligible"]),
        tuple(float(error) for error in described["standard_error"]),
        int(described["seed"]),
    )


def _put(tensors: dict[str, Tensor], name: str, frozen: Frozen) -> None:
    if isinstance(frozen, LocalMoments):
        nodes = [node for row in frozen.nodes for node in row]
        tensors[f"{name}.rows"] = torch.tensor(frozen.rows, dtype=torch.float64)
        tensors[f"{name}.columns"] = torch.tensor(frozen.columns, dtype=torch.float64)
    else:
        nodes = [frozen]
    tensors[f"{name}.count"] = torch.tensor([n.count for n in nodes], dtype=torch.float64)
    tensors[f"{name}.mean"] = torch.stack([n.mean for n in nodes])
    tensors[f"{name}.squared_deviations"] = torch.stack([n.squared_deviations for n in nodes])


def _take(tensors: dict[str, Tensor], name: str) -> Frozen:
    count, mean, deviations = (
        tensors.pop(f"{name}.{part}").double() for part in ("count", "mean", "squared_deviations")
    )
    finite = all(bool(torch.isfinite(t).all()) for t in (count, mean, deviations))
    if not finite or mean.ndim != 2 or mean.shape != deviations.shape or len(count) != len(mean):
        raise ValueError(f"its moments {name} are damaged")
    if float(count.min()) <= 0 or float(deviations.min()) < 0:
        raise ValueError(f"its moments {name} are damaged")
    nodes = [Moments(float(c), m, d) for c, m, d in zip(count, mean, deviations, strict=True)]
    if f"{name}.rows" not in tensors:
        (one,) = nodes
        return one
    rows, columns = (tensors.pop(f"{name}.{axis}").tolist() for axis in ("rows", "columns"))
    if len(nodes) != len(rows) * len(columns) or not _increases(rows) or not _increases(columns):
        raise ValueError(f"its moments {name} are damaged")
    width = len(columns)
    grid = tuple(tuple(nodes[i * width : (i + 1) * width]) for i in range(len(rows)))
    return LocalMoments(grid, tuple(rows), tuple(columns))


def _increases(places: Sequence[float]) -> bool:
    return all(0 <= a < b <= 1 for a, b in zip([0.0, *places], places, strict=False))
