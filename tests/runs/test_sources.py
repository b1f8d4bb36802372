import json
import os
from pathlib import Path

import pytest

from napari_unit.runs.sources import RunSources, absolute

SOURCES = RunSources(("/data/a", "/more/*.tif"), ("/data/b",), ("/va",), ("/vb",), val_paired=True)


def test_what_is_written_is_read_back(tmp_path):
    SOURCES.write(tmp_path / "sources.json")
    assert RunSources.read(tmp_path / "sources.json") == SOURCES


def test_a_folder_of_an_earlier_version_says_what_to_do(tmp_path):
    with pytest.raises(ValueError, match="does not say where its images are; give them"):
        RunSources.read(tmp_path / "sources.json")


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"a": "x"}', "\N{BOM}"])
def test_a_damaged_file_is_said(tmp_path, content):
    (tmp_path / "sources.json").write_text(content, "utf-8")
    with pytest.raises(ValueError, match=r"sources\.json cannot be read"):
        RunSources.read(tmp_path / "sources.json")


def test_a_list_of_numbers_is_no_source(tmp_path):
    values = {"a": [1], "b": [], "val_a": [], "val_b": [], "val_paired": False}
    (tmp_path / "sources.json").write_text(json.dumps(values))
    with pytest.raises(ValueError, match="cannot be read"):
        RunSources.read(tmp_path / "sources.json")


def test_paths_are_found_from_any_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    here = Path(os.getcwd())
    assert absolute("a") == (str(here / "a"),)
    assert absolute(["a", Path("/b/*.tif")]) == (str(here / "a"), str(Path("/b/*.tif").absolute()))
