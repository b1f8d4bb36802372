"""One .safetensors file per model: weights, a JSON card, statistics. Loading executes nothing."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from napari_unit.atomic import written_whole
from napari_unit.models.card import (
    METADATA_KEY,
    STATISTICS_PREFIX,
    ModelCard,
    ModelFileError,
    read_card,
)
from napari_unit.models.model import TranslationModel
from napari_unit.models.stored_statistics import BothStatistics, check, from_tensors, to_tensors

WeightsDtype = Literal["float32", "float16"]
_DTYPES: dict[WeightsDtype, torch.dtype] = {"float32": torch.float32, "float16": torch.float16}


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model as it came from its file.

    Parameters
    ----------
    model
        The networks, float32, on the CPU.
    card
        What the file says of itself.
    path
        Where it was read.
    sha256
        Hexadecimal hash of the whole file: names the model in a result's provenance.
    weights_dtype
        Of the weights in the file.
    statistics
        Of the normalisations over training crops, if the file has them.
    """

    model: TranslationModel
    card: ModelCard
    path: Path
    sha256: str
    weights_dtype: WeightsDtype = "float32"
    statistics: BothStatistics | None = None


def save_model(
    path: Path,
    model: TranslationModel,
    card: ModelCard,
    *,
    weights_dtype: WeightsDtype = "float32",
    statistics: BothStatistics | None = None,
) -> None:
    """Write a model file, whole or not at all.

    Parameters
    ----------
    path
        Must end in ``.safetensors``; an existing file is replaced only when the new one is whole.
    model
        Its domains and architecture must be the card's.
    card
        Written beside the weights.
    weights_dtype
        ``"float16"`` halves the file; what is loaded is then the rounded weights.
    statistics
        Of the normalisations over training crops.

    Raises
    ------
    ValueError
        If the path has another ending, the card or the statistics are those of another model, the
        weights do not fit the dtype, or it is unknown.
    """
    if path.suffix != ".safetensors":
        raise ValueError(f"The model file is called {path.name}; it must end in .safetensors.")
    if weights_dtype not in _DTYPES:
        raise ValueError(f"weights_dtype is {weights_dtype!r}; it must be 'float32' or 'float16'.")
    if (model.domains, model.architecture) != (card.domains, card.architecture):
        raise ValueError("The card describes other domains or another architecture than the model.")
    tensors = {
        name: parameter.detach().to("cpu", _DTYPES[weights_dtype]).contiguous()
        for name, parameter in model.named_parameters()  # a shared block comes once
    }
    _refuse_non_finite(tensors, "The model cannot be saved")
    if statistics is not None:
        of_norms = to_tensors(statistics)
        try:
            check(of_norms, model)
        except ValueError as error:
            raise ValueError(f"The model cannot be saved: {error}.") from error
        tensors |= of_norms
    content = save_tensors(tensors, {METADATA_KEY: card.to_json()})
    with written_whole(path) as partial:
        partial.write_bytes(content)


def load_model(path: str | Path) -> LoadedModel:
    """Read a model file.

    Parameters
    ----------
    path
        A ``.safetensors`` file that `save_model` wrote.

    Returns
    -------
    The model with its card, in evaluation mode.

    Raises
    ------
    ModelFileError
        If the file is missing, truncated, of another program, or its weights or statistics are
        not those of the networks that its card describes.
    """
    path = Path(path)
    card = read_card(path)
    content = path.read_bytes()
    try:
        tensors = load_tensors(content)
    except SafetensorError as error:
        raise ModelFileError(f"{path} is damaged ({error}); copy or export it again.") from error
    # without memory or random numbers: the card of a stranger may describe a network of any size
    with torch.device("meta"):
        model = TranslationModel(*card.domains, card.architecture)
    of_norms = {n: tensors.pop(n) for n in [*tensors] if n.startswith(STATISTICS_PREFIX)}
    _put(model, tensors, path)
    return LoadedModel(
        model.eval(),
        card,
        path,
        hashlib.sha256(content).hexdigest(),
        "float16" if all(t.dtype == torch.float16 for t in tensors.values()) else "float32",
        _statistics_of(model, of_norms, path) if of_norms else None,
    )


def _statistics_of(
    model: TranslationModel, tensors: dict[str, Tensor], path: Path
) -> BothStatistics:
    try:
        check(tensors, model)
    except ValueError as error:
        raise ModelFileError(f"{path} cannot be used: {error}.") from error
    return from_tensors(tensors)


def _put(model: TranslationModel, tensors: dict[str, Tensor], path: Path) -> None:
    """Give the model the tensors, which must be exactly its parameters."""
    expected = dict(model.named_parameters())
    if set(expected) != set(tensors):
        odd = sorted(set(expected) ^ set(tensors))
        raise ModelFileError(
            f"{path} does not hold the weights that its card describes: "
            f"{len(odd)} missing or unknown, {odd[0]} among them."
        )
    for name, parameter in expected.items():
        given = tensors[name]
        if given.shape != parameter.shape or given.dtype not in _DTYPES.values():
            raise ModelFileError(
                f"{path} holds {name} as {given.dtype} {tuple(given.shape)}; "
                f"its card describes floating-point numbers {tuple(parameter.shape)}."
            )
    try:
        _refuse_non_finite(tensors, f"{path} cannot be used")
    except ValueError as error:
        raise ModelFileError(str(error)) from error
    name_of = {id(parameter): name for name, parameter in expected.items()}
    state = {
        alias: tensors[name_of[id(parameter)]].float()
        for alias, parameter in model.named_parameters(remove_duplicate=False)
    }
    model.load_state_dict(state, assign=True)


def _refuse_non_finite(tensors: dict[str, Tensor], what: str) -> None:
    for name, tensor in tensors.items():
        if not bool(torch.isfinite(tensor).all()):
            raise ValueError(f"{what}: the weights {name} hold NaN or infinite numbers.")
