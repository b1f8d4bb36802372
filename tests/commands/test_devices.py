import json

import pytest

from napari_unit import cli
from napari_unit.engine.devices import available_devices


def test_devices_are_listed_for_people_and_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["devices"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(": ")[0] for line in lines] == list(available_devices())
    assert cli.main(["devices", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [device["name"] for device in found] == list(available_devices())
    assert all(device["description"] for device in found)
