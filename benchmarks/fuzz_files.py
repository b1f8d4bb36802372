"""Damaged images and models, thousands of them: each must be read or refused in one sentence.

Run ``python benchmarks/fuzz_files.py --help``; the protocol is in ``benchmarks/README.md``.
"""

import argparse
import json
import select
import shutil
import subprocess
import sys
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any

import numpy as np
from fuzz_damage import write_damaged
from fuzz_seeds import write_seeds
from results_file import peak_resident, provenance, write_result

PACKAGES = ("napari-unit", "numpy", "tifffile", "imagecodecs", "zarr", "numcodecs", "yaozarrs",
            "safetensors", "torch")  # fmt: skip
PATIENCE_S = 20.0
MOST_BYTES = 1_500_000_000
"""Memory that a process may take on top of what it had when it started."""
LONGEST_SENTENCE = 900


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one damaged file.

    Parameters
    ----------
    seed_name, damage
        Which file was damaged, and how.
    kind
        ``"read"``, ``"refused"`` (in a sentence), or a finding: ``"other"``, ``"no sentence"``,
        ``"hang"``, ``"memory"``, ``"crash"``.
    said
        What it was refused with, or what was found.
    """

    seed_name: str
    damage: str
    kind: str
    said: str


def attempt(path: Path) -> tuple[str, str]:
    """Open a file and read a few regions; return the kind of outcome and what was said."""
    from napari_unit.models.file import load_model

    try:
        if path.suffix == ".safetensors":
            load_model(path)
        else:
            _read_regions(path)
    except (ValueError, OSError, MemoryError) as error:
        said = str(error)
        is_sentence = said.endswith(".") and "\n" not in said and len(said) < LONGEST_SENTENCE
        if is_sentence and path.name in said:
            return "refused", said
        return "no sentence", f"{type(error).__name__}: {said}"
    except Exception as error:  # what must not happen
        return "other", f"{type(error).__name__}: {error}"
    return "read", ""


def _read_regions(path: Path) -> None:
    from napari_unit.geometry.regions import Region
    from napari_unit.geometry.tiling import Span
    from napari_unit.images.files import open_path
    from napari_unit.images.storage import ArraySource

    image = open_path(path)
    if 0 in image.shape or image.array.dtype.kind not in "iuf":
        return  # refused by a translation, which has sentences of its own
    planes = ArraySource(image.array, image.axes, min(image.n_channels, 8))
    height, width = planes.height, planes.width
    for y, x in ((0, 0), (height // 2, width // 2), (max(0, height - 9), max(0, width - 9))):
        region = Region(Span(y, min(height, y + 64)), Span(x, min(width, x + 64)))
        planes.read((planes.n_planes - 1) if y else 0, region)


def work() -> None:
    """Attempt the files whose paths come on stdin; tell of each on stdout."""
    warnings.simplefilter("ignore")
    attempt(Path(sys.argv[2]))  # imports what is needed
    print(json.dumps(["ready", "", peak_resident()]), flush=True)
    for line in sys.stdin:
        kind, said = attempt(Path(line.rstrip("\n")))
        print(json.dumps([kind, said, peak_resident()]), flush=True)


class Worker:
    """A process that attempts files, so that a hang or a crash of a decoder is survived.

    Parameters
    ----------
    warm_up
        A file that it reads first.
    """

    def __init__(self, warm_up: Path) -> None:
        self._warm_up = warm_up
        self._start()

    def __enter__(self) -> "Worker":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._end()

    def attempt(self, path: Path) -> tuple[str, str]:
        """Attempt a file; return the kind of outcome and what was said."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{path}\n")
        self._process.stdin.flush()
        kind, said, peak = self._answer(PATIENCE_S)
        if kind in ("hang", "crash"):
            self._end()
            self._start()
            return kind, said
        if peak - self._peak_at_start > MOST_BYTES:
            self._end()
            self._start()
            return "memory", f"{peak / 1e9:.1f} GB; {kind}: {said}"
        return kind, said

    def _start(self) -> None:
        command = [sys.executable, __file__, "--work", str(self._warm_up)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            text=True,
        )  # fmt: skip
        kind, said, self._peak_at_start = self._answer(120.0)
        assert kind == "ready", said

    def _answer(self, patience_s: float) -> tuple[str, str, int]:
        stdout = self._process.stdout
        assert stdout is not None
        if not select.select([stdout], [], [], patience_s)[0]:
            return "hang", f"no answer in {patience_s:g} s", 0
        line = stdout.readline()
        if not line:
            return "crash", f"the process ended with {self._process.wait()}", 0
        kind, said, peak = json.loads(line)
        return str(kind), str(said), int(peak)

    def _end(self) -> None:
        self._process.kill()
        self._process.communicate()


def fuzz(
    work_folder: Path, n: int, seed: int, names: tuple[str, ...] = (), keep: Path | None = None
) -> Iterator[Outcome]:
    """Damage files and attempt each.

    Parameters
    ----------
    work_folder
        Where the files are written; they are removed again.
    n, seed
        How many, and the seed of the damage.
    names
        Of the valid files to damage; all by default.
    keep
        Folder for files that are findings.
    """
    seeds = write_seeds(work_folder / "seeds")
    chosen = sorted(names or seeds)
    with Worker(seeds["stripes.tif"]) as worker:
        for number in range(n):
            rng = np.random.default_rng((seed, number))
            name = chosen[number % len(chosen)]
            target = work_folder / f"damaged-{number}-{name}"
            damage = write_damaged(seeds[name], target, rng)
            outcome = Outcome(name, damage, *worker.attempt(target))
            is_finding = outcome.kind not in ("read", "refused")
            if is_finding and keep is not None:
                keep.mkdir(parents=True, exist_ok=True)
                target.rename(keep / target.name)
            elif target.is_dir():
                shutil.rmtree(target)
            else:
                target.unlink()
            yield outcome


def summary(outcomes: list[Outcome]) -> dict[str, Any]:
    """Return counts by file and the findings."""
    by_seed: dict[str, Counter[str]] = {}
    for outcome in outcomes:
        by_seed.setdefault(outcome.seed_name, Counter())[outcome.kind] += 1
    return {
        "n_damaged": len(outcomes),
        "outcomes": dict(Counter(outcome.kind for outcome in outcomes)),
        "by_file": {name: dict(counts) for name, counts in sorted(by_seed.items())},
        "findings": [
            {"file": o.seed_name, "damage": o.damage, "kind": o.kind, "said": o.said[:400]}
            for o in outcomes
            if o.kind not in ("read", "refused")
        ],
    }


def main() -> None:
    """Fuzz, print the counts and write them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=5000, help="damaged files (default: 5000)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="*", default=[], help="names of the valid files")
    parser.add_argument("--keep", type=Path, help="folder for files that are findings")
    parser.add_argument("--out", type=Path, help="result file, JSON")
    args = parser.parse_args()
    origin = provenance(PACKAGES, threads=1)
    began = time.monotonic()
    with TemporaryDirectory() as folder:
        outcomes = list(fuzz(Path(folder), args.n, args.seed, tuple(args.only), args.keep))
    found = summary(outcomes)
    settings = {"n": args.n, "seed": args.seed, "patience_s": PATIENCE_S, "most_bytes": MOST_BYTES}
    seconds = round(time.monotonic() - began, 1)
    result = {"settings": settings, **origin, "seconds": seconds, **found}
    print(json.dumps({k: found[k] for k in ("outcomes", "findings")}, indent=1))
    if args.out is not None:
        write_result(args.out, result)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--work"]:
        work()
    else:
        main()
