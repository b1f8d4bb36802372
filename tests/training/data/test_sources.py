from pathlib import Path

import numpy as np
import pytest
import zarr

from napari_unit_training.data.sources import find_images, name_of_source, told
from napari_unit_training.errors import TrainingError


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a working directory with two plates of images."""
    for plate in ("plate1", "plate2"):
        folder = tmp_path / plate / "raw"
        folder.mkdir(parents=True)
        for name in ("b.tif", "a.PNG", "c.npy", ".hidden.tif", "notes.txt"):
            (folder / name).write_text("x")
        zarr.create_array(folder / "d.zarr", shape=(4, 4), dtype="u1")[...] = np.eye(4)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names(found: list[Path]) -> list[str]:
    return [path.as_posix() for path in found]


def test_a_folder_gives_its_images_and_not_its_subfolders(here: Path) -> None:
    assert [path.name for path in find_images("plate1/raw")] == [
        "a.PNG",
        "b.tif",
        "c.npy",
        "d.zarr",
    ]
    with pytest.raises(TrainingError, match=r"The folder plate1 has no images; .* \.tif"):
        find_images("plate1")


def test_patterns_reach_into_folders(here: Path) -> None:
    assert names(find_images("plate*/raw/*.tif")) == ["plate1/raw/b.tif", "plate2/raw/b.tif"]
    assert len(find_images("**/*.npy")) == 2
    with pytest.raises(TrainingError, match=r"No image matches plate\*/\*.tif"):
        find_images("plate*/*.tif")


def test_files_and_several_sources_together_give_each_image_once(here: Path) -> None:
    found = find_images(["plate1/raw/b.tif", Path("plate1/raw"), "plate2/raw/d.zarr"])
    assert len(found) == 5
    assert found == sorted(found)
    with pytest.raises(TrainingError, match="There is no plate3; give a folder"):
        find_images(["plate1/raw", "plate3"])


def test_a_source_is_called_as_its_folder(here: Path) -> None:
    assert name_of_source("plate1/raw") == "raw"
    assert name_of_source("plate1/raw/b.tif") == "raw"
    assert name_of_source("plate1/raw/*.tif") == "raw"
    assert name_of_source(["plate2", "plate1"]) == "plate2"
    assert told(["a", "b", "c"]) == "a and 2 more"
    assert told(Path("a")) == "a"


def test_one_image_by_two_paths_is_one(here: Path) -> None:
    (here / "link").symlink_to(here / "plate1")
    assert len(find_images(["plate1/raw", here / "plate1" / "raw", "link/raw"])) == 4


def test_levels_of_a_pyramid_are_no_images_of_their_own(here: Path) -> None:
    group = zarr.open_group(here / "p.ome.zarr", mode="w")
    for level in range(2):
        group.create_array(str(level), shape=(4, 4), dtype="u1")
    assert names(find_images("*.zarr/**")) == ["p.ome.zarr"]
    assert sum("p.ome.zarr" in path.parts for path in find_images("**")) == 1


def test_no_source_is_a_sentence() -> None:
    with pytest.raises(TrainingError, match="There is no source"):
        find_images([])
