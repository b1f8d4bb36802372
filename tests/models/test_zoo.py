import hashlib
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from napari_unit.domains import Domain, IntensityScaling
from napari_unit.models import zoo
from napari_unit.models.architecture import Architecture
from napari_unit.models.card import ModelCard, ModelFileError
from napari_unit.models.file import load_model, save_model
from napari_unit.models.model import TranslationModel

GRAY = IntensityScaling("range", 0, 255)


def put(folder: Path, name: str, description: str = "") -> Path:
    folder.mkdir(exist_ok=True)
    torch.manual_seed(0)
    a, b = Domain("sim", ("g",), GRAY), Domain("real", ("g",), GRAY)
    model = TranslationModel(a, b, Architecture(width=1))
    card = ModelCard(name, description, (a, b), model.architecture, {}, "0")
    path = folder / f"{name}.safetensors"
    save_model(path, model, card)
    return path


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    bundled, user = tmp_path / "bundled", tmp_path / "user"
    monkeypatch.setattr(zoo, "bundled_folder", lambda: bundled)
    monkeypatch.setattr(zoo, "user_folder", lambda: user)
    return bundled, user


def test_no_folder_is_no_models(folders: tuple[Path, Path]) -> None:
    assert zoo.list_models() == []
    with pytest.raises(ModelFileError, match="none is installed"):
        zoo.find_model("nuclei")


def test_a_users_model_hides_a_bundled_one_of_its_name(folders: tuple[Path, Path]) -> None:
    bundled, user = folders
    put(bundled, "nuclei", "bundled")
    put(bundled, "other")
    mine = put(user, "nuclei", "mine")
    entries = {entry.name: entry for entry in zoo.list_models()}
    assert set(entries) == {"nuclei", "other"}
    assert entries["nuclei"].path == mine
    assert entries["nuclei"].origin == "user"
    assert zoo.find_model("nuclei").card.description == "mine"


def test_a_path_is_a_model_too(folders: tuple[Path, Path], tmp_path: Path) -> None:
    path = put(tmp_path / "elsewhere", "m")
    assert zoo.find_model(path) == zoo.find_model(str(path))
    assert zoo.find_model(path).origin == "path"


def test_an_unknown_name_lists_what_there_is(folders: tuple[Path, Path]) -> None:
    put(folders[0], "nuclei")
    with pytest.raises(
        ModelFileError, match=r"no model 'nuclie'; there is 'nuclei' \(sim ↔ real\)"
    ):
        zoo.find_model("nuclie")


def test_a_damaged_file_is_left_out_with_a_warning(folders: tuple[Path, Path]) -> None:
    put(folders[0], "nuclei")
    folders[1].mkdir()
    (folders[1] / "broken.safetensors").write_bytes(b"12")
    with pytest.warns(UserWarning, match=r"broken\.safetensors is not a whole"):
        assert [entry.name for entry in zoo.list_models()] == ["nuclei"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("histology", "575a9fc191d9c771ab2b9edb530e4e16c78e0db57ab9259ab108441a0c74ef0e"),
        ("nuclei", "2ddea4c5b370eb3a7e07e2437687531297fcc421ef24b5069fd29ef24c4dbabf"),
    ],
)
def test_a_bundled_model_has_the_weights_that_were_measured_and_statistics(
    name: str, expected: str
) -> None:
    """A changed weight would make the benchmarks' results untrue; statistics change none."""
    path = zoo.bundled_folder() / f"{name}.safetensors"
    digest = hashlib.sha256()
    for key, tensor in sorted(load_file(path).items()):
        if not key.startswith("statistics."):
            digest.update(key.encode() + tensor.numpy().tobytes())
    assert digest.hexdigest() == expected
    loaded = load_model(path)
    assert loaded.card.name == name
    assert loaded.statistics is not None
    assert [(s.n_crops, s.crop_px) for s in loaded.statistics] == [(256, 128)] * 2


def test_the_bundled_nuclei_tell_where_their_statistics_are_from() -> None:
    """They were added after the training, of the same images."""
    loaded = load_model(zoo.bundled_folder() / "nuclei.safetensors")
    told = loaded.card.training["statistics"]
    assert told["crops"]["count"] == 256
    for letter, description in loaded.card.training["data"].items():
        assert {**told["data"][letter], **description} == told["data"][letter]
