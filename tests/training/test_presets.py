"""Presets that people choose by words, held against what the trainer makes of them."""

import numpy as np
import pytest
import torch

from napari_unit._widget.training.words import PRESETS
from napari_unit.domains import Domain, IntensityScaling
from napari_unit_training.config_files import preset_names, read_preset, settings_from
from napari_unit_training.memory import MemoryEstimate

NAMES = [preset.name for preset in PRESETS]


def settings_of(name):
    return settings_from(read_preset(name))


@pytest.mark.parametrize("preset", PRESETS, ids=NAMES)
def test_words_and_settings_say_the_same_time(preset):
    assert preset.name in preset_names()
    assert settings_of(preset.name).minutes == preset.minutes
    hours = preset.minutes / 60
    in_words = f"{preset.minutes:g} minutes" if hours < 1 else f"{hours:g} hour"
    assert in_words in preset.words


def test_more_time_gives_no_smaller_networks():
    widths = [settings_of(name).width for name in NAMES]
    assert widths == sorted(widths)
    minutes = [preset.minutes for preset in PRESETS]
    assert minutes == sorted(minutes)


@pytest.mark.parametrize("name", NAMES)
def test_each_fits_a_laptop_and_measures_quality(name):
    settings = settings_of(name)
    domains = tuple(
        Domain(letter, ("red", "green", "blue"), IntensityScaling("range", 0.0, 255.0))
        for letter in "ab"
    )
    estimate = MemoryEstimate(settings, domains, torch.device("cpu"))
    assert estimate.bytes_of(settings.batch_size, settings.crop_px) < 3e9
    assert settings.validation.held_out > 0
    assert settings.device == "auto"


@pytest.mark.parametrize("name", NAMES)
def test_there_is_something_to_see_soon(name):
    """At an image a second, as the slowest computers have, a tenth of the time shows a preview."""
    settings = settings_of(name)
    seconds = settings.minutes * 60
    assert settings.cadence.log <= seconds / 20
    assert settings.cadence.preview <= np.ceil(seconds / 5)
    assert settings.cadence.checkpoint <= seconds
