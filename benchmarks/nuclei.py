"""Does the model `nuclei` do its job? Labels stay true, it looks real, it is useful.

Run ``python benchmarks/nuclei.py --help``; the protocol is in ``benchmarks/README.md``.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from nuclei_questions import (
    BenchmarkSettings,
    Scenes,
    is_useful,
    labels_stay_true,
    looks_real,
    training_pool,
)
from nuclei_report import tables, verdicts
from nuclei_scenes import STATISTICS, matched, simulate_scenes, translated
from nuclei_splits import PARTS, SUBJECTS, LabelledImage, RealImages, Subject, read_real
from platformdirs import user_cache_path
from results_file import provenance, write_result

from napari_unit.models.file import LoadedModel, load_model
from napari_unit.models.zoo import find_model

QUESTIONS = ("labels", "realism", "useful")
PACKAGES = ("napari-unit", "torch", "numpy", "scipy", "scikit-image")
Say = Callable[[str], None]


def measure_seed(
    seed: int,
    real: RealImages,
    model: LoadedModel | None,
    to: str,
    questions: Sequence[str],
    settings: BenchmarkSettings,
    cache: Path,
    say: Say,
    subject: Subject = "fluorescence",
) -> dict[str, Any]:
    """Answer the questions for one seed of scenes, crops, weights and patches."""
    started = time.monotonic()
    kinds = make_scenes(seed, real, model, to, settings, say, subject)
    numbers: dict[str, Any] = {"seed": seed}
    if "realism" in questions:
        say("distances")
        numbers["realism"] = looks_real(real, kinds, settings, seed)
    if "useful" in questions or "labels" in questions:
        say("segmentation networks")
        numbers["useful"], networks = is_useful(real, kinds, settings, seed, cache)
        if "labels" in questions:
            say("labels")
            numbers["labels"] = labels_stay_true(kinds, networks, settings)
    return numbers | {"seconds": round(time.monotonic() - started, 1)}


def make_scenes(
    seed: int,
    real: RealImages,
    model: LoadedModel | None,
    to: str,
    settings: BenchmarkSettings,
    say: Say,
    subject: Subject,
) -> dict[str, Scenes]:
    """Simulate scenes and make the other kinds from them: same nuclei, same labels."""
    say("scenes")
    count = settings.scenes + settings.held_out_scenes
    raw = simulate_scenes(count, settings.scene_px, seed, subject)
    images = {"raw": raw, "matched": matched(raw, training_pool(real.train), seed)}
    if model is not None:
        say("translation")
        images["translated"] = translated(raw, model, to, settings.statistics)
    return {kind: _halves(scenes, settings.scenes) for kind, scenes in images.items()}


def _halves(scenes: tuple[LabelledImage, ...], n_train: int) -> Scenes:
    return Scenes(scenes[:n_train], scenes[n_train:])


def arguments_from(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with the sets")
    parser.add_argument("--subject", choices=SUBJECTS, default="fluorescence")
    parser.add_argument("--model", help="name or path; left out: baselines only")
    parser.add_argument("--to", default="real", help="the model's domain of real images")
    parser.add_argument("--seeds", type=int, default=3, help="number of seeds")
    parser.add_argument("--split", choices=PARTS, default="validation", help="what is scored")
    parser.add_argument("--questions", nargs="+", choices=QUESTIONS, default=list(QUESTIONS))
    parser.add_argument(
        "--statistics",
        choices=STATISTICS,
        default=BenchmarkSettings().statistics,
        help="of the translation's normalisation layers; 'direct': the network without the engine",
    )
    parser.add_argument("--quick", action="store_true", help="fewer scenes, no matched training")
    parser.add_argument("--threads", type=int, default=0, help="of torch; 0: its own choice")
    parser.add_argument("--out", type=Path, help="JSON file for the result")
    parser.add_argument(
        "--cache",
        type=Path,
        default=user_cache_path("napari-unit") / "benchmarks",
        help="where trained segmentation networks are kept",
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the benchmark: tables to standard output, everything to the result file."""
    arguments = arguments_from(argv)
    if arguments.seeds < 1:
        raise SystemExit(f"--seeds is {arguments.seeds}; give at least 1.")
    torch.set_flush_denormal(True)
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    settings = BenchmarkSettings(statistics=arguments.statistics)
    if arguments.quick:
        settings = replace(settings, scenes=240, held_out_scenes=60, patches=256, matched=False)
    source = provenance(PACKAGES, torch.get_num_threads())
    real = read_real(arguments.data, arguments.split, arguments.subject)
    model = load_model(find_model(arguments.model).path) if arguments.model else None
    measured = []
    for seed in range(arguments.seeds):
        started = time.monotonic()

        def say(what: str, seed: int = seed, started: float = started) -> None:
            print(f"seed {seed}, {time.monotonic() - started:4.0f} s: {what}", flush=True)

        measured.append(
            measure_seed(
                seed,
                real,
                model,
                arguments.to,
                arguments.questions,
                settings,
                arguments.cache,
                say,
                arguments.subject,
            )
        )
    answers = verdicts(measured)
    print("\n" + tables(measured) + "\n")
    for question, answer in answers.items():
        print(f"{question}: {answer if isinstance(answer, bool) else f'{answer:.3f}'}")
    if arguments.out:
        counts = {
            use: {name: len(images) for name, images in sets.items()}
            for use, sets in (("train", real.train), ("scored", real.scored))
        }
        result = {
            "benchmark": "nuclei",
            **source,
            "subject": arguments.subject,
            "split": arguments.split,
            "images": counts | {"copies_left_out": real.n_copies},
            "model": None if model is None else {"file": model.path.name, "sha256": model.sha256},
            "settings": asdict(settings),
            "answers": answers,
            "tables": tables(measured),
            "seeds": measured,
        }
        write_result(arguments.out, result)


if __name__ == "__main__":
    main()
