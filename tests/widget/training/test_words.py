from dataclasses import replace
from pathlib import Path

import pytest

from napari_unit._widget.training.words import (
    PRESETS,
    STATES,
    found_in_words,
    notes_in_words,
    pace_in_words,
    quality_in_words,
    state_in_words,
    title_of,
    troubles_in_words,
)
from napari_unit.runs.events import GaveUp, Progress, QualityMeasured, Started, WentBack
from napari_unit.runs.files import RunFiles
from napari_unit.runs.inspection import DomainInspection
from napari_unit.runs.listing import RunView
from napari_unit.runs.story import Story

FOUND = DomainInspection(
    "a", "left", 3, 3, 3, (40, 50), (48, 48), ("uint16",), ("intensity",),
    "percentiles:0.1,99.9", (12.0,), (345.678,),
)  # fmt: skip
START = Started(0, 100, "cpu", "float32", ("l", "r"), (3, 2), ("All of /home/jane/x.tif is used.",))
REPORT = Progress(50, 100, {}, 1e-4, 5.25, 90.0, 1_500_000_000)


def view(state, *events, sentence=""):
    files = RunFiles(Path("/runs/left to right"))
    return RunView(files, state, ("l", "r"), Story(events), "", sentence, False, False)


def test_images_are_described_in_a_line():
    said = "3 images of 48 × 40-50 px · uint16 · 1 channel · intensities about 12 to 345.7"
    assert found_in_words(FOUND) == said
    stack = replace(FOUND, n_images=1, n_looked_at=1, n_planes=7, channels=("red", "green"))
    assert found_in_words(stack).startswith("1 image with 7 planes of 48 × 40-50 px · uint16 · red")
    assert found_in_words(DomainInspection("a", "left", problems=("There is none.",))) == ""


def test_a_title_says_how_far_it_is():
    assert title_of(view("running", START, REPORT)) == "left to right · running at 50 %"
    assert title_of(view("starting")) == "left to right · starting"
    assert title_of(view("finished", START, REPORT)) == "left to right · finished"


def test_states_are_sentences():
    assert state_in_words(view("running", START, REPORT)) == "Running. 50 of 100 crops seen."
    said = state_in_words(view("failed", sentence="There is no /data/x/a.tif."))
    assert said == "Failed. There is no …/a.tif."
    assert all(state_in_words(view(state)).endswith(".") for state in STATES)


def test_the_pace_says_speed_time_and_memory():
    said = "0.556 crops/s · 1 min 30 s left · 1.5 GB of memory"
    assert pace_in_words(REPORT, is_open=False) == said, "50 crops in 90 s"
    unknown = replace(REPORT, memory_bytes=None)
    assert pace_in_words(unknown, is_open=True) == "0.556 crops/s · measuring the speed"
    over = replace(REPORT, images_seen=100, seconds_left=0.0, memory_bytes=None)
    assert pace_in_words(over, is_open=False) == "5.25 crops/s"


def test_troubles_quality_and_notes():
    back = WentBack(60, 40, "translations into 'r' are nearly constant", 1, 3)
    assert "it went back to 40 with lower learning rates" in troubles_in_words(
        view("running", back)
    )
    assert troubles_in_words(view("failed", back, GaveUp(70, "Gone wrong."))) == ""
    measured = QualityMeasured(50, (), 0.1234, True)
    assert quality_in_words(view("running", measured)).startswith("Best so far: 0.123 after 50")
    assert quality_in_words(view("running")) == ""
    one, other = (
        {"source": "l", "target": "r", "content_agreement": -0.8},
        {"source": "r", "target": "l", "content_agreement": -0.4},
    )
    inverted = quality_in_words(view("running", replace(measured, directions=(one, other))))
    assert inverted.startswith("Best so far: 0.123 after 50")
    assert "(content agreement: l → r -0.80), which" in inverted
    both = replace(measured, directions=(one, other | {"content_agreement": -0.9}))
    assert "(content agreement: l → r -0.80, r → l -0.90), which" in quality_in_words(
        view("running", both)
    )
    assert notes_in_words(view("running", START)) == "All of …/x.tif is used."


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)
def test_presets_say_what_they_are_for(preset):
    assert preset.meaning.endswith((".", "GPU."))
    assert preset.minutes > 0
