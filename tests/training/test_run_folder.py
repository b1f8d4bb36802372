import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from napari_unit.runs.events import CheckpointSaved, QualityMeasured
from napari_unit.runs.sources import RunSources
from napari_unit_training.config_tables import Cadence, LossWeights
from napari_unit_training.errors import TrainingError
from napari_unit_training.run_folder import RunFolder

PRINTS = {"domain a": "one", "domain b": "two"}
SOURCES = RunSources(("/data/a",), ("/data/b",))


def test_a_new_run_writes_its_settings(tmp_path, settings):
    RunFolder(tmp_path / "run").claim(settings, PRINTS, SOURCES)
    written = json.loads((tmp_path / "run" / "settings.json").read_text())
    assert written == settings.to_mapping()


def test_the_same_run_goes_on_whatever_its_device_and_cadence(tmp_path, settings):
    RunFolder(tmp_path).claim(settings, PRINTS, SOURCES)
    RunFolder(tmp_path).claim(replace(settings, device="cuda", cadence=Cadence()), PRINTS, SOURCES)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"width": 4}, "other settings: width was 2 and is 4"),
        ({"weights": LossWeights(cycle=1.0)}, "weights was .*'cycle': 10.0.* is .*'cycle': 1.0"),
        ({"images_total": 99, "seed": 9}, "images_total was 9 and is 99; seed was 3 and is 9"),
    ],
)
def test_other_settings_are_refused_by_name(tmp_path, settings, changes, sentence):
    RunFolder(tmp_path).claim(settings, PRINTS, SOURCES)
    with pytest.raises(TrainingError, match=sentence):
        RunFolder(tmp_path).check(replace(settings, **changes))
    kept = json.loads((tmp_path / "settings.json").read_text())
    assert kept == settings.to_mapping()


def test_other_images_are_refused(tmp_path, settings):
    RunFolder(tmp_path).claim(settings, PRINTS, SOURCES)
    with pytest.raises(TrainingError, match="started with other images of domain b;"):
        RunFolder(tmp_path).claim(settings, {**PRINTS, "domain b": "three"}, SOURCES)


def test_images_to_measure_on_must_stay_the_same_too(tmp_path, settings):
    given = {**PRINTS, "the validation of domain a": "three"}
    RunFolder(tmp_path).claim(settings, given, SOURCES)
    RunFolder(tmp_path).claim(settings, given, SOURCES)
    with pytest.raises(TrainingError, match="other images of the validation of domain a;"):
        RunFolder(tmp_path).claim(settings, PRINTS, SOURCES)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ('{"fingerprints": ["one", "two"]}', "has format 0 of another version .* has format 2"),
        ('{"format": 3}', "has format 3 of another version"),
        ("[1]", "has format None of another version"),
        ("{", "data.json cannot be read"),
        ('{"format": 2}', "data.json cannot be read: it has no fingerprints"),
    ],
)
def test_a_run_of_another_version_is_refused(tmp_path, settings, content, sentence):
    RunFolder(tmp_path).claim(settings, PRINTS, SOURCES)
    (tmp_path / "data.json").write_text(content)
    for refused in (RunFolder(tmp_path).check, RunFolder(tmp_path).fitted):
        with pytest.raises(TrainingError, match=sentence):
            refused(settings)
    assert (tmp_path / "data.json").read_text() == content


def test_one_process_trains_in_a_folder_at_a_time(tmp_path):
    with (
        RunFolder(tmp_path / "run").locked(),
        pytest.raises(TrainingError, match="Another process is training in"),
        RunFolder(tmp_path / "run").locked(),
    ):
        pass
    with RunFolder(tmp_path / "run").locked():
        pass


def test_a_run_that_goes_back_keeps_its_best(tmp_path):
    folder = RunFolder(tmp_path)
    measured = [
        QualityMeasured(seen, (), score, is_best)
        for seen, score, is_best in ((4, 0.5, True), (8, 0.4, True), (9, 0.6, False))
    ]
    for event in measured:
        folder.log(event)
    folder.rewind(4, best_at=8)
    lines = [json.loads(line) for line in folder.events_path.read_text().splitlines()]
    assert [line["images_seen"] for line in lines] == [4, 8]
    folder.rewind(4)
    assert len(folder.events_path.read_text().splitlines()) == 1


