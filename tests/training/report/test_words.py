from pathlib import Path
from typing import Any

import pytest

from napari_unit.runs.events import (
    Event,
    Finished,
    GaveUp,
    Paused,
    Progress,
    QualityMeasured,
    Started,
    Stopped,
    WentBack,
    WentOn,
)
from napari_unit_training.config import TrainSettings
from napari_unit_training.report.record import Record
from napari_unit_training.report.words import (
    happenings_of,
    quality_table,
    settings_tables,
    state_of,
    values_over_time,
    verdicts_of,
)

START = Started(0, 100, "cpu", "float32", ("left", "right"), (3, 2), ())
REPORT = Progress(50, 100, {}, 1e-4, 5.0, 10.0)


def record(*events: Event, settings: dict[str, Any] | None = None) -> Record:
    return Record(events, settings or {}, {}, "", "")


def quality(distance: Any, **values: Any) -> dict[str, Any]:
    return {
        "source": "left", "target": "right", "distance": distance, "untranslated": 0.5,
        "real": 0.1, "intensity_distance": 0.01, "sharpness": 1.1, "cycle_error": 0.02,
        "content_agreement": 0.9, **values,
    }  # fmt: skip


def measured(seen: int, *directions: dict[str, Any], best: bool = True) -> QualityMeasured:
    return QualityMeasured(seen, directions, 0.0, best)


@pytest.mark.parametrize(
    ("events", "state"),
    [
        ([], "not begun"),
        ([START, REPORT], "not finished"),
        ([START, REPORT, Stopped(50)], "stopped"),
        ([START, REPORT, Stopped(50), START], "not finished"),
        ([START, Paused(50)], "paused"),
        ([START, Paused(50), WentOn(50)], "not finished"),
        ([START, Finished(100, Path("m"))], "finished"),
        ([START, GaveUp(50, "It has gone wrong.")], "gave up"),
        ([START, GaveUp(50, "It has gone wrong."), START], "not finished"),
    ],
)
def test_how_a_run_stands(events: list[Event], state: str) -> None:
    assert state_of(record(*events)) == state


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (quality(0.2), "0.100. That is 75% of the way"),
        (quality(0.05), "That is 100% of the way"),
        (quality(0.45), "only 12% of the way"),
        (quality(0.6), "no nearer to real images than untranslated ones"),
        (quality(0.2, untranslated=None), "0.200; a perfect translation would have about 0.100."),
        (quality(0.2, untranslated=0.05), "a perfect translation would have about 0.100."),
        (quality("good"), "no distance to real images could be measured"),
        ({}, "? → ?: no distance"),
    ],
)
def test_a_verdict_compares_with_untranslated_and_real_images(
    values: dict[str, Any], sentence: str
) -> None:
    (said,) = verdicts_of(record(measured(4, values)))
    assert sentence in said


def test_a_verdict_tells_of_what_the_distance_does_not_see() -> None:
    found = verdicts_of(record(measured(4, quality(0.2, content_agreement=-0.9))))
    assert "(content agreement: left → right -0.90), which" in found[1]
    assert len(verdicts_of(record(measured(4, quality(0.2, content_agreement=None))))) == 1


def test_best_and_last_stand_side_by_side_per_direction() -> None:
    back = quality(0.4, source="right", target="left")
    run = record(measured(4, quality(0.2), back), measured(8, quality(0.3), back, best=False))
    table = quality_table(run)
    assert table is not None
    assert [row[:4] for row in table.rows] == [
        ("left → right", "best", "4", "0.200"), ("left → right", "last", "8", "0.300"),
        ("right → left", "best", "4", "0.400"), ("right → left", "last", "8", "0.400"),
    ]  # fmt: skip
    assert verdicts_of(run)[-1].endswith("not the last: it was measured after 4 images.")


def test_the_last_that_is_the_best_stands_once() -> None:
    table = quality_table(record(measured(4, quality(0.3)), measured(8, quality(0.2))))
    assert table is not None
    assert [row[1:4] for row in table.rows] == [("last and best", "8", "0.200")]
    assert quality_table(record(START)) is None


def test_pairs_add_the_columns_that_they_fill() -> None:
    pair = {"psnr_db": 24.0, "ssim": 0.8, "accuracy": None}
    table = quality_table(record(measured(4, quality(0.2, paired=pair))))
    assert table is not None
    assert table.head[-2:] == ("PSNR in dB", "SSIM")
    assert table.rows[0][-2:] == ("24.000", "0.800")
    without = quality_table(record(measured(4, quality(0.2, paired=None))))
    assert without is not None
    assert without.head[-1] == "cycle error"


def test_a_measure_over_time_leaves_out_what_is_no_number() -> None:
    events = [measured(2, quality(0.3)), measured(4, quality(None)), measured(6, quality(0.1))]
    assert values_over_time(events, "left → right", "distance") == [(2, 0.3), (6, 0.1)]
    assert values_over_time(events, "right → left", "distance") == []


def test_what_happened_is_told_in_order_without_folders() -> None:
    again = Started(40, 100, "cuda", "bfloat16", ("left", "right"), (3, 2), ())
    told = happenings_of(
        record(START, REPORT, WentBack(2060, 40, "black", 1, 3), again,
               Finished(100, Path("/home/jane/run/m.safetensors")))
    )  # fmt: skip
    assert told == [
        ("0", "Started on cpu in float32."),
        ("2,060", "Went back to 40 images, with lower learning rates (1 of 3 times): black."),
        ("40", "Went on after a break on cuda in bfloat16."),
        ("100", "Finished: m.safetensors"),
    ]


def test_settings_that_differ_come_beside_their_defaults() -> None:
    settings = TrainSettings().to_mapping()
    assert settings_tables(record(settings=settings))[0].rows == ()
    settings["weights"]["content"] = 10.0
    settings["of_later"] = [1, 2]
    differing, every = settings_tables(record(settings=settings))
    assert differing.rows == (("weights.content", "10.0", "0.0"), ("of_later", "1, 2", "–"))
    assert len(every.rows) > 50
