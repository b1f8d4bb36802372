from dataclasses import replace

import numpy as np
import pytest
import tifffile

from napari_unit.simulate import simulate_nuclei
from napari_unit.simulate.tissue import (
    EOSIN,
    HEMATOXYLIN,
    TISSUE_NUCLEI,
    TissueSettings,
    simulate_tissue,
    tissue_sample,
    write_training_tissue,
)

SMALL = TissueSettings(replace(TISSUE_NUCLEI, shape=(96, 128)))
PLAIN = replace(
    SMALL,
    nuclei=replace(
        SMALL.nuclei, foreground_fraction=(0.2, 0.2), dim_fraction=(0, 0), haze_chance=0.0,
        brightness_spread=(0, 0), texture=(0, 0), noise=(0, 0), compact_fraction=(0, 0),
    ),
    nucleus_density=(1.2, 1.2), ground_density=(0.3, 0.3), ground_texture=(0, 0),
    ground_hematoxylin=(0, 0), fibre_chance=0.0, lumen_chance=0.0, tint=0.0, noise=(0, 0),
)  # fmt: skip


def test_a_section_is_rgb_with_the_labels_of_its_nuclei():
    scene = simulate_tissue(SMALL, 5)
    assert (scene.image.shape, scene.image.dtype) == ((96, 128, 3), np.uint8)
    assert np.array_equal(scene.labels, simulate_nuclei(SMALL.nuclei, 5).labels)
    assert scene.labels.max() > 0


def test_the_same_seed_gives_the_same_section():
    one, again, other = (simulate_tissue(SMALL, seed).image for seed in (3, 3, 4))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("seed", range(8))
def test_nuclei_are_darker_than_what_is_around_them(seed):
    scene = simulate_tissue(SMALL, seed)
    red = scene.image[..., 0].astype(float)
    assert red[scene.labels > 0].mean() < red[scene.labels == 0].mean()


def test_stains_take_light_away_by_beer_and_lambert():
    scene = simulate_tissue(PLAIN, 1)
    density = -np.log(np.maximum(scene.image, 1) / 255.0)
    far = np.median(density[scene.labels == 0], 0)
    np.testing.assert_allclose(far, 0.3 * np.array(EOSIN), atol=0.02)
    inner = density[scene.labels > 0]
    dark = inner[inner[:, 0] > np.percentile(inner[:, 0], 70)].mean(0)
    np.testing.assert_allclose(dark / np.linalg.norm(dark), HEMATOXYLIN, atol=0.06)


def test_some_sections_have_regions_without_tissue():
    open_, closed = (
        [simulate_tissue(replace(PLAIN, lumen_chance=c), seed).image for seed in range(8)]
        for c in (1.0, 0.0)
    )
    # green is what eosin takes: without tissue it is nearly all there
    assert sum((image[..., 1] > 240).mean() > 0.02 for image in open_) >= 4
    assert not any((image[..., 1] > 240).any() for image in closed)


def _anisotropy(image: np.ndarray) -> float:
    """Return how much more the steepest direction changes than the flattest, from 0 to 1."""
    gy, gx = np.gradient(image[..., 1].astype(float))
    tensor = np.array([[(gy * gy).mean(), (gy * gx).mean()], [(gy * gx).mean(), (gx * gx).mean()]])
    low, high = np.linalg.eigvalsh(tensor)
    return float((high - low) / (high + low))


def test_fibres_run_along_each_other_around_the_nuclei():
    bare = replace(PLAIN, nuclei=replace(PLAIN.nuclei, foreground_fraction=(0.001, 0.001)))
    fine = replace(bare, ground_texture=(0.3, 0.3))
    strands = replace(bare, fibre_chance=1.0, fibres=(0.4, 0.4))
    for seed in range(4):
        without, with_them = (simulate_tissue(s, seed).image for s in (fine, strands))
        assert _anisotropy(with_them) > 0.3 > _anisotropy(without)
    nuclei = simulate_tissue(replace(PLAIN, fibre_chance=1.0), 2)
    assert np.array_equal(nuclei.labels, simulate_tissue(PLAIN, 2).labels)


def test_colors_differ_between_sections_by_the_tint():
    still, tinted = (
        np.std([simulate_tissue(replace(PLAIN, tint=t), s).image.mean((0, 1)) for s in range(6)], 0)
        for t in (0.0, 0.2)
    )
    assert (tinted > still).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fibre_chance": 1.5}, "fibre_chance is 1.5; give a chance"),
        ({"nucleus_density": (2.0, 1.0)}, "nucleus_density is .*the lowest first"),
        ({"ground_density": (0.0, 3.0)}, "ground_density is .*between 0 and 2"),
        ({"lumen_chance": 1.5}, "lumen_chance is 1.5; give a chance from 0 to 1"),
        ({"tint": -1.0}, "tint is -1.0; give a deviation from 0 to 0.5"),
    ],
)
def test_what_no_section_can_have_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        TissueSettings(**change)


def test_sections_are_written_for_the_trainer(tmp_path):
    images, labels = write_training_tissue(tmp_path / "tissue", 2, (64, 80), seed=1)
    for number in range(2):
        name = f"scene_{number:05d}.tif"
        with tifffile.TiffFile(images / name) as file:
            assert file.pages[0].photometric == tifffile.PHOTOMETRIC.RGB
            assert file.asarray().shape == (64, 80, 3)
        assert tifffile.imread(labels / name).shape == (64, 80)


def test_the_sample_is_an_rgb_layer_and_its_labels():
    (image, image_options, image_kind), (labels, label_options, labels_kind) = tissue_sample()
    assert (image_kind, labels_kind) == ("image", "labels")
    assert image.shape == (*labels.shape, 3) == (768, 768, 3)
    assert image_options["rgb"]
    assert image_options["scale"] == label_options["scale"]
    assert labels.max() > 100
