"""What of the preset `default` earns its place: one setting changed at a time, at equal compute.

Run ``python benchmarks/switches.py --help``; the protocol is in ``benchmarks/README.md``.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import mean
from typing import Any

from equal_compute import images_of_equal_compute
from results_file import markdown_table, write_result
from switch_tasks import TASKS, baselines, make_task
from training_trials import reduced, train_trial
from trials import Numbers, Trial, add_arguments, last, run_trials

from napari_unit_training.config_files import merge, read_preset

IMAGES = 1_000
TWO_SCALES: Mapping[str, Any] = {"n_scales": 2}
"""What the reduced size had until scales were asked."""
REDUCED: Mapping[str, Any] = merge(reduced(), TWO_SCALES)

_FORMER = {
    "ema_half_life_images": IMAGES // 50,
    "augmentation": {"brightness": 0.05, "contrast": 0.1, "gamma": 0.1},
}
"""What the preset had when it was asked; it left for what came out."""
_PLAIN_INTENSITY = {"brightness": 0.0, "contrast": 0.0, "gamma": 0.0}
SWITCHES: Mapping[str, Mapping[str, Any]] = {
    # on in the preset
    "no averaged weights": {"ema_half_life_images": 0},
    "no spectral norm": {"spectral_norm": False},
    "one scale": {"n_scales": 1},
    "constant learning rate": {"decay_fraction": 0.0},
    "intensities as they are": {"augmentation": _PLAIN_INTENSITY},
    "horizontal flips only": {"augmentation": {"vertical_flip": False, "rotate_90": False}},
    "no weight decay": {"weight_decay": 0.0},
    "flat crops, too": {"min_crop_deviation": 0.0},
    "cross-entropy": {"adversarial": "cross-entropy"},
    "KL of the cycle: second code": {"cycle_kl_codes": "second"},
    "translations made again": {"reuse_fakes": False},
    "no latent noise": {"latent_noise": False},
    # off in the preset
    "gradient penalty": {"gradient_penalty": 1.0},
    "discriminators four times as fast": {"discriminator_learning_rate": 8e-4},
    "identity": {"weights": {"identity": 5.0}},
    "content": {"weights": {"content": 10.0}},
    "detail gain": {"detail_gain": 8.0},
}
PAPER: Mapping[str, Mapping[str, Any]] = {
    **{f"{n} tied": {"n_shared": n} for n in (0, 2, 3, 4)},
    **{f"{n} layers, one scale": {"n_scales": 1, "discriminator_layers": n} for n in (3, 4, 5, 6)},
    **{
        f"KL weights {weight:g}": {"weights": {"kl": weight, "cycle_kl": weight}}
        for weight in (0.001, 0.1, 1.0)
    },
    **{
        f"likelihood weights {weight:g}": {"weights": {"reconstruction": weight, "cycle": weight}}
        for weight in (1.0, 3.0, 30.0)
    },
}
"""The paper's ablation (figure 2): tied blocks, discriminators, weights; 1, 4, 0.01, 10 is base."""
SCALES: Mapping[str, Mapping[str, Any]] = {
    f"{word} scale{'s' * (n > 1)}": {"n_scales": n} for n, word in ((1, "one"), (3, "three"))
}
"""At 64 px a second scale sees more than a crop; at 128 px patches are 46, 93 and 187 px."""
SHARING: Mapping[str, Mapping[str, Any]] = {
    "0 tied": PAPER["0 tied"],
    "identity": SWITCHES["identity"],
    "0 tied, identity": merge(PAPER["0 tied"], SWITCHES["identity"]),
}
"""What plain CycleGAN does otherwise that may be better; see `FROM_CYCLEGAN`."""
_UNIT: Mapping[str, Mapping[str, Any]] = {
    "no identity": {"weights": {"identity": 0.0}},
    "reconstruction": {"weights": {"reconstruction": 10.0}},
    "codes with noise": {"latent_noise": True, "weights": {"kl": 0.01, "cycle_kl": 0.01}},
    "1 tied": {"n_shared": 1},
}
FROM_CYCLEGAN: Mapping[str, Mapping[str, Any]] = {
    **_UNIT,
    "these four": merge(*_UNIT.values()),
    "spectral norm": {"spectral_norm": True},
    "quarter turns": {"augmentation": {"vertical_flip": True, "rotate_90": True}},
    "weight decay": {"weight_decay": 1e-4},
    "no flat crops": {"min_crop_deviation": 0.01},
}
"""What `default` has and plain CycleGAN has not, one at a time; UNIT's objective also together."""


