"""The trained model as one file with its card."""

import copy
import platform
import shlex
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from napari_unit.models.card import ModelCard
from napari_unit.models.file import WeightsDtype, save_model
from napari_unit.models.model import TranslationModel
from napari_unit_training.calibration import model_statistics, n_crops
from napari_unit_training.config import TrainSettings
from napari_unit_training.config_files import preset_names, read_preset, settings_from
from napari_unit_training.data.loading import DomainImages
from napari_unit_training.quality.crops import CropChoice
from napari_unit_training.session import Session


def export_model(
    path: Path,
    session: Session,
    data: tuple[DomainImages, DomainImages],
    *,
    with_statistics: bool,
) -> None:
    """Write the averaged weights and a card that says how to train them again.

    Parameters
    ----------
    path
        Ends in ``.safetensors``; replaced if it is there.
    session
        Of the run.
    data
        Domain a and b.
    with_statistics
        Measure the normalisations over training crops and write their statistics, too. That takes
        about as long as translating 350 crops each way, so it is for models that will stay.
    """
    settings, model = session.settings, session.averaged.model
    statistics = None
    if with_statistics:
        choice = CropChoice(
            n_crops(settings.width, settings.crop_px),
            settings.crop_px,
            settings.min_crop_deviation,
            settings.seed,
        )
        as_loaded = _rounded(model, settings.weights_dtype)
        statistics = model_statistics(as_loaded, (data[0].images, data[1].images), choice)
    save_model(
        path,
        model,
        make_card(settings, session.images_seen, data),
        weights_dtype=settings.weights_dtype,
        statistics=statistics,
    )


@torch.no_grad()
def _rounded(model: TranslationModel, weights_dtype: WeightsDtype) -> TranslationModel:
    """Return the model as it will be loaded from its file."""
    if weights_dtype == "float32":
        return model
    rounded = copy.deepcopy(model)
    for parameter in rounded.parameters():
        parameter.copy_(parameter.half())
    return rounded


def make_card(
    settings: TrainSettings, images_seen: int, data: tuple[DomainImages, DomainImages]
) -> ModelCard:
    """Return the card: domains, sizes, and the training as plain JSON values."""
    a, b = data[0].domain, data[1].domain
    own = version("napari-unit")
    return ModelCard(
        name=settings.name or f"{a.name}-{b.name}",
        description=settings.description or f"Translates between {a.name} and {b.name}.",
        domains=(a, b),
        architecture=settings.architecture,
        training={
            "method": "unit",
            "settings": settings.to_mapping(),
            "data": {"a": data[0].description, "b": data[1].description},
            "images_seen": images_seen,
            "versions": _versions(own),
            "command": _command(settings, data),
        },
        version=own,
    )


def _versions(own: str) -> dict[str, Any]:
    return {
        "napari-unit": own,
        "python": platform.python_version(),
        **{name: version(name) for name in ("torch", "kornia", "numpy")},
    }


def _command(settings: TrainSettings, data: tuple[DomainImages, DomainImages]) -> str:
    """Return the command line that trains with exactly these settings."""
    folders = [
        "napari-unit", "train", "--a", data[0].description["folder"],
        "--b", data[1].description["folder"], "--out", "RUN",
    ]  # fmt: skip
    for letter, domain in zip("ab", data, strict=True):
        if "validation" in domain.description:
            folders += [f"--val-{letter}", domain.description["validation"]["folder"]]
    if data[0].description.get("validation", {}).get("paired"):
        folders.append("--val-paired")
    for name in preset_names():
        preset = settings_from(read_preset(name))
        asked = replace(
            preset,
            images_total=settings.images_total,
            seed=settings.seed,
            device=settings.device,
            cadence=settings.cadence,
        )
        if asked == settings:
            images, seed = str(settings.images_total), str(settings.seed)
            return shlex.join([*folders, "--preset", name, "--images", images, "--seed", seed])
    # settings.json lies in the run folder, and its content is in this card under "settings"
    return shlex.join([*folders, "--config", "settings.json"])
