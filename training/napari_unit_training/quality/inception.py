"""The Inception network of FID and KID, with weights that the user has."""

import io
import pickle
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from napari_unit_training.errors import TrainingError
from napari_unit_training.rgb import to_rgb

N_FEATURES = 2048
WEIGHTS_NAME = "pt_inception-2015-12-05-6726825d.pth"
_BATCH = 16


def load_inception(path: Path) -> nn.Module:
    """Load the Inception network of 2015 in which FID and KID are defined.

    Nothing is downloaded, and no code in the file is run: torch-fidelity reads its weights with
    pickle, so they are read here first, as tensors only, and given to it from memory.

    Parameters
    ----------
    path
        Of the weights, `WEIGHTS_NAME`. pytorch-fid and torch-fidelity offer the same file, the
        latter with another beginning of its name.

    Returns
    -------
    A network from images (N, 3, H, W), uint8, to a tuple with features (N, 2048). It resizes them
    to 299 px as TensorFlow 1 does, which torchmetrics of 1.8 and later does not.

    Raises
    ------
    TrainingError
        If the package torch-fidelity is missing or does not work, or the file is missing or holds
        something else.
    """
    weights = io.BytesIO()
    torch.save(_weights(path), weights)
    weights.seek(0)
    network = _network_class()
    try:
        made: nn.Module = network("inception-v3-compat", [str(N_FEATURES)], weights)
    except (RuntimeError, TypeError, AttributeError) as error:
        raise TrainingError(_not_weights(path)) from error
    return made.eval().requires_grad_(False)


@torch.no_grad()
def inception_features(network: nn.Module, images: Tensor) -> Tensor:
    """Return features (N, 2048), float64 on the CPU, of images (N, C, H, W) in [-1, 1].

    The network knows photographs in color. One channel is shown to it gray, two as red and green,
    and of more the first three, as in previews.

    Parameters
    ----------
    network
        See `load_inception`; on the device of the images.
    images
        Of any number of channels.
    """
    parts = []
    for batch in images.split(_BATCH):
        colors = torch.from_numpy(to_rgb(batch)).permute(0, 3, 1, 2).to(images.device)
        (features,) = network(colors)
        parts.append(features.cpu().double())
    return torch.cat(parts)


def _network_class() -> Any:
    try:
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
    except ModuleNotFoundError as error:
        package = (error.name or "torch_fidelity").partition(".")[0].replace("_", "-")
        raise TrainingError(
            f"The package {package} is missing, which FID and KID need; "
            "install it by pip install napari-unit[fid]."
        ) from error
    except (ImportError, OSError, RuntimeError) as error:
        raise TrainingError(
            f"The package torch-fidelity, which FID and KID need, cannot be imported ({error}); "
            f"most likely torchvision is not the build that goes with torch {torch.__version__}: "
            "install both from the same index."
        ) from error
    return FeatureExtractorInceptionV3


def _weights(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise TrainingError(
            f"There is no file {path}; --inception takes the weights {WEIGHTS_NAME}, which are "
            "not downloaded for you."
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # that the file looks unusual
            read = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        raise TrainingError(_not_weights(path)) from error
    if not isinstance(read, dict) or not all(isinstance(v, Tensor) for v in read.values()):
        raise TrainingError(_not_weights(path))
    return dict(read)


def _not_weights(path: Path) -> str:
    return (
        f"{path} does not hold the weights of the Inception network of FID; --inception takes the "
        f"file {WEIGHTS_NAME}."
    )
