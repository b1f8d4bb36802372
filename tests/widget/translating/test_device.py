"""The devices of this computer, asked for without importing torch here."""

from typing import Any

import pytest

from napari_unit._widget.translating import device

pytestmark = pytest.mark.qt


def test_the_list_becomes_that_of_this_computer(samples: Any, desk: Any) -> None:
    at = desk(samples.gray())
    choice = at.form.device_choice
    at.pick(choice, "CPU")
    choice.showPopup()
    choice.hidePopup()
    at.wait(lambda: choice.is_known)
    assert choice.value == "cpu"
    assert choice.currentText().startswith("CPU, ")
    assert choice.currentText().endswith("GB free")
    assert at.offered(choice)[0] == "Automatic"
    assert at.run() is not None


@pytest.mark.parametrize("ask", [("-c", "print('nonsense')"), ("-c", "raise SystemExit(3)")])
def test_without_an_answer_the_list_stays(
    samples: Any, desk: Any, monkeypatch: pytest.MonkeyPatch, ask: tuple[str, ...]
) -> None:
    monkeypatch.setattr(device, "_ASK", ask)
    at = desk(samples.gray())
    choice = at.form.device_choice
    before = at.offered(choice)
    choice.ask()
    at.wait(lambda: choice._process is None)
    assert at.offered(choice) == before


def test_closing_while_it_is_asked_leaves_no_process(samples: Any, desk: Any) -> None:
    at = desk(samples.gray())
    at.form.device_choice.ask()
    at.widget.parent().destroyOnClose()
    at.widget.deleteLater()
