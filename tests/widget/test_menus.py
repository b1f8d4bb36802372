"""Where a person finds the plugin in napari's menus."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import napari_unit

pytestmark = pytest.mark.qt
MANIFEST = Path(napari_unit.__file__).with_name("napari.yaml")


@pytest.fixture
def viewer(npe2pm: Any, make_napari_viewer: Any) -> Iterator[Any]:
    with npe2pm.tmp_plugin(manifest=str(MANIFEST)):
        yield make_napari_viewer()


def entries(menu: Any) -> dict[str, Any]:
    menu.aboutToShow.emit()
    return {action.text().replace("&", ""): action for action in menu.actions() if action.text()}


def test_translate_is_in_a_submenu_of_layers_filter_and_opens(
    viewer: Any, models: Any, qtbot: Any
) -> None:
    models.add("nuclei")
    filters = entries(viewer.window.layers_menu)["Filter"].menu()
    unit = entries(filters)["Unpaired translation (UNIT)"].menu()
    (translate,) = (
        action for text, action in entries(unit).items() if text.startswith("Translate")
    )
    translate.trigger()
    docked = viewer.window._wrapped_dock_widgets
    assert [name for name in docked if name.startswith("Translate")]


@pytest.mark.parametrize(
    ("key", "layers", "pixel_um"),
    [
        ("nuclei", ["simulated nuclei", "simulated nuclei labels"], 0.65),
        ("tissue", ["simulated tissue", "simulated tissue labels"], 0.25),
        ("two-domains", ["fluorescence", "absorption"], 0.65),
    ],
)
def test_samples_open(viewer: Any, key: str, layers: list[str], pixel_um: float) -> None:
    viewer.open_sample("napari-unit", key)
    assert [layer.name for layer in viewer.layers] == layers
    for layer in viewer.layers:
        assert layer.scale.tolist() == [pixel_um, pixel_um]
        assert {str(unit) for unit in layer.units} == {"micrometer"}
