"""What is where in the folder of an adaptation, and how its results are written."""

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import save
from torch import Tensor

from napari_unit.atomic import written_whole
from napari_unit_training.adapting.objective import Adaptation
from napari_unit_training.adapting.settings import AdaptationSettings
from napari_unit_training.config_files import read_config, table_from
from napari_unit_training.errors import TrainingError

_GAP_PX = 1
_LOOKED_AT_S = 2.0
"""How long the folder may be another process's before that is said."""
_MAY_DIFFER = ("device", "report_every", "checkpoint_every")


class AdaptationFolder:
    """The folder of one adaptation.

    Parameters
    ----------
    path
        Of the folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.settings_path = path / "settings.json"
        self.images_path = path / "images.json"
        self.checkpoints = path / "checkpoints"
        self.progress_path = path / "progress.jsonl"
        self.result_path = path / "result.json"
        self.classifier_path = path / "classifier.safetensors"
        self.predictions_path = path / "predictions.csv"
        self.pictures_path = path / "pictures.png"

    @contextmanager
    def claimed(
        self, settings: AdaptationSettings, fingerprints: Mapping[str, str]
    ) -> Iterator[None]:
        """Make the folder, or find the same adaptation in it, and keep other processes from it.

        Parameters
        ----------
        settings
            Of the run.
        fingerprints
            By what the images are.

        Raises
        ------
        TrainingError
            If something else is there, or another process is at it.
        """
        self.check(settings)
        self.path.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.path / "lock")
        try:
            lock.acquire(timeout=_LOOKED_AT_S)
        except Timeout as error:
            raise TrainingError(
                f"Another process is at the adaptation in {self.path}; wait for it, or give "
                "another --out."
            ) from error
        try:
            self.check(settings)
            self._check_images(fingerprints)
            for name, values in (("settings", asdict(settings)), ("images", dict(fingerprints))):
                path = self.path / f"{name}.json"
                if not path.is_file():
                    self._write_json(path, values)
            yield
        finally:
            lock.release()

    def check(self, settings: AdaptationSettings) -> None:
        """Refuse a folder in which an adaptation with these settings can neither start nor go on.

        Raises
        ------
        TrainingError
            If a finished one, one with other settings, or something else is there.
        """
        if self.path.exists() and not self.path.is_dir():
            raise TrainingError(f"The output {self.path} is a file; give a folder for the run.")
        if self.result_path.is_file():
            raise TrainingError(f"The adaptation in {self.path} is finished; give another --out.")
        if self.settings_path.is_file():
            before = asdict(table_from(AdaptationSettings, read_config(self.settings_path)))
            differing = [
                f"{name} was {before[name]!r} and is {value!r}"
                for name, value in asdict(settings).items()
                if before[name] != value and name not in _MAY_DIFFER
            ]
            if differing:
                raise TrainingError(
                    f"The adaptation in {self.path} has other settings: {'; '.join(differing)}. "
                    "Give the same to go on with it, or another --out."
                )
        elif self.path.is_dir() and any(entry.name != "lock" for entry in self.path.iterdir()):
            raise TrainingError(
                f"The folder {self.path} has files but no adaptation in it; give an empty or a "
                "new one."
            )

    def _check_images(self, fingerprints: Mapping[str, str]) -> None:
        if self.images_path.is_file():
            seen = read_config(self.images_path)
            changed = [name for name, mark in fingerprints.items() if seen.get(name) != mark]
            if changed:
                raise TrainingError(
                    f"The adaptation in {self.path} was started with other images of the "
                    f"{' and the '.join(changed)}; give the same to go on with it, or another "
                    "--out."
                )

    def rewind(self, steps_done: int) -> None:
        """Take out of the report what was told of later steps, and a line that is torn."""
        if not self.progress_path.is_file():
            return
        kept = []
        for line in self.progress_path.read_text("utf-8").splitlines():
            try:
                is_kept = json.loads(line)["steps_done"] <= steps_done
            except (ValueError, KeyError, TypeError):
                is_kept = False
            if is_kept:
                kept.append(line)
        with written_whole(self.progress_path) as partial:
            partial.write_text("".join(line + "\n" for line in kept), "utf-8")

    def log(self, values: Mapping[str, Any]) -> None:
        """Add a line to the report of the losses."""
        with self.progress_path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(values) + "\n")

    def write_result(self, result: Mapping[str, Any]) -> None:
        """Write what came out; from now on the adaptation is finished."""
        self._write_json(self.result_path, result)

    def write_classifier(
        self, adaptation: Adaptation, settings: AdaptationSettings, classes: tuple[str, ...]
    ) -> None:
        """Write the weights of the discriminators with the classifier on them."""
        weights = {
            name: value.detach().cpu().contiguous()
            for name, value in adaptation.discriminators.state_dict().items()
        }
        about = {"settings": asdict(settings), "classes": list(classes)}
        with written_whole(self.classifier_path) as partial:
            partial.write_bytes(save(weights, {"napari_unit_adaptation": json.dumps(about)}))

    def write_predictions(self, chances: Tensor, classes: tuple[str, ...]) -> None:
        """Write a line per test image: its number, its likeliest class, and how likely."""
        likeliest = chances.max(1)
        with (
            written_whole(self.predictions_path) as partial,
            partial.open("w", encoding="utf-8", newline="") as file,
        ):
            table = csv.writer(file)
            table.writerow(["image", "class", "probability"])
            for number, (chance, index) in enumerate(zip(*likeliest, strict=True)):
                table.writerow([number, classes[int(index)], f"{float(chance):.4f}"])

    def write_pictures(self, rows: Sequence[Tensor]) -> None:
        """Write rows of as many images (N, C, S, S) in [-1, 1] each."""
        with written_whole(self.pictures_path) as partial:
            Image.fromarray(np.concatenate([_row(images) for images in rows])).save(partial)

    def _write_json(self, path: Path, values: Mapping[str, Any]) -> None:
        with written_whole(path) as partial:
            partial.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")


def _row(images: Tensor) -> NDArray[np.uint8]:
    levels = ((images.cpu() + 1.0) * 127.5).round().clamp(0, 255).byte()
    framed = np.full((*levels.shape[2:], 3), 255, np.uint8)
    framed = np.pad(framed, ((0, _GAP_PX), (0, _GAP_PX), (0, 0)), constant_values=128)
    parts = []
    for image in levels.permute(0, 2, 3, 1).numpy():
        part = framed.copy()
        part[: image.shape[0], : image.shape[1]] = image  # gray becomes red, green and blue
        parts.append(part)
    return np.concatenate(parts, 1)
