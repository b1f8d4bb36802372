"""Open a dock widget in a napari of its own."""

import subprocess
import sys

OPENING_S = 0.3
"""How long a dock widget may take to open."""
_MORE_TIMES = 2

PROGRAM = """
import compileall, importlib, pathlib, sys, time
import napari, napari_unit, numpy as np
from npe2 import PluginManager

module, widget_class, *unwanted = sys.argv[1:]
compileall.compile_dir(pathlib.Path(napari_unit.__file__).parent, quiet=1)  # as pip does
PluginManager.instance().discover()  # napari has, where a menu opens a widget
viewer = napari.Viewer(show=False)
viewer.add_image(np.zeros((64, 64)))
began = time.process_time()
widget = getattr(importlib.import_module(module), widget_class)(viewer)
seconds = time.process_time() - began
viewer.window.add_dock_widget(widget)
print("opened", seconds, *(name for name in unwanted if name in sys.modules))
viewer.close()
"""


def opened(module: str, widget_class: str, unwanted: tuple[str, ...]) -> tuple[float, list[str]]:
    """Open a widget.

    Returns
    -------
    Seconds of the processor that importing and making it take, the least of several times where
    other programs keep the first from being fast; and what unwanted it loads.
    """
    seconds, loaded = _opened(module, widget_class, unwanted)
    for _ in range(_MORE_TIMES):
        if loaded or seconds < OPENING_S:
            break
        seconds = min(seconds, _opened(module, widget_class, unwanted)[0])
    return seconds, loaded


def _opened(module: str, widget_class: str, unwanted: tuple[str, ...]) -> tuple[float, list[str]]:
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, module, widget_class, *unwanted],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    seconds, *loaded = ran.stdout.splitlines()[-1].split()[1:]
    return float(seconds), loaded
