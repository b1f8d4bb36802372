"""Run the engine over small images, and translate them by the definition."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from napari_unit.engine.run import EngineSettings, Progress, Report, plan_translation, run_plan
from napari_unit.images.axes import Axes
from napari_unit.images.storage import ArraySink, ArraySource
from napari_unit.models.model import TranslationModel

MakeModel = Callable[..., TranslationModel]
TOLERANCE = 1e-4  # of the range [-1, 1], the engine's promise


def picture(*shape: int, seed: int = 0) -> np.ndarray:
    """Return pixels (T, C, Y, X) in [-1, 1]: blobs on a dark ground, brighter to the right."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[: shape[2], : shape[3]]
    blobs = np.sin(y / 5.0) * np.sin(x / 7.0) + x / shape[3] - 0.5
    noise = random.normal(0.0, 0.1, shape)
    return np.clip(blobs + noise, -1.0, 1.0).astype("float32")


def translated(
    model: TranslationModel, image: np.ndarray, **wanted: Any
) -> tuple[np.ndarray, Report, list[Progress]]:
    """Run the engine over an image (T, C, Y, X); pixels that it leaves out stay NaN or 0."""
    chosen = EngineSettings(**{"device": "cpu"} | wanted)
    planes = ArraySource(image, Axes("TCYX"), image.shape[1])
    plan = plan_translation(model, "a", "b", planes, chosen)
    shape = (image.shape[0], model.domains[1].n_channels, *image.shape[2:])
    out = np.zeros(shape, chosen.dtype)
    if chosen.dtype.kind == "f":
        out[:] = np.nan
    told = []
    job = run_plan(plan, model, planes, ArraySink(out, Axes("TCYX")))
    while True:
        try:
            told.append(next(job))
        except StopIteration as end:
            return out, end.value, told


def in_one_piece(model: TranslationModel, image: np.ndarray) -> np.ndarray:
    """Translate each plane (T, C, Y, X) as one tensor."""
    dtype = next(model.parameters()).dtype
    with torch.no_grad():
        pieces = [
            model.translate(torch.from_numpy(plane)[None].to(dtype), "a", "b") for plane in image
        ]
    return torch.cat(pieces).numpy()