@dataclass(frozen=True, slots=True)
class Group:
    """What is asked together.

    Parameters
    ----------
    shared
        Settings of all its trials, over the preset.
    changes
        What else each has, by its name.
    preset
        Bundled settings of the trial that the others are compared with, and its name.
    """

    shared: Mapping[str, Any]
    changes: Mapping[str, Mapping[str, Any]]
    preset: str = "default"


GROUPS: Mapping[str, Group] = {
    "switches": Group(merge(REDUCED, _FORMER), SWITCHES),
    "paper": Group(REDUCED, PAPER),
    "scales": Group(merge(reduced(128), TWO_SCALES), SCALES),
    "sharing": Group(reduced(), SHARING),
    "cyclegan": Group(reduced(), FROM_CYCLEGAN, "cyclegan"),
}


def trials_of(group: str, seeds: Sequence[int], images: int, n_channels: int) -> list[Trial]:
    """Return the base and every variation of it, at the compute of the base, seed by seed."""
    asked = GROUPS[group]
    base = merge(read_preset(asked.preset), asked.shared)
    found = []
    for name, change in {asked.preset: {}, **asked.changes}.items():
        count = images_of_equal_compute(merge(base, change), base, images, n_channels)
        settings = merge(asked.shared, change)
        found += [Trial(name, seed, count, settings, asked.preset) for seed in seeds]
    return sorted(found, key=lambda trial: trial.seed)


def table(
    trials: Sequence[Numbers],
    keys: Mapping[str, int],
    untrained: Mapping[str, Mapping[str, float]],
) -> str:
    """Return the result as Markdown: the base, then what each change adds to it, the best first.

    Parameters
    ----------
    trials
        All of them, those of the base first.
    keys
        Measures, the one to sort by first, and how many digits they are shown with.
    untrained
        What the measures are of what needs no training; see `switch_tasks.baselines`.
    """
    base, *names = dict.fromkeys(t["name"] for t in trials)
    gains = {name: {key: _differences(trials, base, name, key) for key in keys} for name in names}
    first = next(iter(keys))
    names.sort(key=lambda name: -mean(gains[name][first]))
    rows = [
        [name, *(f"{found[key]:.{digits}f}" for key, digits in keys.items())]
        for name, found in untrained.items()
    ]
    rows += [[base, *(_mean_and_range(last(trials, base, key), n) for key, n in keys.items())]]
    for name in names:
        cells = (_mean_and_range(gains[name][key], n, sign="+") for key, n in keys.items())
        rows.append([name, *cells])
    return markdown_table(("", *keys), rows)


def _mean_and_range(values: Sequence[float], digits: int, sign: str = "") -> str:
    """Format values over seeds, ``0.431 (0.406 to 0.456)``; one value alone."""
    low, middle, high = (
        f"{value:{sign}.{digits}f}" for value in (min(values), mean(values), max(values))
    )
    return middle if len(values) == 1 else f"{middle} ({low} to {high})"


def _differences(trials: Sequence[Numbers], base: str, name: str, key: str) -> list[float]:
    """Return what a change adds to the base of the same seed, a value per seed."""
    of_base = {t["seed"]: t["curve"][-1][key] for t in trials if t["name"] == base}
    return [t["curve"][-1][key] - of_base[t["seed"]] for t in trials if t["name"] == name]


def main() -> None:
    """Train what the result file does not have yet, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_arguments(parser, seeds=2, images=IMAGES)
    parser.add_argument("--on", choices=TASKS, required=True, help="which images")
    parser.add_argument("--group", choices=GROUPS, required=True, help="which settings")
    args = parser.parse_args()
    kind = TASKS[args.on]
    task = make_task(args.on, args.data, args.work / "pictures")
    work = args.work / f"runs_{args.on}_{args.group}"
    do = partial(train_trial, task=task, work=work, threads=args.threads)
    wanted = trials_of(args.group, range(args.seeds), args.images, kind.n_channels)
    header = {"benchmark": "switches", "on": args.on, "group": args.group, "split": "tuning"}
    trials = run_trials(wanted, do, args.out, jobs=args.jobs, header=header)
    untrained = baselines(task)
    write_result(args.out, json.loads(args.out.read_text()) | {"baselines": untrained})
    print(table(trials, kind.measures, untrained))


if __name__ == "__main__":
    main()
