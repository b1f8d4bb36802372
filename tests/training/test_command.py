import argparse
import json
import os
import signal
import subprocess
import sys
import textwrap

import pytest

from napari_unit.models.card import read_card
from napari_unit.runs.inspection import DomainInspection
from napari_unit_training.command import add_arguments, run, settings_of
from napari_unit_training.config_files import read_preset, settings_from
from napari_unit_training.errors import TrainingError

NEEDED = ["--a", "A", "--b", "B", "--out", "RUN"]
TINY = """
width = 2
n_residual = 1
discriminator_width = 2
n_scales = 1
crop_px = 16
batch_size = 1
precision = "float32"
device = "cpu"
[cadence]
log = 1
checkpoint = 5
preview = 1000
"""


def _parse(words):
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return parser.parse_args([str(w) for w in words])


def test_without_options_the_defaults_hold():
    assert settings_of(_parse(NEEDED)) == settings_from({})


def test_options_lie_over_the_file_over_the_preset(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("width = 8\nseed = 1\n[domain_a]\nchannels = ['x']\nname = 'file'\n")
    words = ["--preset", "nuclei", "--config", path, "--seed", "2", "--name-a", "flag",
             "--scaling-b", "range:0,9", "--images", "50", "--device", "cpu"]  # fmt: skip
    settings = settings_of(_parse([*NEEDED, *words]))
    assert settings.width == 8
    assert (settings.seed, settings.images_total, settings.device) == (2, 50, "cpu")
    assert (settings.domain_a.name, settings.domain_a.channels) == ("flag", ("x",))
    assert settings.domain_b.scaling == "range:0,9"
    assert settings.crop_px == settings_from(read_preset("nuclei")).crop_px


def test_an_unknown_setting_in_the_file_is_said(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("batchsize = 8\n")
    with pytest.raises(TrainingError, match="no setting batchsize; the nearest is batch_size"):
        settings_of(_parse([*NEEDED, "--config", path]))


@pytest.fixture
def words(folders, tmp_path):
    path = tmp_path / "tiny.toml"
    path.write_text(TINY)
    a, b = folders
    return ["--a", a, "--b", b, "--out", tmp_path / "run", "--config", path]


def test_a_training_from_the_command_line(words, tmp_path, capsys):
    assert run(_parse([*words, "--images", "3", "--name-a", "left"])) == 0
    out = capsys.readouterr().out
    assert "Training starts: 3 images of left, 2 of b" in out
    assert "3/3 images" in out
    card = read_card(tmp_path / "run" / "last.safetensors")
    assert [d.name for d in card.domains] == ["left", "b"]


def test_what_must_be_changed_is_said_on_stderr(words, tmp_path, capsys):
    assert run(_parse([*words, "--images", "0"])) == 1
    assert "images_total is 0" in capsys.readouterr().err
    words[1] = tmp_path / "nowhere"
    assert run(_parse([*words, "--images", "3"])) == 1
    assert "napari-unit train: There is no " in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_without_images_the_run_that_is_there_goes_on(words, tmp_path, capsys, monkeypatch):
    """With its own images and settings, from any working directory."""
    monkeypatch.chdir(tmp_path)
    words[1], words[3] = "a", "b"  # relative
    assert run(_parse([*words, "--images", "3", "--seed", "5"])) == 0
    monkeypatch.chdir("/")
    capsys.readouterr()
    out = tmp_path / "run"
    assert run(_parse(["--out", out])) == 0
    assert "Training goes on from 3: 3 images of a, 2 of b" in capsys.readouterr().out
    assert settings_of(_parse(["--out", out])).seed == 5
    assert run(_parse(["--out", out, "--seed", "6"])) == 1
    assert "seed was 5 and is 6" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--a", "A", "--b", "B"], "no folder for the run; give one with --out"),
        (["--out", "RUN"], "does not say where its images are; give them"),
        (["--out", "RUN", "--a", "A"], "images of two domains; give both --a and --b"),
        (["--inspect", "--b", "B"], "images of two domains; give both --a and --b"),
    ],
)
def test_what_is_not_given_is_asked_for(options, sentence, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(_parse(options)) == 1
    assert sentence in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_an_inspection_is_two_lines_and_writes_nothing(words, tmp_path, capsys):
    before = sorted(tmp_path.rglob("*"))
    assert run(_parse([*words, "--inspect"])) == 0
    a, b = map(DomainInspection.from_json, capsys.readouterr().out.splitlines())
    assert (a.name, a.n_images, b.name, b.n_images) == ("a", 3, "b", 2)
    assert sorted(tmp_path.rglob("*")) == before
    assert run(_parse([*words, "--inspect", "--images", "0"])) == 1
    assert "images_total is 0" in capsys.readouterr().err


def test_an_inspection_loads_no_torch(words):
    program = "import runpy, sys; sys.argv[0] = 'x'\n" + textwrap.dedent("""
        try:
            runpy.run_module("napari_unit_training", run_name="__main__")
        except SystemExit as end:
            assert not end.code
        assert "torch" not in sys.modules
    """)
    command = [sys.executable, "-c", program, *map(str, words), "--inspect"]
    subprocess.run(command, check=True)


# on Windows a Ctrl-C reaches whoever shares the console; test_loop.py raises one in the process
@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no Ctrl-C to one process")
def test_ctrl_c_leaves_a_run_that_goes_on(words, tmp_path):
    command = [sys.executable, "-u", "-m", "napari_unit_training", *map(str, words)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        [*command, "--images", "100000"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, env=environment,
    ) as process:  # fmt: skip
        for line in process.stdout:
            if line.startswith("3/"):
                break
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Interrupted; the same command goes on" in error
    saved = list((tmp_path / "run" / "checkpoints").iterdir())
    assert saved
    seen = max(int(p.stem.split("-")[1]) for p in saved)
    events = (tmp_path / "run" / "events.jsonl").read_text().splitlines()
    reported = [json.loads(e)["images_seen"] for e in events if '"Progress"' in e]
    assert seen >= max(reported)


def test_the_options_and_the_loop_load_nothing_that_they_must_not():
    code = textwrap.dedent("""
        import sys
        import argparse
        import napari_unit_training.command as command
        command.add_arguments(argparse.ArgumentParser())
        early = {"torch", "kornia", "numpy"} & set(sys.modules)
        assert not early, early
        import napari_unit_training.loop, napari_unit_training.progress
        late = {"napari", "qtpy", "magicgui", "vispy", "PyQt6"} & set(sys.modules)
        assert not late, late
        assert "torch" in sys.modules
    """)
    subprocess.run([sys.executable, "-c", code], check=True)
