import copy
import json
import shlex
from dataclasses import replace

import pytest
import torch

from napari_unit.models.file import load_model
from napari_unit.models.normalisation import MeasurableNorm
from napari_unit.models.stored_statistics import to_tensors
from napari_unit_training.calibration import MAX_CROPS, model_statistics
from napari_unit_training.command import settings_of
from napari_unit_training.config_files import read_preset, settings_from
from napari_unit_training.data.run_images import load_domains
from napari_unit_training.export import export_model, make_card
from napari_unit_training.quality.crops import CropChoice
from napari_unit_training.session import Session


@pytest.fixture
def data(settings, folders):
    return load_domains(settings, *folders, torch.device("cpu"))


def test_the_file_holds_the_averaged_weights_and_the_card(settings, data, tmp_path):
    session = Session(settings, (data[0].domain, data[1].domain), torch.device("cpu"))
    with torch.no_grad():
        for parameter in session.averaged.model.parameters():
            parameter.mul_(0.5)
    export_model(tmp_path / "m.safetensors", session, data, with_statistics=False)
    loaded = load_model(tmp_path / "m.safetensors")
    for name, parameter in session.averaged.model.named_parameters():
        assert torch.equal(dict(loaded.model.named_parameters())[name], parameter), name
    assert loaded.card == make_card(settings, 0, data)
    assert loaded.statistics is None


@pytest.mark.parametrize("weights_dtype", ["float32", "float16"])
def test_statistics_are_those_of_the_weights_in_the_file(
    settings, data, tmp_path, weights_dtype, assert_equal
):
    settings = replace(settings, weights_dtype=weights_dtype)
    session = Session(settings, (data[0].domain, data[1].domain), torch.device("cpu"))
    session.step(data)
    state, generator = copy.deepcopy(session.state()), torch.get_rng_state()
    for name in ("m", "again"):
        export_model(tmp_path / f"{name}.safetensors", session, data, with_statistics=True)
    # the training goes on as if nothing had been
    assert_equal(session.state(), state)
    assert torch.equal(torch.get_rng_state(), generator)
    assert all(norm.frozen is None for norm in norms_of(session.averaged.model))
    assert (tmp_path / "m.safetensors").read_bytes() == (
        tmp_path / "again.safetensors"
    ).read_bytes()
    loaded = load_model(tmp_path / "m.safetensors")
    choice = CropChoice(MAX_CROPS, settings.crop_px, settings.min_crop_deviation, settings.seed)
    expected = model_statistics(loaded.model, (data[0].images, data[1].images), choice)
    assert_equal(to_tensors(loaded.statistics), to_tensors(expected))


def norms_of(model):
    return [module for module in model.modules() if isinstance(module, MeasurableNorm)]


def test_the_card_says_how_to_train_again_and_nothing_of_this_machine(settings, data, tmp_path):
    card = make_card(settings, 7, data)
    assert settings_from(card.training["settings"]) == settings
    assert card.training["images_seen"] == 7
    assert card.training["data"]["a"]["images"] == 3
    assert set(card.training["versions"]) == {"napari-unit", "python", "torch", "kornia", "numpy"}
    assert str(tmp_path) not in card.to_json()
    assert card.name == "left-right"
    assert "left" in card.description


def test_name_and_description_are_the_settings(settings, data):
    card = make_card(replace(settings, name="cells", description="Of cells."), 7, data)
    assert (card.name, card.description) == ("cells", "Of cells.")


def _parsed(command: str, tmp_path, settings):
    import argparse

    from napari_unit_training.command import add_arguments

    words = shlex.split(command)
    assert words[:2] == ["napari-unit", "train"]
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    (tmp_path / "settings.json").write_text(json.dumps(settings.to_mapping()))
    args = parser.parse_args(words[2:])
    if args.config is not None:
        args.config = tmp_path / args.config
    return settings_of(args)


@pytest.mark.parametrize("preset", ["paper", "nuclei"])
def test_the_command_of_a_preset_resolves_to_the_same_settings(preset, data, tmp_path):
    settings = replace(settings_from(read_preset(preset)), images_total=77, seed=5)
    command = make_card(settings, 77, data).training["command"]
    assert f"--preset {preset} --images 77 --seed 5" in command
    assert _parsed(command, tmp_path, settings) == settings


def test_the_command_of_own_settings_takes_the_file(settings, data, tmp_path):
    command = make_card(settings, 7, data).training["command"]
    assert command.endswith("--config settings.json")
    assert _parsed(command, tmp_path, settings) == settings
