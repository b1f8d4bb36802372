import io
from pathlib import Path

import pytest

from napari_unit.runs.events import (
    CheckpointSaved,
    Finished,
    MemoryEstimated,
    PreviewWritten,
    Progress,
    QualityMeasured,
    Reading,
    Started,
    WentBack,
)
from napari_unit_training.progress import describe, show

EVENTS = [
    Reading("left/*.tif", "right"),
    Started(0, 100, "cpu", "float32", ("left", "right"), (3, 2), ("A note [with brackets].",)),
    Progress(50, 100, {"cycle_a": 0.25, "cycle_b": 0.5, "kl_a": 1.0}, 1e-4, 2.5, 3725.0),
    PreviewWritten(50, Path("p.png")),
    QualityMeasured(
        50,
        (
            {"source": "left", "target": "right", "distance": 0.25},
            {"source": "right", "target": "left", "distance": 0.5},
        ),
        0.375,
        is_best=True,
    ),
    CheckpointSaved(50, Path("c.pt")),
    WentBack(60, 50, "not finite: kl_a", 1, 3),
    Finished(100, Path("last.safetensors")),
]


def test_without_a_terminal_each_report_is_a_line():
    stream = io.StringIO()
    show(iter(EVENTS), stream)
    lines = stream.getvalue().splitlines()
    assert lines[0] == "Reading the images of left/*.tif and of right."
    assert lines[1].startswith("Training starts: 3 images of left, 2 of right; 100 crops")
    assert lines[2] == "A note [with brackets]."
    assert lines[3] == "50/100 images · 2.5 images/s · 1:02:05 left · cycle 0.75 kl 1"
    assert lines[4:] == [
        "Preview: p.png",
        describe(EVENTS[4]),
        "Checkpoint: c.pt",
        describe(EVENTS[-2]),
        "Finished after 100 images: last.safetensors",
    ]


def test_with_pairs_their_similarity_is_said_too():
    ways = tuple({**q, "paired": {"ssim": 0.5}} for q in EVENTS[4].directions)
    said = describe(QualityMeasured(50, ways, 0.5, is_best=False))
    assert said.endswith("left → right 0.250 (SSIM 0.500), right → left 0.500 (SSIM 0.500).")


def test_a_translation_that_is_a_negative_is_said() -> None:
    way = {"source": "left", "target": "right", "distance": 0.25, "content_agreement": -0.85}
    first, second = describe(QualityMeasured(50, (way,), 0.5, is_best=False)).splitlines()
    assert first.startswith("Distance to real images")
    assert second.startswith("What was bright becomes dark")


def test_the_memory_of_a_step_is_said():
    assert describe(MemoryEstimated(2_100_000_000, 14_800_000_000, 4, 256)) == (
        "A step with batches of 4 crops of 256 px takes about 2.1 GB of 14.8 GB that are free."
    )
    assert describe(MemoryEstimated(2_100_000_000, None, 4, 256)).endswith("about 2.1 GB.")


def test_quality_is_said_in_a_line():
    assert describe(EVENTS[4]) == (
        "Distance to real images after 50 images: left → right 0.250, right → left 0.500; "
        "the best so far."
    )


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_in_a_terminal_the_line_is_live(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    show(iter(EVENTS), stream)
    text = stream.getvalue()
    assert "\x1b[" in text
    assert "A note [with brackets]." in text
    assert "50/100 images" in text
    assert "2.5 images/s" in text
    assert "last.safetensors" in text


def test_a_resumed_run_says_where_it_goes_on():
    resumed = Started(40, 100, "cpu", "float32", ("a", "b"), (1, 1), ())
    assert "goes on from 40" in describe(resumed)


def test_a_return_says_why_and_whereto():
    assert describe(EVENTS[-2]) == (
        "After 60 images not finite: kl_a; back to 50 images with lower learning rates (1 of 3 "
        "times)."
    )


@pytest.mark.parametrize("event", EVENTS)
def test_every_event_has_a_line(event):
    assert describe(event)