def test_a_folder_with_other_files_is_refused(tmp_path, settings):
    (tmp_path / "thesis.doc").write_text("x")
    with pytest.raises(TrainingError, match="has files but no run in it"):
        RunFolder(tmp_path).check(settings)


def test_a_file_is_refused(tmp_path, settings):
    (tmp_path / "x").write_text("x")
    with pytest.raises(TrainingError, match="is a file; give a folder"):
        RunFolder(tmp_path / "x").check(settings)


def test_events_are_appended(tmp_path):
    folder = RunFolder(tmp_path)
    for seen in (1, 2):
        folder.log(CheckpointSaved(seen, tmp_path / "x.pt"))
    lines = folder.events_path.read_text().splitlines()
    assert [json.loads(line)["images_seen"] for line in lines] == [1, 2]
    told = datetime.fromisoformat(json.loads(lines[0])["time"])
    assert abs((datetime.now(UTC) - told).total_seconds()) < 60


def test_a_run_from_before_a_setting_existed_goes_on_with_its_default(tmp_path, settings):
    RunFolder(tmp_path).claim(settings, PRINTS, SOURCES)
    older = settings.to_mapping()
    del older["detail_gain"]
    (tmp_path / "settings.json").write_text(json.dumps(older))
    RunFolder(tmp_path).check(settings)
    with pytest.raises(TrainingError, match=r"detail_gain was 0\.0 and is 3\.0"):
        RunFolder(tmp_path).check(replace(settings, detail_gain=3.0))


def test_rewinding_takes_out_what_is_later_and_what_is_torn(tmp_path):
    folder = RunFolder(tmp_path)
    folder.events_path.write_text(
        '{"event": "Started", "images_seen": 0}\n'
        '{"event": "Progress", "images_seen": 4}\n'
        '{"event": "Progress", "images_seen": 8}\n'
        '{"event": "WentBack", "images_seen": 9, "to_images_seen": 4}\n'
        '{"event": "Progr'
    )
    folder.rewind(4)
    kept = [json.loads(line) for line in folder.events_path.read_text().splitlines()]
    assert [(e["event"], e["images_seen"]) for e in kept] == [
        ("Started", 0), ("Progress", 4), ("WentBack", 9),
    ]  # fmt: skip
    assert folder.events_path.read_text().endswith("}\n")
    before = folder.events_path.stat().st_ino
    folder.rewind(4)
    assert folder.events_path.stat().st_ino == before, "nothing to do, nothing written"


def test_there_may_be_nothing_to_rewind(tmp_path):
    RunFolder(tmp_path / "none").rewind(0)


def test_a_kill_at_the_very_start_leaves_a_folder_that_can_be_used(tmp_path, settings):
    out = tmp_path / "run"
    (out / "control").mkdir(parents=True)
    (out / "control" / "stop").touch()
    (out / ".partial-7-settings.json").write_text("{")
    RunFolder(out).check(settings)
    RunFolder(out).claim(settings, PRINTS, SOURCES)
    (out / "data.json").unlink()  # killed between the two
    RunFolder(out).claim(settings, PRINTS, SOURCES)
    assert (out / "data.json").is_file()


def test_where_the_images_are_is_remembered_and_may_change(tmp_path, settings):
    folder = RunFolder(tmp_path)
    folder.claim(settings, PRINTS, SOURCES)
    assert RunSources.read(folder.sources_path) == SOURCES
    moved = RunSources(("/elsewhere/a",), ("/data/b",))
    folder.claim(settings, PRINTS, moved)
    assert RunSources.read(folder.sources_path) == moved
    with pytest.raises(TrainingError, match="other images"):
        folder.claim(settings, {**PRINTS, "domain b": "three"}, SOURCES)
    assert RunSources.read(folder.sources_path) == moved, "refused, and changed all the same"


def test_what_others_put_there_before_a_start_is_no_run(tmp_path, settings):
    folder = RunFolder(tmp_path)
    SOURCES.write(folder.sources_path)
    folder.asked_path.write_text("{}")
    folder.log_path.write_text("")
    (folder.images / "a").mkdir(parents=True)
    folder.check(settings)
    (tmp_path / "thesis.doc").write_text("x")
    with pytest.raises(TrainingError, match="no run in it"):
        folder.check(settings)
