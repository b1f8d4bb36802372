"""Losses, quality and pictures of a run for TensorBoard."""

import contextlib
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from napari_unit.runs.events import Event, PreviewWritten, Progress, QualityMeasured


class TensorBoardLog:
    """Writes a run's events where TensorBoard reads them.

    In the caller's thread: tensorboardX's own writer has another, which a full disk ends, and then
    waits for it for ever.

    Parameters
    ----------
    folder
        For TensorBoard's files; made if it is not there.
    images_seen
        Where the run goes on; what an earlier start wrote of later images is left out.

    Raises
    ------
    OSError
        Here, in `take` and in `close`, if it cannot be written.
    """

    def __init__(self, folder: Path, images_seen: int) -> None:
        from tensorboardX.event_file_writer import EventsWriter
        from tensorboardX.proto.event_pb2 import Event as Record
        from tensorboardX.proto.event_pb2 import SessionLog

        folder.mkdir(parents=True, exist_ok=True)
        self._record = Record
        self._writer = EventsWriter(str(folder / "events"))
        if images_seen:
            start = SessionLog(status=SessionLog.START)
            self._writer.write_event(Record(step=images_seen + 1, session_log=start))

    def take(self, event: Event) -> None:
        """Write what of an event can be drawn."""
        from tensorboardX.summary import image

        if isinstance(event, Progress):
            for name, value in event.losses.items():
                self._scalar(f"losses/{name}", value, event.images_seen)
            self._scalar("run/learning_rate", event.learning_rate, event.images_seen)
            self._scalar("run/images_per_second", event.images_per_second, event.images_seen)
        elif isinstance(event, QualityMeasured):
            for values in event.directions:
                way = f"{values['source']} to {values['target']}"
                for name in ("distance", "cycle_error", "content_agreement"):
                    self._scalar(f"{name}/{way}", values[name], event.images_seen)
        elif isinstance(event, PreviewWritten):
            with Image.open(event.path) as picture:
                pixels = np.asarray(picture.convert("RGB"))
            tag = event.path.stem.split("-")[0]
            self._write(image(tag, pixels, dataformats="HWC"), event.images_seen)
        else:
            return
        self._writer.flush()

    def close(self) -> None:
        """Write what is left; what cannot be written was told when it came."""
        with contextlib.suppress(OSError):
            self._writer.close()

    def _scalar(self, tag: str, value: float, images_seen: int) -> None:
        from tensorboardX.summary import scalar

        self._write(scalar(tag, value), images_seen)

    def _write(self, summary: Any, images_seen: int) -> None:
        self._writer.write_event(
            self._record(wall_time=time.time(), step=images_seen, summary=summary)
        )
