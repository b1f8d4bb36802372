"""A lazy layer beside a running window: it appears when it is measured, and nothing waits."""

import sys
import threading
import weakref
from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import napari.layers


def show_when_measured(layer: "napari.layers.Image", opening: Callable[[], Iterator[None]]) -> None:
    """Hide a layer until what it shows first is there, if there is a window that would wait.

    napari makes the smallest level of a layer on the thread that draws, even where its slicing is
    asynchronous. So that is done on a thread here, which ends when the layer is gone. Without a
    running Qt application, or on another thread than the main one, the layer stays as it is:
    whoever reads its pixels waits.

    Parameters
    ----------
    layer
        In no viewer yet.
    opening
        Of the translation, see `napari_unit.images.layers.TranslationResult`.
    """
    if not _would_wait():
        return
    from napari.qt.threading import create_worker
    from napari.utils.notifications import show_error

    layer.visible = False
    held = weakref.ref(layer)
    name = layer.name

    def open_it() -> Generator[None, None, str]:
        try:
            for _ in opening():
                if held() is None:
                    break
                yield
        except (ValueError, OSError, MemoryError, FloatingPointError) as error:
            return str(error)
        return ""

    def show(sentence: str) -> None:
        shown = held()
        if sentence:
            show_error(f"{name}: {sentence}")
        elif shown is not None:
            shown.visible = True

    create_worker(open_it, _connect={"returned": show}, _progress={"desc": f"Measuring {name}"})


def _would_wait() -> bool:
    if "qtpy.QtWidgets" not in sys.modules:
        return False
    from qtpy.QtWidgets import QApplication

    is_drawing = threading.current_thread() is threading.main_thread()
    return is_drawing and QApplication.instance() is not None
