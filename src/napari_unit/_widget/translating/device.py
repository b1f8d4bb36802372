"""The devices that translations can run on, with the memory that is free there."""

import json
import sys
from typing import Any

from qtpy.QtCore import QProcess

from napari_unit._widget.choices import OptionChoice
from napari_unit._widget.options import DEVICES, Option

_ASK = ("-m", "napari_unit", "devices", "--json")


class DeviceChoice(OptionChoice):
    """A choice between devices.

    Which there are is asked of a process of its own when the list is opened first: PyTorch knows,
    and importing it here would take seconds.
    """

    def __init__(self) -> None:
        super().__init__(DEVICES)
        self._process: QProcess | None = None
        self.is_known = False
        """Whether the list is that of this computer."""
        self.setToolTip("What computes the translation.")

    def showPopup(self) -> None:
        """Ask for the devices before the list opens; they appear when they are known."""
        self.ask()
        super().showPopup()

    def ask(self) -> None:
        """Ask which devices there are, and how much of their memory is free."""
        if self._process is not None:
            return
        process = QProcess(self)
        process.finished.connect(self._take_answer)
        process.errorOccurred.connect(self._give_up)
        self._process = process
        self.destroyed.connect(process.kill)
        process.start(sys.executable, list(_ASK))

    def _take_answer(self, *_: Any) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        answer = bytes(process.readAllStandardOutput().data()).decode("utf-8", "replace")
        process.deleteLater()
        try:
            found = [_option(device) for device in json.loads(answer)]
        except (ValueError, KeyError, TypeError):
            return  # the list stays as it is; running on a device that is not there is refused
        chosen = self.value
        self.offer([DEVICES[0], *found])
        names = [self.itemData(i) for i in range(self.count())]
        wanted = {"cuda": "cuda:0"}.get(chosen, chosen)
        blocked = self.blockSignals(True)
        self.setCurrentIndex(names.index(wanted) if wanted in names else 0)
        self.blockSignals(blocked)
        self.is_known = True

    def _give_up(self, *_: Any) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.deleteLater()


def _option(device: dict[str, Any]) -> Option:
    name, free = str(device["name"]), device["free_bytes"]
    text = {"cpu": "CPU", "mps": "GPU (Apple)"}.get(name, name.replace("cuda:", "GPU "))
    known = "" if free is None else f", {float(free) / 1e9:.1f} GB free"
    return name, f"{text}{known}", str(device["description"])
