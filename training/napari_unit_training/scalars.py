"""Losses and pictures of a run for TensorBoard."""

from pathlib import Path

import numpy as np
from PIL import Image

from napari_unit_training.events import Event, PreviewWritten, Progress, QualityMeasured


class TensorBoardLog:
    """Writes a run's events where TensorBoard reads them.

    Parameters
    ----------
    folder
        For TensorBoard's files.
    images_seen
        Where the run goes on; what an earlier start wrote of later images is left out.
    """

    def __init__(self, folder: Path, images_seen: int) -> None:
        from tensorboardX import SummaryWriter

        self._writer = SummaryWriter(
            str(folder), purge_step=images_seen + 1 if images_seen else None
        )

    def take(self, event: Event) -> None:
        """Write what of an event can be drawn."""
        if isinstance(event, Progress):
            for name, value in event.losses.items():
                self._writer.add_scalar(f"losses/{name}", value, event.images_seen)
            self._writer.add_scalar("run/learning_rate", event.learning_rate, event.images_seen)
            self._writer.add_scalar("run/images_per_second", event.images_per_second,
                                    event.images_seen)  # fmt: skip
        elif isinstance(event, QualityMeasured):
            for values in event.directions:
                way = f"{values['source']} to {values['target']}"
                for name in ("distance", "cycle_error", "content_agreement"):
                    self._writer.add_scalar(f"{name}/{way}", values[name], event.images_seen)
        elif isinstance(event, PreviewWritten):
            with Image.open(event.path) as picture:
                pixels = np.asarray(picture.convert("RGB"))
            self._writer.add_image(event.path.stem.split("-")[0], pixels, event.images_seen,
                                   dataformats="HWC")  # fmt: skip

    def close(self) -> None:
        """Write what is left."""
        self._writer.close()
