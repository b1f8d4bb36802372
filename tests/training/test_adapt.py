import numpy as np
import pytest

from napari_unit import cli


@pytest.fixture
def digits(tmp_path):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (24, 16, 16), dtype=np.uint8)
    path = tmp_path / "digits.npz"
    np.savez(path, images=images, labels=np.arange(24) % 3)
    return path


CONFIG = "width = 2\ndiscriminator_width = 2\nbatch_size = 4\nreport_every = 2\n"


def _adapt(tmp_path, digits, *more):
    (tmp_path / "small.toml").write_text(CONFIG)
    return cli.main(
        ["adapt", "--source", str(digits), "--target", str(digits), "--out", str(tmp_path / "run"),
         "--config", str(tmp_path / "small.toml"), "--side-px", "16", "--device", "cpu", *more]
    )  # fmt: skip


def test_the_command_says_what_it_does(tmp_path, digits, capsys):
    assert _adapt(tmp_path, digits, "--steps", "4", "--seed", "1") == 0
    first, *reports, last = capsys.readouterr().out.splitlines()
    assert first == (
        "24 source images, 24 target images, 24 to test with, 3 classes; step 0 of 4, on cpu. "
        "It is tested with the target images that it trains on, without their labels."
    )
    assert [line.split(" left: ")[0].split(",")[0] for line in reports] == [
        "2 of 4 steps",
        "4 of 4 steps",
    ]
    assert last.startswith("The target's test images: 0.")
    assert str(tmp_path / "run" / "classifier.safetensors") in last


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--steps", "0"), "steps is 0; it must lie from 1"),
        (("--side-px", "20"), "side_px is 20; it must be 16, 32 or 64."),
        (("--target", "nowhere.npz"), "There is no file or folder nowhere.npz."),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(tmp_path, digits, capsys, more, message):
    assert _adapt(tmp_path, digits, "--steps", "2", *more) == 1
    assert capsys.readouterr().err.startswith(f"napari-unit adapt: {message}")
    assert not (tmp_path / "run").exists()


def test_an_unknown_setting_names_the_nearest(tmp_path, digits, capsys):
    (tmp_path / "odd.toml").write_text("widt = 3\n")
    assert _adapt(tmp_path, digits, "--config", str(tmp_path / "odd.toml")) == 1
    assert "the nearest is width" in capsys.readouterr().err


def test_an_interruption_says_how_to_go_on(tmp_path, digits, capsys, monkeypatch):
    from napari_unit_training.adapting.session import AdaptationSession

    step = AdaptationSession.step

    def interrupted(session):
        if session.steps_done == 2:
            raise KeyboardInterrupt
        return step(session)

    monkeypatch.setattr(AdaptationSession, "step", interrupted)
    assert _adapt(tmp_path, digits, "--steps", "4") == 130
    assert "the same command goes on" in capsys.readouterr().err
    monkeypatch.undo()
    assert _adapt(tmp_path, digits, "--steps", "4") == 0
    assert "step 2 of 4" in capsys.readouterr().out
