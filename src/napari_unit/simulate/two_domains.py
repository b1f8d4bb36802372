"""Two kinds of images that show different cells: something to try a training on.

Fluorescence and absorption of simulated nuclei. How one becomes the other is known (Beer and
Lambert's law), so what a model has learned can be held against the truth; the two images of the
sample are of different scenes all the same, as unpaired images are.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_unit.simulate import PIXEL_SIZE_UM, SceneSettings, simulate_nuclei

ABSORPTION = 3.0
"""Optical density of a pixel at the brightest value."""
_SIDE_PX = 768
_GAP = 1.05
"""Second image right of the first, in widths."""


def fluorescence(settings: SceneSettings, seed: int) -> NDArray[np.uint8]:
    """Draw a scene and show its brightest 0.2 % of pixels as 255."""
    image = simulate_nuclei(settings, seed).image.astype(np.float64)
    low, high = np.percentile(image, (0.2, 99.8))
    shown: NDArray[np.uint8] = np.rint(255 * np.clip((image - low) / (high - low), 0, 1)).astype(
        "u1"
    )
    return shown


def absorption(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Show a scene as a stain that takes light away: Beer and Lambert's law."""
    density = ABSORPTION * image.astype(np.float64) / 255
    shown: NDArray[np.uint8] = np.rint(255 * np.exp(-density)).astype(np.uint8)
    return shown


def two_domains_sample() -> list[tuple[NDArray[Any], dict[str, Any], str]]:
    """Sample data for napari: an image of either domain, side by side, of different scenes."""
    settings = SceneSettings(
        shape=(_SIDE_PX, _SIDE_PX),
        nucleus_radius_px=(9.0, 11.0),
        foreground_fraction=(0.18, 0.24),
        clustering=(0.2, 0.5),
        haze_chance=1.0,
    )
    images = {
        "fluorescence": fluorescence(settings, seed=11),
        "absorption": absorption(fluorescence(settings, seed=12)),
    }
    return [
        (
            image,
            {
                "name": name,
                "scale": (PIXEL_SIZE_UM, PIXEL_SIZE_UM),
                "units": ("µm", "µm"),
                "axis_labels": ("y", "x"),
                "translate": (0.0, number * _GAP * _SIDE_PX * PIXEL_SIZE_UM),
                "contrast_limits": (0, 255),
            },
            "image",
        )
        for number, (name, image) in enumerate(images.items())
    ]
