"""Can the distances of `realism` be believed? What they say of images whose answer is known.

Tuning images only, and no translated ones: the primary distance was chosen by this.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from nuclei_questions import training_pool
from nuclei_scenes import matched, simulate_scenes
from nuclei_splits import RealImages, read_real
from realism import (
    Features,
    Patches,
    classical_features,
    draw_patches,
    kernel_distance,
    network_features,
    sliced_wasserstein,
    whitening,
)
from results_file import markdown_table, provenance, spread, write_result
from scipy import ndimage

PATCH_PX = 128
CHANGES: dict[str, Callable[[Patches, np.random.Generator], Patches]] = {
    "real, blurred by 0.7 px": lambda patches, _: _blurred(patches, 0.7),
    "real, blurred by 1.5 px": lambda patches, _: _blurred(patches, 1.5),
    "real, gamma 0.7": lambda patches, _: np.sign(patches) * np.abs(patches) ** np.float32(0.7),
    "real, noise of 0.03": lambda patches, rng: (
        patches + np.float32(0.03) * rng.standard_normal(patches.shape, np.float32)
    ),
}
REFERENCE, SCORED = "real, other patches of the same images", "real, the other part"


def _blurred(patches: Patches, sigma_px: float) -> Patches:
    return np.asarray(ndimage.gaussian_filter(patches, (0, sigma_px, sigma_px)), np.float32)


def known_patches(real: RealImages, count: int, scenes: int, seed: int) -> dict[str, Patches]:
    """Draw patches of every kind; ``"reference"`` is what all are compared with."""
    rng = np.random.default_rng(seed)
    train = [[i.image for i in images] for images in real.train.values()]
    scored = [[i.image for i in images] for images in real.scored.values()]
    sizes = np.array([len(group) for group in train], np.float64)
    weights = list(sizes / sizes.sum())
    raw = simulate_scenes(scenes, 256, seed)
    drawn = {
        "reference": draw_patches(train, weights, count, PATCH_PX, rng),
        REFERENCE: draw_patches(train, weights, count, PATCH_PX, rng),
        SCORED: draw_patches(scored, weights, count, PATCH_PX, rng),
    }
    drawn |= {name: change(drawn[SCORED], rng) for name, change in CHANGES.items()}
    for name, images in (
        ("simulated, raw", raw),
        ("simulated, histogram-matched", matched(raw, training_pool(real.train), seed)),
    ):
        drawn[name] = draw_patches([[i.image for i in images]], [1.0], count, PATCH_PX, rng)
    return drawn


def distances(drawn: dict[str, Patches], network_seed: int) -> dict[str, dict[str, float]]:
    """Measure every kind against the reference: both distances, and one rejected measure."""
    network = {kind: network_features(patches, network_seed) for kind, patches in drawn.items()}
    classical = {kind: classical_features(patches) for kind, patches in drawn.items()}
    white, plain = whitening(network["reference"]), whitening(classical["reference"])

    def kernel(mapped: Callable[[Features], Features], kind: str) -> float:
        first, second = mapped(network["reference"]), mapped(network[kind])
        return kernel_distance(first, second, np.random.default_rng(0)).mean

    return {
        kind: {
            "kernel": kernel(white.whiten, kind),
            "kernel, not whitened": kernel(white.standardise, kind),
            "sliced": sliced_wasserstein(
                plain.standardise(classical["reference"]),
                plain.standardise(classical[kind]),
                np.random.default_rng(0),
            ),
        }
        for kind in drawn.keys() - {"reference"}
    }


def main() -> None:
    """Run the check: a table to standard output, everything to the result file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=3, help="of patches, scenes and network")
    parser.add_argument("--patches", type=int, default=512)
    parser.add_argument("--scenes", type=int, default=300)
    parser.add_argument("--threads", type=int, default=0, help="of torch; 0: its own choice")
    parser.add_argument("--out", type=Path, help="JSON file for the result")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    source = provenance(("napari-unit", "torch", "numpy", "scipy"), torch.get_num_threads())
    real = read_real(arguments.data, "tuning")
    measured = [
        distances(known_patches(real, arguments.patches, arguments.scenes, seed), seed)
        for seed in range(arguments.seeds)
    ]
    columns = ("kernel", "kernel, not whitened", "sliced")
    order = [REFERENCE, SCORED, *CHANGES, "simulated, raw", "simulated, histogram-matched"]
    table = markdown_table(
        ("distance of real training images to", *columns),
        [[kind, *(spread([m[kind][c] for m in measured]) for c in columns)] for kind in order],
    )
    print(table)
    if arguments.out:
        settings = {"patches": arguments.patches, "scenes": arguments.scenes}
        write_result(
            arguments.out,
            {
                "benchmark": "realism_check",
                **source,
                "settings": settings,
                "table": table,
                "seeds": measured,
            },
        )


if __name__ == "__main__":
    main()
