"""Tests see a home folder of their own, few threads, and leave nothing behind of a GUI."""

import gc
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

PATIENCE_S = 5.0
POOLS = ("ThreadPoolExecutor", "zarr_pool", "zarr_io", "tqdm", "pytest_timeout")
"""Names of threads that libraries keep to use again."""
KEPT_PROCESSES = ("multiprocessing.resource_tracker", "multiprocessing.forkserver")
"""Commands of processes that Python keeps to use again."""


def pytest_configure(config: pytest.Config) -> None:
    """Set what libraries read when they are imported, in child processes of tests, too.

    A fixture would come too late: collecting the tests imports most modules.
    """
    home = tempfile.TemporaryDirectory(prefix="napari-unit-home-", ignore_cleanup_errors=True)
    patch = pytest.MonkeyPatch()
    config.add_cleanup(home.cleanup)
    config.add_cleanup(patch.undo)

    # X looks for the cookie of the user's display in the home folder where no one says otherwise
    if (cookie := Path.home() / ".Xauthority").exists() and "XAUTHORITY" not in os.environ:
        patch.setenv("XAUTHORITY", str(cookie))
    for name in ("HOME", "USERPROFILE"):
        patch.setenv(name, home.name)
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "APPDATA", "LOCALAPPDATA"):
        patch.setenv(name, str(Path(home.name, name.lower())))
    patch.setenv("NAPARI_CONFIG", str(Path(home.name, "napari.yaml")))
    # the networks of tests are too small for more threads to pay
    patch.setenv("OMP_NUM_THREADS", str(min(2, os.cpu_count() or 1)))


@pytest.fixture(autouse=True)
def nothing_stays_of_a_gui(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test marked `qt` that leaves a top-level widget, a thread or a child process.

    The usual causes: a viewer or dialog that no one closed, a widget without a parent, a worker
    that was not told to quit, or an exception whose traceback keeps a frame alive.
    """
    if request.node.get_closest_marker("qt") is None:
        yield
        return
    before = [found() for found in LEFTOVERS.values()]
    yield
    if request.node.stash.get(CALL_FAILED, True):
        return  # its traceback holds on to whatever the test had open
    for (kind, found), old in zip(LEFTOVERS.items(), before, strict=True):
        left = wait_until_gone(lambda found=found, old=old: found() - old)
        assert not left, f"the test left {kind} behind: {left}"


CALL_FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Remember on the test how its call went."""
    report = yield
    if report.when == "call":
        item.stash[CALL_FAILED] = report.failed
    return report


def wait_until_gone(leftovers: Callable[[], set[Any]]) -> set[Any]:
    """Return what is left once everything that is about to end had the time to."""
    deadline_s = time.monotonic() + PATIENCE_S
    while (left := leftovers()) and time.monotonic() < deadline_s:
        deliver_qt_events()
        gc.collect()
        time.sleep(0.02)
    return left


def deliver_qt_events() -> None:
    """Let Qt carry out what waits in its queue, `deleteLater` included."""
    if (app := qt_application()) is not None:
        from qtpy.QtCore import QEvent

        app.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        app.processEvents()


def qt_application() -> Any:
    """Return Qt's application where a test has made one, without importing Qt for the others."""
    widgets = sys.modules.get("qtpy.QtWidgets")
    return None if widgets is None else widgets.QApplication.instance()


def windows() -> set[Any]:
    app = qt_application()
    return set() if app is None else set(app.topLevelWidgets())


def threads() -> set[threading.Thread]:
    return {
        thread
        for thread in threading.enumerate()
        # a dummy stands for a thread that Python did not start, as those of Qt's pool
        if not thread.name.startswith(POOLS) and not isinstance(thread, threading._DummyThread)
    }


def child_processes() -> set[Any]:
    import psutil

    def is_kept(process: psutil.Process) -> bool:
        try:
            command = " ".join(process.cmdline())
        except psutil.Error:  # it ended since it was listed
            return True
        return any(name in command for name in KEPT_PROCESSES)

    return {p for p in psutil.Process().children(recursive=True) if not is_kept(p)}


LEFTOVERS: dict[str, Callable[[], set[Any]]] = {
    "windows": windows,
    "threads": threads,
    "child processes": child_processes,
}


@pytest.fixture(scope="session")
def save_tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Return a function that saves a small model with random weights between two domains."""

    def save(name: str, *domains: Any, folder: Path | None = None) -> Path:
        import torch

        from napari_unit.architecture import Architecture
        from napari_unit.model import TranslationModel
        from napari_unit.modelcard import ModelCard
        from napari_unit.modelfile import save_model

        path = (folder or tmp_path_factory.mktemp("models")) / f"{name}.safetensors"
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            model = TranslationModel(*domains, Architecture(width=2, n_residual=1))
        card = ModelCard(name, "Random weights.", domains, model.architecture, {}, "0.1.0")
        save_model(path, model, card)
        return path

    return save
