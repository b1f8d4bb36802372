"""Tests see a home folder of their own, few threads, and leave nothing behind of a GUI."""

import gc
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

PATIENCE_S = 5.0
NEW_MODULES = 50
"""So many make it worth while to set them aside."""
SET_ASIDE = {"n_modules": 0}
POOLS = ("ThreadPoolExecutor", "zarr_pool", "zarr_io", "asyncio_", "tqdm", "pytest_timeout")
"""Names of threads that libraries keep to use again."""
KEPT_PROCESSES = ("multiprocessing.resource_tracker", "multiprocessing.forkserver")
"""Commands of processes that Python keeps to use again."""


def pytest_configure(config: pytest.Config) -> None:
    """Set what libraries read when they are imported, in child processes of tests, too.

    A fixture would come too late: collecting the tests imports most modules.
    """
    # a busy machine is no reason to fail
    hypothesis.settings.register_profile("tests", deadline=None)
    hypothesis.settings.load_profile("tests")
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
    # a shell that starts this in the background has Ctrl-C ignored, and children inherit that
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    # the networks of tests are too small for more threads to pay
    patch.setenv("OMP_NUM_THREADS", "1")


def pytest_collection_finish() -> None:
    """Set the collected tests and what they import aside; see `set_modules_aside`."""
    set_modules_aside()


def set_modules_aside() -> None:
    """Spare the garbage collector what modules hold, where some were imported since the last time.

    napari collects garbage at every layer that is removed: that took more of the time of a test
    with a viewer than anything else. What tests make is looked through as before.
    """
    if len(sys.modules) > SET_ASIDE["n_modules"] + NEW_MODULES:
        gc.collect()
        gc.freeze()
        SET_ASIDE["n_modules"] = len(sys.modules)


@pytest.fixture(autouse=True)
def nothing_stays_of_a_gui(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test marked `qt` that leaves a top-level widget, a thread or a child process.

    The usual causes: a viewer or dialog that no one closed, a widget without a parent, a worker
    that was not told to quit, or an exception whose traceback keeps a frame alive.
    """
    if request.node.get_closest_marker("qt") is None:
        yield
        return
    set_modules_aside()
    before = [found() for found in LEFTOVERS.values()]
    yield
    if request.node.stash.get(CALL_FAILED, True):
        return  # its traceback holds on to whatever the test had open
    for (kind, found), old in zip(LEFTOVERS.items(), before, strict=True):
        left = wait_until_gone(lambda found=found, old=old: found() - old)
        assert not left, f"the test left {kind} behind: {left}"


@pytest.fixture(autouse=True)
def torch_stays_as_it_was(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that leaves another state of torch to the tests after it.

    In a viewer the number of threads may change: numba, which napari uses where it is there,
    sets it, too.
    """
    changeable = {"num_threads"} if request.node.get_closest_marker("qt") else set()
    before = torch_state(changeable)
    yield
    after = torch_state(changeable)
    if before and after and before != after:
        set_torch_state(before)
        pytest.fail(f"the test left torch in the state {after}; before it was {before}")


def torch_state(left_out: set[str]) -> dict[str, Any]:
    """Return what is global in torch and changes results or speed; nothing if no one imported it.

    Denormal numbers are a state of the thread that NumPy and hypothesis share with torch.
    """
    torch = sys.modules.get("torch")
    if torch is None:
        return {}
    state = {
        "flush_denormal": (torch.tensor(1e-40) * 1.0).item() == 0.0,
        "num_threads": torch.get_num_threads(),
        "default_dtype": torch.get_default_dtype(),
        "grad_enabled": torch.is_grad_enabled(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
    }
    return {name: value for name, value in state.items() if name not in left_out}


def set_torch_state(state: dict[str, Any]) -> None:
    import torch

    torch.set_flush_denormal(state["flush_denormal"])
    if "num_threads" in state:
        torch.set_num_threads(state["num_threads"])
    torch.set_default_dtype(state["default_dtype"])
    torch.set_grad_enabled(state["grad_enabled"])
    torch.use_deterministic_algorithms(state["deterministic"])


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

        from napari_unit.models.architecture import Architecture
        from napari_unit.models.card import ModelCard
        from napari_unit.models.file import save_model
        from napari_unit.models.model import TranslationModel

        path = (folder or tmp_path_factory.mktemp("models")) / f"{name}.safetensors"
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            model = TranslationModel(*domains, Architecture(width=2, n_residual=1))
        card = ModelCard(name, "Random weights.", domains, model.architecture, {}, "0.1.0")
        save_model(path, model, card)
        return path

    return save


@pytest.fixture(scope="session")
def random_model() -> Callable[..., Any]:
    """Return a function that makes a model with random weights, always the same ones.

    Its domains are called a and b and map -1 and 1 to themselves.
    """

    def make(
        width: int = 3, channels: tuple[int, int] = (1, 1), n_shared: int = 1, seed: int = 0
    ) -> Any:
        import torch

        from napari_unit.domains import Domain, IntensityScaling
        from napari_unit.models.architecture import Architecture
        from napari_unit.models.model import TranslationModel

        scaling = IntensityScaling("range", -1.0, 1.0)
        domains = (
            Domain(name, tuple(f"{name}{index}" for index in range(n)), scaling)
            for name, n in zip("ab", channels, strict=True)
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return TranslationModel(*domains, Architecture(width, n_shared=n_shared))

    return make


@pytest.fixture(scope="session")
def stored_statistics() -> Callable[..., Any]:
    """Return a function that pools a model's own statistics over a few random crops."""

    def pool(model: Any) -> Any:
        import torch

        from napari_unit.engine.pooling import pool_statistics

        random = torch.Generator().manual_seed(0)
        names = [domain.name for domain in model.domains]
        return tuple(
            pool_statistics(
                model.steps(source.name, target),
                torch.rand((4, source.n_channels, 16, 16), generator=random) * 2 - 1,
            )
            for source, target in zip(model.domains, reversed(names), strict=True)
        )

    return pool


@pytest.fixture(scope="session")
def finish() -> Callable[..., tuple[Any, list[Any]]]:
    """Return a function that runs a generator: what it returns, and all that it yields."""

    def run(job: Any) -> tuple[Any, list[Any]]:
        yielded = []
        while True:
            try:
                yielded.append(next(job))
            except StopIteration as end:
                return end.value, yielded

    return run
