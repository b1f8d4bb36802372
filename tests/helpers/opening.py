"""Open a dock widget in a napari of its own."""

import subprocess
import sys

PROGRAM = """
import importlib, sys, time
import napari, numpy as np

module, widget_class, *unwanted = sys.argv[1:]
viewer = napari.Viewer(show=False)
viewer.add_image(np.zeros((64, 64)))
began_s = time.process_time()
widget = getattr(importlib.import_module(module), widget_class)(viewer)
opened_s = time.process_time()
viewer.window.add_dock_widget(widget)
print(opened_s - began_s, *(name for name in unwanted if name in sys.modules))
viewer.close()
"""


def opened(module: str, widget_class: str, unwanted: tuple[str, ...]) -> tuple[float, list[str]]:
    """Return how long a widget took to open, and which unwanted modules it has loaded.

    Seconds of processor time, imports included: by the clock it would be the machine's other work
    as well.
    """
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, module, widget_class, *unwanted],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    opening_s, *loaded = ran.stdout.splitlines()[-1].split()
    return float(opening_s), loaded
