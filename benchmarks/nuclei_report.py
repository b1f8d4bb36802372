"""Tables and verdicts of the nuclei benchmark, from the numbers of all seeds."""

from collections.abc import Sequence
from statistics import mean, median
from typing import Any

from results_file import markdown_table, spread

SeedNumbers = dict[str, Any]  # what `nuclei.measure_seed` returns

KINDS = ("real", "raw", "matched", "translated")
LABEL_MARGIN = 0.05
"""How much lower the F1 on translated scenes may be than on real images."""


def tables(seeds: Sequence[SeedNumbers]) -> str:
    """Return the report as Markdown: one table per question, medians and ranges over seeds."""
    parts = [_labels_table(seeds)] if "labels" in seeds[0] else []
    if "realism" in seeds[0]:
        parts.append(_realism_table(seeds))
    if "useful" in seeds[0]:
        parts.append(_useful_table(seeds))
    return "\n\n".join(parts)


def verdicts(seeds: Sequence[SeedNumbers]) -> dict[str, float | bool]:
    """Return the benchmark's answers, of medians over seeds; empty without translated scenes."""
    found: dict[str, float | bool] = {}
    if "translated" in seeds[0].get("labels", {}):
        lost = median(
            mean(s["useful"]["real"][name] for name in _sets(seeds))
            - s["labels"]["translated"]["real"]
            for s in seeds
        )
        found["labels: F1 lost against real images"] = lost
        found["labels: stay true"] = lost <= LABEL_MARGIN
    if "translated" in seeds[0].get("realism", {}):
        ratios = [
            s["realism"]["translated"]["kernel"] / s["realism"]["raw"]["kernel"] for s in seeds
        ]
        found["realism: kernel distance, translated over raw"] = median(ratios)
    if "translated" in seeds[0].get("useful", {}):
        for name in _sets(seeds):
            raw, translated, real = (
                median(s["useful"][kind][name] for s in seeds)
                for kind in ("raw", "translated", "real")
            )
            found[f"useful: F1 gained on {name}"] = translated - raw
            if real > raw:
                found[f"useful: share of the way to real on {name}"] = (translated - raw) / (
                    real - raw
                )
    return found


def _sets(seeds: Sequence[SeedNumbers]) -> list[str]:
    """Return the names of the real sets that were scored."""
    return [name for name in seeds[0]["useful"]["real"] if "/" not in name]


def _labels_table(seeds: Sequence[SeedNumbers]) -> str:
    rows = [
        [f"real, {name}", spread([s["useful"]["real"][name] for s in seeds]), ""]
        for name in _sets(seeds)
    ]
    if len(_sets(seeds)) > 1:
        both = [mean(s["useful"]["real"][name] for name in _sets(seeds)) for s in seeds]
        rows.append(["real, mean of both sets", spread(both), ""])
    for kind in KINDS:
        if kind in seeds[0]["labels"]:
            columns = [
                spread([s["labels"][kind][column] for s in seeds])
                if column in seeds[0]["labels"][kind]
                else ""
                for column in ("real", "own")
            ]
            rows.append([f"scenes, {kind}", *columns])
    header = ("labels stay true: F1 on", "trained on real images", "trained on scenes of that kind")
    return markdown_table(header, rows)


def _realism_table(seeds: Sequence[SeedNumbers]) -> str:
    rows = [
        [
            "real training images" if kind == "real" else f"scenes, {kind}",
            *(spread([s["realism"][kind][m] for s in seeds]) for m in ("kernel", "sliced")),
        ]
        for kind in KINDS
        if kind in seeds[0]["realism"]
    ]
    header = ("looks real: distance to real images", "kernel (primary)", "sliced Wasserstein")
    return markdown_table(header, rows)


def _useful_table(seeds: Sequence[SeedNumbers]) -> str:
    rows = [
        [kind, *(spread([s["useful"][kind][name] for s in seeds]) for name in _sets(seeds))]
        for kind in KINDS
        if kind in seeds[0]["useful"]
    ]
    return markdown_table(("useful: trained on", *(f"F1 on {name}" for name in _sets(seeds))), rows)
