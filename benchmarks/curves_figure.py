"""Curves of trials as a picture: a line per seed, a color per name."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure
from trials import Numbers


def draw_curves(
    trials: Sequence[Numbers],
    keys: Mapping[str, str],
    path: Path,
    over: tuple[str, str, float] = ("images", "images of each domain seen", 1.0),
    untrained: tuple[str, Mapping[str, float]] | None = None,
) -> None:
    """Draw what was measured on the way.

    Parameters
    ----------
    trials
        With their curves.
    keys
        What to draw, a diagram each, and what it is called.
    path
        PNG file.
    over
        What they are drawn over: its key, what it is called, and how many of it are one unit.
    untrained
        Something that needs no training and what was measured of it: a dashed line.
    """
    figure = Figure(figsize=(3.6 * len(keys), 3.2), layout="constrained")
    axes = figure.subplots(1, len(keys), squeeze=False)[0]
    names = list(dict.fromkeys(t["name"] for t in trials))
    along, label, unit = over
    for axis, (key, title) in zip(axes, keys.items(), strict=True):
        for number, name in enumerate(names):
            for index, trial in enumerate(t for t in trials if t["name"] == name):
                curve = trial["curve"]
                axis.plot(
                    [p[along] / unit for p in curve], [p[key] for p in curve],
                    color=f"C{number}", label=name if index == 0 else None,
                )  # fmt: skip
        if untrained:
            axis.axhline(untrained[1][key], color="gray", linestyle="--", label=untrained[0])
        axis.set(xlabel=label, ylabel=title)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(labels), frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
