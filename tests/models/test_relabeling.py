import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from napari_unit.domains import Domain, IntensityScaling
from napari_unit.models import relabeling
from napari_unit.models.architecture import Architecture
from napari_unit.models.card import ModelCard, ModelFileError, read_card
from napari_unit.models.file import load_model
from napari_unit.models.relabeling import own_model_path, with_card


@pytest.fixture
def path(save_tiny_model) -> Path:
    scaling = IntensityScaling("range", 0.0, 255.0)
    return save_tiny_model("m", *(Domain(name, ("dna",), scaling) for name in "ab"))


def test_the_copy_has_other_words_and_the_same_weights(path, tmp_path):
    before = path.read_bytes()
    card = replace(
        read_card(path), name="Färbung", description="x" * 5000, author="Ada", license="CC-BY-4.0"
    )
    out = tmp_path / "models" / "mine.safetensors"
    with_card(path, card, out)
    assert read_card(out) == card
    ours, theirs = load_model(out).model.state_dict(), load_model(path).model.state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert path.read_bytes() == before
    assert [p.name for p in out.parent.iterdir()] == ["mine.safetensors"]


def test_a_card_is_exchanged_in_its_place(path):
    weights = load_model(path).model.state_dict()
    card = replace(read_card(path), description="For nuclei at 20x.", author="Ada")
    with_card(path, card, path)
    found = load_model(path)
    assert found.card == card
    assert all(torch.equal(found.model.state_dict()[name], weights[name]) for name in weights)
    assert [one.name for one in path.parent.iterdir() if one.name.startswith(".")] == []


def test_a_card_that_cannot_be_exchanged_leaves_the_file(path, monkeypatch):
    before = path.read_bytes()
    with pytest.raises(ValueError, match="describes another model"):
        with_card(path, replace(read_card(path), architecture=Architecture(width=64)), path)

    def refuse(*_):
        raise OSError("No space left on device")

    monkeypatch.setattr(relabeling.shutil, "copyfileobj", refuse)
    with pytest.raises(OSError, match="No space left"):
        with_card(path, replace(read_card(path), author="Ada"), path)
    assert path.read_bytes() == before
    assert not list(path.parent.glob(".partial*"))


def test_shorter_words_do_as_well(path, tmp_path):
    card = replace(read_card(path), name="m", description="")
    with_card(path, card, tmp_path / "x.safetensors")
    assert load_model(tmp_path / "x.safetensors").card == card


def test_tensors_stay_where_fast_readers_want_them(path, tmp_path):
    for length in range(8):
        out = tmp_path / f"{length}.safetensors"
        with_card(path, replace(read_card(path), description="x" * length), out)
        assert int.from_bytes(out.read_bytes()[:8], "little") % 8 == 0


def test_no_file_is_written_over(path, tmp_path):
    out = tmp_path / "mine.safetensors"
    out.write_bytes(b"years of work")
    with pytest.raises(FileExistsError, match=r"mine\.safetensors already; choose another"):
        with_card(path, read_card(path), out)
    assert out.read_bytes() == b"years of work"


def test_a_card_of_other_networks_is_refused(path, tmp_path):
    other = replace(read_card(path), architecture=Architecture(width=64))
    with pytest.raises(ValueError, match="describes another model"):
        with_card(path, other, tmp_path / "x.safetensors")
    assert not list(tmp_path.glob("*.safetensors"))


def test_a_damaged_model_is_refused(path, tmp_path):
    card = read_card(path)
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(ModelFileError, match="not a whole"):
        with_card(cut, card, tmp_path / "x.safetensors")
    assert not (tmp_path / "x.safetensors").exists()


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("", "has no name"),
        ("  ", "has no name"),
        ("a/b", "holds '/'"),
        ("a\\b", "holds"),
        ("why?", r"holds '\?'"),
        (".hidden", "begins or ends with a dot"),
        ("x" * 101, "has 101 letters"),
        ("taken", "a model 'taken' of yours already"),
        ("nuclei", "comes with the plugin is called 'nuclei'"),
    ],
)
def test_names_that_files_cannot_have_are_refused(tmp_path, name, sentence):
    (tmp_path / "taken.safetensors").write_bytes(b"")
    with pytest.raises(ValueError, match=sentence):
        own_model_path(name, tmp_path)


def test_a_name_becomes_a_file_in_the_folder(tmp_path):
    assert own_model_path(" H&E to IHC ", tmp_path) == tmp_path / "H&E to IHC.safetensors"


def test_a_card_without_an_author_is_one_of_before(path):
    card = read_card(path)
    values = json.loads(card.to_json())
    assert not {"author", "license"} & set(values)
    assert ModelCard.from_json(json.dumps({**values, "author": "Ada"})).author == "Ada"
    with pytest.raises(ValueError, match="'license' is 4"):
        ModelCard.from_json(json.dumps({**values, "license": 4}))


def test_a_file_made_meanwhile_is_not_written_over(path, tmp_path, monkeypatch):
    out = tmp_path / "mine.safetensors"
    real = relabeling.shutil.copyfileobj

    def copy(*args):
        out.write_bytes(b"someone else's")
        real(*args)

    monkeypatch.setattr(relabeling.shutil, "copyfileobj", copy)
    with pytest.raises(FileExistsError):
        with_card(path, read_card(path), out)
    assert out.read_bytes() == b"someone else's"
