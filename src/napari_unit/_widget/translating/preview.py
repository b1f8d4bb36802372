"""A translation of what the viewer shows, which follows as one pans and zooms."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image
from numpy.typing import NDArray
from qtpy.QtCore import QObject, QTimer, Signal

from napari_unit._widget.errands import Errand, Steps
from napari_unit._widget.translating.seen import canvas_size, seen_area, seen_planes
from napari_unit._widget.translating.selection import selection_kept
from napari_unit._widget.translating.view_canvas import View, ViewCanvas, view_of
from napari_unit._widget.trouble import Trouble
from napari_unit.geometry.regions import Region
from napari_unit.images.layers import layer_fields
from napari_unit.images.source_image import SourceImage
from napari_unit.lazy_job import LazyJob, translate_lazily
from napari_unit.request import TranslationRequest
from napari_unit.torch_import import import_torch

if TYPE_CHECKING:
    from napari_unit.engine.run import Calibration

_SETTLED_MS = 200
"""After the last movement, what is seen is translated."""


class LivePreview(QObject):
    """A layer above the image with the translation of what is seen.

    The image is measured once, on a thread; then every view is translated tile by tile, those in
    the middle first. A tile that was made once stays while there is room for it.

    Parameters
    ----------
    viewer
        That shows the image.
    parent
        With which it goes.
    """

    told = Signal(str)
    """What is going on, in few words; empty when nothing is."""
    failed = Signal(object)
    """A sentence that says why there is no preview."""
    ended = Signal()
    """It is over: stopped, failed, or its layer was deleted."""

    def __init__(self, viewer: Any, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._source: Image | None = None
        self._image: SourceImage | None = None
        self._request: TranslationRequest | None = None
        self._job: LazyJob | None = None
        self._canvas: ViewCanvas | None = None
        self._layer: Image | None = None
        self._errand: Errand | None = None
        self._is_stale = False
        self._clock = QTimer(self)
        self._clock.setSingleShot(True)
        self._clock.setInterval(_SETTLED_MS)
        self._clock.timeout.connect(self._look)
        self._watched: list[Any] = []

    @property
    def is_on(self) -> bool:
        """Whether there is a preview, or one is about to be."""
        return self._source is not None

    @property
    def layer(self) -> Image | None:
        """The layer that shows it."""
        return self._layer

    def start(self, layer: Image, image: SourceImage, request: TranslationRequest) -> None:
        """Show the translation of a layer from now on, instead of what was shown before.

        Parameters
        ----------
        layer
            In the viewer.
        image
            What it is, read.
        request
            How it is translated; pixel type, part and file do not count.
        """
        self.stop()
        self._source, self._image = layer, image
        self._request = replace(request, dtype="float32", part=None, out=None, cluster=None)
        self._watch()
        self.told.emit("Preview: measuring the image…")
        self._run(partial(_open, image, self._request))

    def stop(self) -> None:
        """Take the preview away, and stop what is being computed for it."""
        if self._source is None:
            return
        self._unwatch()
        self._clock.stop()
        self._source = self._image = self._request = self._job = self._canvas = None
        self._quit()
        layer, self._layer = self._layer, None
        if layer is not None and layer in self._viewer.layers:
            self._viewer.layers.remove(layer)
        self.told.emit("")
        self.ended.emit()

    def abandon(self, *_: Any) -> None:
        """Stop, and tell nobody: the widget is gone."""
        self.blockSignals(True)
        self.stop()

    def shows(self, image: SourceImage, request: TranslationRequest) -> bool:
        """Tell whether this is what is previewed, as far as its pixels depend on it."""
        shown, known = self._image, self._request
        if shown is None or known is None:
            return False
        is_same_image = (
            shown.array is image.array
            and shown.axes == image.axes
            and shown.channels_read == image.channels_read
        )
        names = ("model", "to", "statistics", "seed", "memory", "device")
        return is_same_image and all(getattr(known, n) == getattr(request, n) for n in names)

    def calibration(self, image: SourceImage, request: TranslationRequest) -> "Calibration | None":
        """Return what was measured, where it is of this image and these settings."""
        if self._job is None or not self.shows(image, request):
            return None
        return self._job.measured()

    def _watch(self) -> None:
        camera = getattr(self._viewer, "scene", self._viewer).camera
        for emitter in (
            camera.events.center, camera.events.zoom, self._viewer.dims.events.current_step,
            self._viewer.dims.events.ndisplay, self._viewer.dims.events.order,
        ):  # fmt: skip
            emitter.connect(self._moved)
            self._watched.append((emitter, self._moved))
        removed = self._viewer.layers.events.removed
        removed.connect(self._forget_layer)
        self._watched.append((removed, self._forget_layer))

    def _unwatch(self) -> None:
        for emitter, callback in self._watched:
            emitter.disconnect(callback)
        self._watched = []

    def _moved(self, event: Any = None) -> None:
        if self._job is not None:
            self._clock.start()

    def _forget_layer(self, event: Any) -> None:
        gone = getattr(event.value, "__wrapped__", event.value)
        if gone is self._layer:
            self._layer = None
            self.stop()
        elif gone is self._source:
            self.stop()

    def _run(self, job: Callable[[], Steps]) -> None:
        """Take the steps of a job on a thread; one thread at a time."""
        self._errand = errand = Errand(job)
        errand.told.connect(self._take_tile)
        errand.succeeded.connect(self._take_job)
        errand.failed.connect(self._fail)
        errand.ended.connect(self._finish)
        errand.start()

    def _quit(self) -> None:
        errand, self._errand = self._errand, None
        if errand is not None:
            errand.abandon()

    def _take_job(self, job: LazyJob | None) -> None:
        if job is not None:
            self._job = job
            self._is_stale = True

    def _fail(self, trouble: Trouble) -> None:
        self.failed.emit(trouble)
        self.stop()

    def _finish(self) -> None:
        self._errand = None
        if self._is_stale and self._job is not None:
            self._is_stale = False
            self._look()
        else:
            self.told.emit("")

    def _look(self) -> None:
        """Show what is seen now: what is known of it at once, the rest as it is made."""
        if self._job is None or self._source is None or self._image is None:
            return
        if self._errand is not None:
            self._is_stale = True
            self._errand.cancel()
            return
        try:
            area = seen_area(self._viewer, self._source, self._image.axes)
        except ValueError as error:
            self.told.emit(f"Preview: {error}")
            return
        planes = seen_planes(self._viewer, self._source, self._image.axes)
        view = view_of(self._job, area, planes, int(max(canvas_size(self._viewer))))
        if self._canvas is None or self._canvas.view != view:
            self._canvas = ViewCanvas(self._job, view)
        missing = list(self._canvas.missing())
        self._show()
        if missing:
            self.told.emit("Preview: translating what is seen…")
            self._run(partial(_tiles, self._job, view, missing))
        else:
            self.told.emit("")

    def _take_tile(self, tile: tuple[View, Region, NDArray[np.float32]]) -> None:
        if self._canvas is None:
            return
        view, region, pixels = tile
        if view == self._canvas.view:
            self._canvas.put(region, pixels)
            if self._layer is not None:
                self._layer.refresh(thumbnail=False, extent=False)

    def _show(self) -> None:
        canvas, job = self._canvas, self._job
        assert canvas is not None
        assert job is not None
        placement = canvas.placement()
        placed = {} if placement is None else placement.fields()
        if self._layer is None:
            given = {**layer_fields(job.result), **placed, "rgb": canvas.is_color}
            given["name"] = f"{job.result.name} preview"
            given["metadata"] = {"napari_unit": {**job.result.provenance, "preview": True}}
            self._layer = Image(canvas.array, **given)
            with selection_kept(self._viewer.layers):
                self._viewer.add_layer(self._layer)
            return
        for name in ("scale", "translate"):
            if name in placed:
                setattr(self._layer, name, placed[name])
        self._layer.data = canvas.array


def _open(image: SourceImage, request: TranslationRequest) -> Steps:
    import_torch()
    job = translate_lazily(image, request)
    opening = job.result.opening
    assert opening is not None
    yield from opening()
    return job


def _tiles(job: LazyJob, view: View, missing: list[Any]) -> Steps:
    for tile in missing:
        yield view, tile, job.translation.tile(view.number, view.plane, tile)
