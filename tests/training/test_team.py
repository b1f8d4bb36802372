"""Real processes that train together; see also benchmarks/processes.py."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import replace

import psutil
import pytest
import torch

from napari_unit.runs.control import Control
from napari_unit.runs.events import CheckpointSaved, Paused, Progress, Started, WentOn
from napari_unit.runs.files import RunFiles
from napari_unit.runs.following import Follower
from napari_unit_training import launch
from napari_unit_training.config_tables import Augmentation, LossWeights
from napari_unit_training.errors import TrainingError
from napari_unit_training.loop import rehearse, train
from napari_unit_training.state import load_latest

CPU = torch.device("cpu")


@pytest.fixture
def everything(settings):
    """All that a step can do, with shares of unequal sizes and a last batch of a single image."""
    return replace(
        settings,
        batch_size=3,
        images_total=7,
        reuse_fakes=False,
        gradient_penalty=0.1,
        gradient_penalty_every=2,
        weights=LossWeights(content=1.0, identity=1.0),
        augmentation=Augmentation(rotation=10.0, blur=1.0, noise=0.05),
        cadence=replace(settings.cadence, log=1, checkpoint=6),
    )


def _losses(events):
    return [event.losses for event in events if isinstance(event, Progress)]


def _assert_close(one, other, tolerance):
    assert [losses.keys() for losses in one] == [losses.keys() for losses in other]
    for first, second in zip(one, other, strict=True):
        assert first == pytest.approx(second, rel=tolerance, abs=1e-7)


def _children():
    """Return child processes, but for those that Python keeps for later."""
    kept = ("multiprocessing.resource_tracker", "multiprocessing.forkserver")
    return [
        child
        for child in psutil.Process().children()
        if not any(name in " ".join(child.cmdline()) for name in kept)
    ]


def _assert_nobody_is_left():
    assert _children() == []


def _told(out):
    return [told.event for told in Follower(RunFiles(out).events_path).read().told]


def test_two_processes_train_as_one_does_with_the_same_batch(everything, run_once):
    one, two = run_once(everything), run_once(replace(everything, devices=2))
    _assert_nobody_is_left()
    alone, together = _told(one), _told(two)
    assert next(e for e in together if isinstance(e, Started)).device == "2 x cpu"
    # what rounding makes of the first update grows with each that follows
    _assert_close(_losses(alone)[:1], _losses(together)[:1], 1e-6)
    _assert_close(_losses(alone), _losses(together), 1e-2)
    states = [load_latest(out / "checkpoints", CPU) for out in (one, two)]
    for name, weights in states[0]["networks"].items():
        assert torch.allclose(weights, states[1]["networks"][name], atol=1e-3), name


def test_a_run_goes_on_with_other_devices(everything, folders, tmp_path, run_once):
    out = tmp_path / "run"
    two = replace(everything, devices=2)
    with closing(train(two, *folders, out)) as events:
        next(e for e in events if isinstance(e, CheckpointSaved))
    _assert_nobody_is_left()
    again = shutil.copytree(out, tmp_path / "again")
    went_on = list(train(two, *folders, out))
    assert next(e for e in went_on if isinstance(e, Started)).images_seen == 6
    whole = _told(run_once(two))
    assert _losses(went_on) == _losses(whole)[-1:]
    by_one = list(train(everything, *folders, again))
    _assert_close(_losses(by_one), _losses(whole)[-1:], 1e-2)


def test_a_rehearsal_takes_its_steps_together(everything, folders, tmp_path):
    events = list(rehearse(replace(everything, devices=2), *folders, tmp_path / "run"))
    assert events[-1].images_per_second > 0
    _assert_nobody_is_left()


def test_the_cores_are_this_process_s_again_whatever_goes_wrong(monkeypatch):
    def no_place(path, n_processes):
        raise OSError("No place to meet.")

    monkeypatch.setattr(launch, "meet", no_place)
    torch.set_num_threads(2)
    with pytest.raises(OSError, match="No place to meet"), launch.gathered(2, "cpu"):
        pass
    assert torch.get_num_threads() == 2


def test_those_that_follow_wait_out_a_pause(everything, folders, tmp_path):
    out = tmp_path / "run"
    seen = []
    with closing(train(replace(everything, devices=2), *folders, out)) as events:
        for event in events:
            seen.append(type(event))
            if isinstance(event, Progress) and Paused not in seen:
                Control(out / "control").ask("pause")
            if isinstance(event, Paused):
                (out / "control" / "pause").unlink()
    assert WentOn in seen
    _assert_nobody_is_left()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no command that just fails")
def test_a_process_that_never_starts_is_noticed_and_said(
    everything, folders, tmp_path, monkeypatch
):
    monkeypatch.setattr("napari_unit_training.launch.sys.executable", shutil.which("false"))
    with pytest.raises(
        TrainingError, match=r"Process 2 of 2 .* not started: .*false .*ended with 1"
    ):
        list(train(replace(everything, devices=2), *folders, tmp_path / "run"))
    _assert_nobody_is_left()


def test_a_process_that_has_ended_is_noticed_and_said(everything, folders, tmp_path):
    events = train(replace(everything, devices=2, images_total=3000), *folders, tmp_path / "run")
    next(e for e in events if isinstance(e, Progress))
    (follower,) = _children()
    follower.kill()
    with pytest.raises(TrainingError, match="trains along has ended"):
        list(events)
    _assert_nobody_is_left()


def test_images_that_one_process_cannot_use_are_said(everything, folders, tmp_path, monkeypatch):
    monkeypatch.setattr("napari_unit_training.loop._plain", lambda source: [f"{source}-gone"])
    with pytest.raises(TrainingError, match="-gone"):
        list(train(replace(everything, devices=2), *folders, tmp_path / "run"))
    _assert_nobody_is_left()


def test_other_images_under_the_same_names_are_refused(
    everything, folders, write_images, tmp_path, monkeypatch
):
    other = write_images("c", [(64, 64)], 9)
    monkeypatch.setattr("napari_unit_training.loop._plain", lambda source: [str(other)])
    everything = replace(everything, devices=2)
    with pytest.raises(TrainingError, match="see other images"):
        list(train(everything, *folders, tmp_path / "run"))


def test_no_process_outlives_a_leader_that_is_killed(everything, folders, tmp_path):
    code = (
        "import napari_unit, sys; napari_unit.train(sys.argv[1], sys.argv[2], sys.argv[3], "
        "settings={'width': 2, 'n_residual': 2, 'discriminator_width': 2, 'n_scales': 1, "
        "'crop_px': 32, 'batch_size': 2, 'device': 'cpu', 'devices': 2, 'cadence': {'log': 2}})"
    )
    out = tmp_path / "run"
    leader = subprocess.Popen([sys.executable, "-c", code, *map(str, folders), str(out)])
    try:
        events = out / "events.jsonl"
        while not (events.is_file() and "Progress" in events.read_text()):
            assert leader.poll() is None
            time.sleep(0.1)
        (follower,) = psutil.Process(leader.pid).children()
    finally:
        os.kill(leader.pid, signal.SIGTERM if sys.platform == "win32" else signal.SIGKILL)
        leader.wait()
    psutil.wait_procs([follower], timeout=60)
    assert not follower.is_running()


def test_torchrun_starts_the_processes_itself(everything, folders, tmp_path):
    out = tmp_path / "run"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = tmp_path / "small.toml"
    config.write_text(
        'width = 2\nn_residual = 2\ndiscriminator_width = 2\nn_scales = 1\ncrop_px = 32\n'
        'batch_size = 2\nimages_total = 4\ndevice = "cpu"\n'
    )  # fmt: skip
    command = [
        sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2",
        "--master-port", str(port), "-m", "napari_unit_training",
        "--a", str(folders[0]), "--b", str(folders[1]), "--out", str(out), "--config", str(config),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Finished after 4 images") == 1
    assert "2 x cpu" in done.stdout


def test_a_group_that_is_left_is_gone(tmp_path):
    """Else its threads are at work while Python ends, which then aborts now and then."""
    code = (
        "import sys, weakref, torch, torch.distributed as dist\n"
        "from pathlib import Path\n"
        "from napari_unit_training.launch import joined, meet\n"
        "with joined(0, 1, (0, 1), 'cpu', meet(Path(sys.argv[1]), 1)):\n"
        "    group = weakref.ref(dist.group.WORLD)\n"
        "    torch.optim.Adam([torch.zeros(1, requires_grad=True)])\n"
        "    assert group() is not None\n"
        "print(group())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "store")],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == "None\n"


def test_more_devices_than_images_in_a_batch_are_refused(settings):
    with pytest.raises(TrainingError, match="batch_size is 2 and devices is 3"):
        replace(settings, devices=3)


def test_a_device_with_a_number_is_one_device(monkeypatch):
    monkeypatch.setattr(launch, "choose_device", torch.device)
    with pytest.raises(TrainingError, match="is one device"):
        launch.device_of("cuda:1", 0, 2)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert launch.device_of("cuda", 1, 2) == torch.device("cuda", 1)
    with pytest.raises(TrainingError, match="here are 2 GPUs"):
        launch.device_of("cuda", 0, 3)
