"""Open a dock widget in a napari of its own."""

import subprocess
import sys

PROGRAM = """
import importlib, sys
import napari, numpy as np

module, widget_class, *unwanted = sys.argv[1:]
viewer = napari.Viewer(show=False)
viewer.add_image(np.zeros((64, 64)))
widget = getattr(importlib.import_module(module), widget_class)(viewer)
viewer.window.add_dock_widget(widget)
print("loaded", *(name for name in unwanted if name in sys.modules))
viewer.close()
"""


def loaded_by(module: str, widget_class: str, unwanted: tuple[str, ...]) -> list[str]:
    """Return which unwanted modules are loaded once a widget is open."""
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, module, widget_class, *unwanted],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.splitlines()[-1].split()[1:]
