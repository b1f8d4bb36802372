"""A training that is killed again and again, against one that is left alone.

Run ``python benchmarks/kill_and_resume.py --help``; the protocol is in ``benchmarks/README.md``.
"""

import argparse
import json
import random
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import tifffile
import torch
from results_file import provenance, write_result

PACKAGES = ("napari-unit", "torch", "numpy")
# small networks and many checkpoints: a good part of the time goes into writing
SETTINGS = """
width = 4
n_residual = 2
discriminator_width = 4
n_scales = 1
crop_px = 32
batch_size = 2
precision = "float32"
device = "cpu"
ema_half_life_images = 100
gradient_penalty = 0.1
[cadence]
log = 6
preview = 40
quality = 40
checkpoint = 20
[validation]
crops = 4
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a run that was killed.

    Parameters
    ----------
    n_kills
        Times that it was killed while it trained.
    killed_at
        Images of the last checkpoint at each kill.
    n_torn
        Kills that left a file half written beside its place.
    """

    n_kills: int
    killed_at: tuple[int, ...]
    n_torn: int


def write_images(folder: Path, seed: int) -> Path:
    """Write a few random 16-bit TIFFs and return their folder."""
    folder.mkdir(parents=True)
    noise = np.random.default_rng(seed)
    for index in range(3):
        pixels = noise.integers(100, 60000, (48, 160), dtype=np.uint16)
        tifffile.imwrite(folder / f"{index}.tif", pixels)
    return folder


def command(work: Path, out: Path, n_images: int) -> list[str]:
    """Return the command line of a run."""
    return [
        sys.executable, "-m", "napari_unit_training", "--a", str(work / "a"), "--b",
        str(work / "b"), "--out", str(out), "--config", str(work / "settings.toml"),
        "--images", str(n_images),
    ]  # fmt: skip


def prepare(work: Path) -> None:
    """Write images and settings for both runs."""
    write_images(work / "a", 1)
    write_images(work / "b", 2)
    (work / "settings.toml").write_text(SETTINGS)


def killed_run(work: Path, out: Path, n_images: int, n_kills: int, seed: int) -> Outcome:
    """Train; kill it with SIGKILL at random moments after it has begun; then let it end."""
    chance = random.Random(seed)
    killed_at: list[int] = []
    n_torn = 0
    while len(killed_at) < n_kills:
        with subprocess.Popen(
            command(work, out, n_images), stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                if line.startswith("Training "):
                    break
            time.sleep(chance.uniform(0.0, 3.0))
            is_running = process.poll() is None
            process.kill()
        if not is_running:
            break
        checkpoints = sorted(path.stem for path in out.glob("checkpoints/images-*.pt"))
        killed_at.append(int(checkpoints[-1].split("-")[1]) if checkpoints else 0)
        n_torn += any(path.name.startswith(".partial-") for path in out.rglob("*"))
    subprocess.run(command(work, out, n_images), check=True, capture_output=True)
    return Outcome(len(killed_at), tuple(killed_at), n_torn)


def told(out: Path, event: str, *names: str) -> dict[int, Any]:
    """Return what a run has told in events of a kind, by images seen; every line must be whole."""
    lines = [json.loads(line) for line in (out / "events.jsonl").read_text().splitlines()]
    reports = [line for line in lines if line["event"] == event]
    found = {line["images_seen"]: [line[name] for name in names] for line in reports}
    if len(found) != len(reports):
        raise AssertionError("A report was told twice.")
    return found


def differences(one: Path, other: Path) -> list[str]:
    """Return what two finished runs differ in: reports, last checkpoint, models."""
    found = []
    if told(one, "Progress", "losses") != told(other, "Progress", "losses"):
        found.append("losses")
    measured = ("directions", "score", "is_best")
    if told(one, "QualityMeasured", *measured) != told(other, "QualityMeasured", *measured):
        found.append("quality")
    first, second = (
        torch.load(sorted(out.glob("checkpoints/*.pt"))[-1], weights_only=True)
        for out in (one, other)
    )
    if not _equal(first, second):
        found.append("last checkpoint")
    for name in ("last", "best"):
        file = f"{name}.safetensors"
        if (one / file).read_bytes() != (other / file).read_bytes():
            found.append(f"{name} model")
    return found


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_equal(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(_equal, one, other))
    return torch.equal(one, other) if isinstance(one, torch.Tensor) else bool(one == other)


def main() -> None:
    """Run the comparison and print what came out."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=25)
    parser.add_argument("--images", type=int, default=3000, help="of the run")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--out", type=Path, help="JSON file for the result")
    args = parser.parse_args()
    result: dict[str, Any] = {"benchmark": "kill_and_resume", **provenance(PACKAGES, 0)}
    with TemporaryDirectory() as folder:
        work = Path(folder)
        prepare(work)
        subprocess.run(command(work, work / "whole", args.images), check=True, capture_output=True)
        outcome = killed_run(work, work / "killed", args.images, args.kills, args.seed)
        odd = differences(work / "whole", work / "killed")
        result |= {
            "images": args.images,
            "kills": outcome.n_kills,
            "images_of_the_last_checkpoint_at_each_kill": outcome.killed_at,
            "kills_in_the_middle_of_a_write": outcome.n_torn,
            "reports_compared": len(told(work / "whole", "Progress", "losses")),
            "measurements_compared": len(told(work / "whole", "QualityMeasured", "score")),
            "differences": odd,
        }
    print(json.dumps({key: result[key] for key in list(result)[5:]}, indent=1))
    if args.out:
        write_result(args.out, result)
    if odd:
        raise SystemExit(f"The killed run differs in {', '.join(odd)}.")


if __name__ == "__main__":
    main()
