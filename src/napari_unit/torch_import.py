"""Import torch and what belongs to it beside a window, which goes on."""

import ctypes
import gc
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

_GLOBAL_DEPS = "torch_global_deps"
_LIBRARIES = (_GLOBAL_DEPS, "c10", "torch_cpu", "c10_cuda", "torch_cuda", "torch", "torch_python")
"""In the order in which they need each other."""
_MAPS = Path("/proc/self/maps")
"""The libraries of this process, on Linux."""


def import_torch() -> None:
    """Import torch on a thread that is not the one that draws.

    Python's import holds the interpreter for as long as the system loads torch's libraries,
    which are hundreds of megabytes: a window would freeze for half a second. So the libraries are
    loaded before, by a call that lets the interpreter go on. On Windows torch does that itself.
    """
    if "torch" in sys.modules:
        return
    if os.name == "posix":
        _load_libraries()
    with _no_collection():
        import torch  # noqa: F401


def import_triton() -> None:
    """Import triton, as torch's optimisers do where it is installed, beside a window by Mesa.

    Both bring an LLVM of their own. Triton's library would find the names of Mesa's first, which
    is loaded already, and crash the process; so it is told to look among its own first. Where
    there is no such window, or no triton, nothing is done.
    """
    if "triton" in sys.modules or not _has_llvm() or find_spec("triton") is None:
        return
    flags = sys.getdlopenflags()
    sys.setdlopenflags(flags | os.RTLD_DEEPBIND)
    try:
        with suppress(ImportError):  # torch does without it as well
            import_module("triton")
    finally:
        sys.setdlopenflags(flags)


def _has_llvm() -> bool:
    """Whether this process has loaded the system's LLVM, on Linux."""
    return (
        hasattr(os, "RTLD_DEEPBIND")
        and _MAPS.is_file()
        and "libLLVM" in _MAPS.read_text("utf-8", "replace")
    )


@contextmanager
def _no_collection() -> Generator[None]:
    """Keep Python from looking for garbage among all that is imported: 0.1 to 0.2 s each time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        # what is new becomes old without having been looked at
        gc.freeze()
        gc.unfreeze()
        if was_enabled:
            gc.enable()


def _load_libraries() -> None:
    """Load torch's libraries; one that cannot be loaded is left to torch, which says why."""
    spec = find_spec("torch")
    if spec is None or not spec.submodule_search_locations:
        return
    folder = Path(spec.submodule_search_locations[0]) / "lib"
    ending = "dylib" if sys.platform == "darwin" else "so"
    # foreign functions run without Python's lock, as ctypes' own loading of libraries does not
    load = ctypes.CDLL(None).dlopen
    load.restype, load.argtypes = ctypes.c_void_p, (ctypes.c_char_p, ctypes.c_int)
    for name in _LIBRARIES:
        path = folder / f"lib{name}.{ending}"
        if path.is_file():
            scope = os.RTLD_GLOBAL if name == _GLOBAL_DEPS else os.RTLD_LOCAL
            load(os.fsencode(path), os.RTLD_NOW | scope)
