"""The plugin's page of napari's preferences, and what older versions of napari do without it."""

import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from npe2 import PluginManifest

import napari_unit
from napari_unit._widget.options import DEVICES, DTYPES, STATISTICS
from napari_unit._widget.preferences import Preferences, stored_preferences
from napari_unit.request import TranslationRequest

pytestmark = pytest.mark.qt
MANIFEST = Path(napari_unit.__file__).with_name("napari.yaml")
try:
    from napari.settings import get_plugin_settings
except ImportError:
    get_plugin_settings = None

needs_a_page = pytest.mark.skipif(
    get_plugin_settings is None, reason="this napari has no pages of plugins: before 0.9"
)


@pytest.fixture
def plugin(npe2pm: Any, request: pytest.FixtureRequest) -> Iterator[Any]:
    """Have the plugin installed, with settings of its own for this test."""
    if get_plugin_settings is not None:
        request.getfixturevalue("plugin_settings")
    with npe2pm.tmp_plugin(manifest=str(MANIFEST)) as installed:
        yield installed


@pytest.fixture
def page(plugin: Any) -> Any:
    return get_plugin_settings("napari-unit").translation


def properties() -> dict[str, Any]:
    contributed: Any = PluginManifest.from_file(MANIFEST).contributions
    return dict(contributed.configurations["translation"].properties)


@needs_a_page
def test_what_nobody_has_set_is_what_a_request_has(page: Any) -> None:
    found, usual = stored_preferences(), TranslationRequest()
    assert found == Preferences()
    for field in fields(Preferences):
        assert getattr(found, field.name) == getattr(usual, field.name)


@needs_a_page
def test_what_is_set_is_found(page: Any) -> None:
    page.device, page.memory, page.statistics, page.dtype = "cpu", "8 GB", "whole", "same"
    assert stored_preferences() == Preferences("cpu", "8 GB", "whole", "same")
    assert TranslationRequest(memory=stored_preferences().memory).memory_bytes == 8 * 10**9


@needs_a_page
def test_the_page_offers_what_the_widget_offers(page: Any) -> None:
    offered = properties()
    assert set(offered) == {field.name for field in fields(Preferences)}
    assert set(offered["statistics"].enum) == {value for value, *_ in STATISTICS}
    assert set(offered["dtype"].enum) == {value for value, *_ in DTYPES}
    # of the graphics of all systems
    assert {value for value, *_ in DEVICES} <= set(offered["device"].enum)
    for memory in offered["memory"].enum:
        assert TranslationRequest(memory=memory).memory_bytes > 10**9
    with pytest.raises(ValueError, match="tpu"):
        page.device = "tpu"


@needs_a_page
def test_napari_shows_the_page(page: Any, make_napari_viewer: Any, qtbot: Any) -> None:
    from napari._qt.dialogs.preferences_dialog import PreferencesDialog
    from qtpy.QtWidgets import QComboBox

    viewer = make_napari_viewer()
    dialog = PreferencesDialog(parent=viewer.window._qt_window)
    try:
        titles = [dialog._list.item(row).text() for row in range(dialog._list.count())]
        (row,) = (i for i, title in enumerate(titles) if "UNIT" in title)
        dialog._list.setCurrentRow(row)
        shown = dialog._stack.currentWidget()
        boxes = shown.findChildren(QComboBox)
        (devices,) = (box for box in boxes if box.findText("cuda") >= 0)
        devices.setCurrentText("cpu")
        assert stored_preferences().device == "cpu"
    finally:
        dialog.close()


def test_a_napari_without_pages_gives_what_is_usual(
    plugin: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("napari.settings.get_plugin_settings", raising=False)
    assert stored_preferences() == Preferences()


def test_a_widget_of_a_plugin_that_is_not_installed_gives_what_is_usual(npe2pm: Any) -> None:
    assert "napari_unit" in sys.modules
    assert stored_preferences() == Preferences()
