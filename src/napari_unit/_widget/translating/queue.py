"""Translations one after another, as a person has asked for them at once."""

from collections.abc import Sequence
from typing import Any

from qtpy.QtCore import QObject, Signal

from napari_unit._widget.translating.batch import Item
from napari_unit._widget.translating.running import RunningTranslation
from napari_unit._widget.trouble import Trouble


class TranslationQueue(QObject):
    """Runs one item at a time; one that fails does not keep the others from being translated."""

    told = Signal(object)
    """How far the item is that runs: a `napari_unit.engine.run.Progress`."""
    begun = Signal(object, object)
    """The item that runs, and its result that is black so far, and fills."""
    canceling = Signal()
    """It was told to stop, here or in napari's activity dock."""
    succeeded = Signal(object, object)
    """An item and its result."""
    failed = Signal(object, object)
    """An item, and a sentence that says why it has no result."""
    ended = Signal()
    """Nothing runs any longer, for whatever reason."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._waiting: list[Item] = []
        self._item: Item | None = None
        self._running: RunningTranslation | None = None
        self._lazy = False
        self.n_items = 0
        """How many were asked for at once."""

    @property
    def is_running(self) -> bool:
        """Whether there is something that has not ended."""
        return self._running is not None

    @property
    def number(self) -> int:
        """Which item runs, from 1 on."""
        return self.n_items - len(self._waiting)

    @property
    def item(self) -> Item | None:
        """The item that runs."""
        return self._item

    def run(self, items: Sequence[Item], *, lazy: bool = False) -> None:
        """Translate items in order; nothing may be running."""
        self._waiting = list(items)
        self.n_items = len(self._waiting)
        self._lazy = lazy
        self._next()

    def cancel(self) -> None:
        """Stop after the step that is being computed, and forget what waits."""
        self._waiting = []
        if self._running is not None:
            self._running.cancel()

    def abandon(self, *_: Any) -> None:
        """Stop, and tell nobody any more."""
        self._waiting = []
        running, self._running = self._running, None
        if running is not None:
            running.abandon()

    def _next(self) -> None:
        self._item = item = self._waiting.pop(0)
        running = RunningTranslation(item.image, item.request, lazy=self._lazy)
        running.told.connect(self.told)
        running.begun.connect(self._begin)
        running.canceling.connect(self._cancel_all)
        running.succeeded.connect(self._succeed)
        running.failed.connect(self._fail)
        running.ended.connect(self._end)
        self._running = running
        running.start()

    def _begin(self, result: Any) -> None:
        self.begun.emit(self._item, result)

    def _cancel_all(self) -> None:
        self._waiting = []
        self.canceling.emit()

    def _succeed(self, result: Any) -> None:
        self.succeeded.emit(self._item, result)

    def _fail(self, trouble: Trouble) -> None:
        self.failed.emit(self._item, trouble)

    def _end(self) -> None:
        if self._running is None:
            return  # it was abandoned
        if self._waiting:
            self._next()
            return
        self._running = self._item = None
        self.ended.emit()
