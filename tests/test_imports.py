"""What importing a module brings along, each time in a Python of its own."""

import json
import pkgutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import napari_unit
import napari_unit_training

GUI = {
    "napari",
    "magicgui",
    "qtpy",
    "superqt",
    "vispy",
    "PyQt5",
    "PyQt6",
    "PySide2",
    "PySide6",
    "pyqtgraph",
}
HEAVY = GUI | {"torch", "kornia", "numpy", "scipy", "dask", "zarr", "tifffile", "PIL", "rich"}
# Read by the dock widget, the command line and the simulator, which open at once.
WITHOUT_TORCH = [
    "atomic", "direction", "domains", "engine.planes", "engine.sampling", "engine.system_memory",
    "geometry.regions", "geometry.tiling", "images.array_files", "images.axes", "images.color",
    "images.decoding", "images.files", "images.layers", "images.levels", "images.ome_tiff",
    "images.outputs", "images.pictures", "images.placement", "images.source_image",
    "images.storage", "images.tiff_files", "images.units", "images.zarr_files",
    "images.copying", "models.architecture", "models.card", "models.relabeling", "models.zoo",
    "progress", "provenance", "runs.event_lines", "runs.latest_preview", "runs.listing", "simulate",
]  # fmt: skip


def modules_of(package: Any) -> list[str]:
    found = pkgutil.walk_packages(package.__path__, package.__name__ + ".")
    return [package.__name__, *(module.name for module in found)]


def loaded_by(*modules: str) -> dict[str, list[str]]:
    """Import modules one after the other; return the packages that each has loaded."""
    program = (
        "import importlib, json, sys\n"
        "loaded, seen = {}, set()\n"
        "for name in sys.argv[1:]:\n"
        "    importlib.import_module(name)\n"
        "    now = {module.partition('.')[0] for module in sys.modules}\n"
        "    loaded[name], seen = sorted(now - seen), now\n"
        "print(json.dumps(loaded))\n"
    )
    return json.loads(python(program, *modules))


def python(program: str, *arguments: str) -> str:
    """Run a program and return what it prints."""
    run = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


def culprits(loaded: dict[str, list[str]], unwanted: set[str]) -> dict[str, list[str]]:
    return {
        name: sorted(unwanted & set(got)) for name, got in loaded.items() if unwanted & set(got)
    }


def test_the_package_loads_nothing_heavy() -> None:
    assert not culprits(loaded_by("napari_unit"), HEAVY)


def test_light_modules_load_no_torch() -> None:
    loaded = loaded_by(*(f"napari_unit.{name}" for name in WITHOUT_TORCH))
    assert not culprits(loaded, GUI | {"torch", "kornia"})


def test_only_the_widget_knows_a_gui() -> None:
    core = [name for name in modules_of(napari_unit) if "._widget" not in name]
    assert len(core) > len(WITHOUT_TORCH)
    assert not culprits(loaded_by(*core), GUI | {"kornia", "napari_unit_training"})


def test_the_trainer_knows_neither_gui_nor_plugin() -> None:
    modules = [name for name in modules_of(napari_unit_training) if "__main__" not in name]
    program = (
        "import importlib, json, sys\n"
        "for name in sys.argv[1:]:\n"
        "    importlib.import_module(name)\n"
        "print(json.dumps(sorted(sys.modules)))\n"
    )
    loaded = set(json.loads(python(program, *modules)))
    assert not GUI & loaded
    assert not [name for name in loaded if name.startswith("napari_unit._")]


@pytest.mark.parametrize(
    "command",
    [
        ["napari_unit", "--help"],
        ["napari_unit.cli", "models"],
        ["napari_unit.cli", "train", "-h"],
        ["napari_unit.cli", "calibrate", "-h"],
    ],
    ids=lambda command: " ".join(command[1:]),
)
def test_commands_that_compute_nothing_load_no_torch(command: list[str]) -> None:
    program = (
        "import runpy, sys\n"
        "sys.argv = sys.argv[1:]\n"
        "try:\n"
        "    runpy.run_module(sys.argv[0], run_name='__main__')\n"
        "except SystemExit as end:\n"
        "    assert not end.code, end.code\n"
        "print('torch' in sys.modules)\n"
    )
    assert python(program, *command).splitlines()[-1] == "False"


def test_importing_changes_nothing_outside() -> None:
    """Neither environment variables nor what torch was set to."""
    program = (
        "import importlib, os, sys, threading, torch\n"
        "def state():\n"
        "    return (dict(os.environ), torch.get_num_threads(), torch.get_default_dtype(),\n"
        "        torch.is_grad_enabled(), torch.backends.cudnn.benchmark,\n"
        "        torch.are_deterministic_algorithms_enabled(), torch.initial_seed(),\n"
        "        torch.tensor(1e-40).mul(1.0).item(), threading.active_count())\n"
        "import kornia, dask.array, zarr, tifffile\n"  # what these change is theirs
        "before = state()\n"
        "for name in sys.argv[1:]:\n"
        "    importlib.import_module(name)\n"
        "assert state() == before, (before, state())\n"
    )
    names = modules_of(napari_unit) + modules_of(napari_unit_training)
    python(program, *(name for name in names if "._widget" not in name and "__main__" not in name))


@pytest.mark.parametrize("name", napari_unit.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(napari_unit, name) is not None
    assert name in dir(napari_unit)


def test_an_unknown_public_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'transmogrify'"):
        napari_unit.transmogrify  # noqa: B018


def test_a_translation_loads_no_compiler(save_tiny_model: Callable[..., Path]) -> None:
    """The one that torch brings on Linux crashes beside Mesa's, which draws napari's windows."""
    from napari_unit.domains import Domain, IntensityScaling

    scaling = IntensityScaling("range", 0.0, 255.0)
    path = save_tiny_model("m", *(Domain(name, ("dna",), scaling) for name in "ab"))
    program = (
        "import sys, numpy, napari_unit\n"
        "napari_unit.translate(numpy.zeros((40, 40), 'u1') + numpy.arange(40, dtype='u1'),\n"
        "                      sys.argv[1], 'b')\n"
        "print('torch' in sys.modules, {'torch._dynamo', 'triton'} & set(sys.modules))"
    )
    assert python(program, str(path)) == "True set()\n"
