import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tensorboardX.proto.event_pb2 import Event as Record

from napari_unit.runs.events import PreviewWritten, Progress, QualityMeasured
from napari_unit_training.scalars import TensorBoardLog


def records(folder: Path) -> list[Record]:
    """Read TensorBoard's files: length, its checksum, the record, its checksum."""
    found = []
    for path in sorted(folder.glob("events.*")):
        content, at = path.read_bytes(), 0
        while at < len(content):
            n = int.from_bytes(content[at : at + 8], "little")
            record = Record()
            record.ParseFromString(content[at + 12 : at + 12 + n])
            found.append(record)
            at += 12 + n + 4
    return found


def test_losses_and_pictures_are_where_tensorboard_finds_them(tmp_path: Path) -> None:
    picture = tmp_path / "images-0000000004.png"
    Image.fromarray(np.zeros((6, 8, 3), np.uint8)).save(picture)
    log = TensorBoardLog(tmp_path / "tb", 0)
    log.take(Progress(4, 9, {"cycle_a": 0.5}, 1e-4, 2.0, 2.5))
    log.take(PreviewWritten(4, picture))
    log.close()
    values = {v.tag: (r.step, v) for r in records(tmp_path / "tb") for v in r.summary.value}
    assert {tag: step for tag, (step, _) in values.items()} == {
        "losses/cycle_a": 4, "run/learning_rate": 4, "run/images_per_second": 4, "images": 4,
    }  # fmt: skip
    assert values["losses/cycle_a"][1].simple_value == 0.5
    assert (values["images"][1].image.height, values["images"][1].image.width) == (6, 8)


def test_quality_is_drawn_per_direction(tmp_path: Path) -> None:
    values = {"distance": 0.5, "cycle_error": 0.1, "content_agreement": 0.9}
    log = TensorBoardLog(tmp_path, 0)
    directions = (
        {"source": "a", "target": "b", **values},
        {"source": "b", "target": "a", **values},
    )
    log.take(QualityMeasured(4, directions, 0.5, is_best=True))
    log.close()
    found = {v.tag: v.simple_value for r in records(tmp_path) for v in r.summary.value}
    assert found["distance/a_to_b"] == 0.5
    assert len(found) == 6


def test_a_run_that_goes_on_leaves_out_what_was_written_of_later_images(tmp_path: Path) -> None:
    TensorBoardLog(tmp_path, 40).close()
    # 2 is SessionLog.START: TensorBoard then forgets all from this step on
    starts = [r.step for r in records(tmp_path) if r.session_log.status == 2 or r.step == 41]
    assert 41 in starts


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on file sizes")
def test_a_full_disk_is_told_and_nobody_waits_for_ever(tmp_path: Path) -> None:
    """In a process of its own: the limit on the size of files holds for good."""
    code = """
import resource, signal, sys
from pathlib import Path
from napari_unit.runs.events import Progress
from napari_unit_training.scalars import TensorBoardLog
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
log = TensorBoardLog(Path(sys.argv[1]), 0)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    for seen in range(1000):
        log.take(Progress(seen, 1000, {f"term_{i}": 1.0 for i in range(20)}, 1e-4, 1.0, 1.0))
except OSError as error:
    log.close()
    print("told:", error)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, timeout=100
    )
    assert done.stdout.startswith("told:"), done.stderr
