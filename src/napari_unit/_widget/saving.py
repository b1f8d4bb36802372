"""What napari calls to save an image layer as OME-Zarr. Needs no Qt."""

import warnings
from collections.abc import Mapping
from typing import Any

from napari.utils import progress
from napari.utils.notifications import notification_manager, show_warning

from napari_unit.images.layer_files import path_of, save_layer
from napari_unit.images.layer_state import plan_saving


def write_ome_zarr(path: str, data: Any, state: Mapping[str, Any]) -> list[str]:
    """Save an Image layer as OME-Zarr 0.5, with a bar in napari's activity dock.

    Parameters
    ----------
    path
        Of the folder to make; ``.ome.zarr`` is put behind a name without such an ending.
    data, state
        Of the layer, as napari hands them to writers.

    Returns
    -------
    The path written.

    Raises
    ------
    OSError
        If there is such a path already, it cannot be written, or an OME-Zarr cannot hold the
        layer; the message says which.
    """
    layer, target = plan_saving(data, state), path_of(path)
    try:
        with progress(total=0, desc=f"Saving {target.name}") as bar:
            for done, total in save_layer(layer, target):
                bar.total = total
                bar.update(done - bar.n)
    except ValueError as error:  # for napari that would mean that no plugin writes such files
        raise OSError(str(error)) from error
    if layer.lost:
        _tell(
            f"An OME-Zarr holds scale and translation only: {target.name} lacks "
            f"{', '.join(layer.lost)}."
        )
    return [str(target)]


def _tell(sentence: str) -> None:
    """Say it where a person sees it: napari's dialog for saving throws warnings away."""
    if notification_manager.notification_ready.callbacks:
        show_warning(sentence)
    else:
        warnings.warn(sentence, stacklevel=3)
