import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from napari_unit.simulate import (
    PIXEL_SIZE_UM,
    Scene,
    SceneSettings,
    nuclei_sample,
    simulate_nuclei,
    write_training_scenes,
)
from napari_unit.simulate.plan import smooth_field
from napari_unit.simulate.settings import draw_style
from napari_unit.simulate.shapes import ellipse, irregular, wavy

SMALL = SceneSettings(shape=(128, 160))
PLAIN = SceneSettings(
    shape=(192, 192),
    nucleus_radius_px=(8.0, 8.0),
    radius_spread=(0.1, 0.1),
    foreground_fraction=(0.15, 0.15),
    touching_fraction=(0.0, 0.0),
    irregular_fraction=(0.0, 0.0),
    dividing_fraction=(0.0, 0.0),
    fragment_fraction=(0.0, 0.0),
    compact_fraction=(0.0, 0.0),
    dim_fraction=(0.0, 0.0),
    haze_chance=0.0,
)


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    return [simulate_nuclei(SceneSettings(shape=(256, 256)), seed) for seed in range(60)]


def touching_pairs(labels: np.ndarray) -> int:
    below, right = (labels[1:], labels[:-1]), (labels[:, 1:], labels[:, :-1])
    return sum(int(np.count_nonzero((a != b) & (a > 0) & (b > 0))) for a, b in (below, right))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**63), rows=st.integers(16, 200), columns=st.integers(16, 200))
def test_labels_are_consecutive_and_each_is_one_piece(seed: int, rows: int, columns: int) -> None:
    scene = simulate_nuclei(SceneSettings(shape=(rows, columns)), seed)
    assert scene.image.shape == scene.labels.shape == (rows, columns)
    assert scene.image.dtype == np.uint16
    assert scene.labels.dtype == np.int32
    present = np.unique(scene.labels[scene.labels > 0])
    np.testing.assert_array_equal(present, np.arange(1, present.size + 1))
    for label, window in enumerate(ndimage.find_objects(scene.labels), start=1):
        nucleus = scene.labels[window] == label
        assert ndimage.label(nucleus)[1] == 1
        assert np.count_nonzero(nucleus) >= SMALL.min_area_px


@pytest.mark.parametrize("seed", [0, 5, 2**40])
def test_same_seed_same_scene(seed: int) -> None:
    first, second = simulate_nuclei(SMALL, seed), simulate_nuclei(SMALL, seed)
    np.testing.assert_array_equal(first.image, second.image)
    np.testing.assert_array_equal(first.labels, second.labels)
    assert not np.array_equal(first.image, simulate_nuclei(SMALL, seed + 1).image)


def test_nuclei_are_brighter_than_what_surrounds_them(scenes: list[Scene]) -> None:
    brighter = []
    for scene in scenes:
        near = ndimage.binary_dilation(scene.labels > 0, iterations=2)
        background = np.median(scene.image[~near])
        means = ndimage.mean(scene.image, scene.labels, np.arange(1, scene.labels.max() + 1))
        brighter.extend(np.asarray(means) > 1.1 * background)
    assert np.mean(brighter) > 0.97


def test_label_ends_at_half_height() -> None:
    flat = replace(PLAIN, texture=(0, 0), brightness_spread=(0, 0), vignetting=(0, 0), noise=(0, 0))
    scene = simulate_nuclei(flat, seed=2)
    count = scene.labels.max()
    assert count > 10
    image = scene.image.astype(float)
    background, labels = np.percentile(image, 1), np.arange(1, count + 1)
    distance = ndimage.distance_transform_edt(scene.labels)
    centre = ndimage.maximum(image - background, scene.labels, labels)
    edge = ndimage.mean(image - background, np.where(distance == 1, scene.labels, 0), labels)
    # Shading takes up to 60 % of the light off the rim; half of the rest stays at the very edge.
    ratio = np.asarray(edge) / np.asarray(centre)
    assert np.all((ratio > 0.15) & (ratio < 0.75))
    outside = ndimage.distance_transform_edt(scene.labels == 0) > 6
    assert image[outside].max() - background < 0.02 * np.median(centre)


def test_nuclei_that_keep_clear_do_not_touch() -> None:
    for seed in range(5):
        assert touching_pairs(simulate_nuclei(PLAIN, seed).labels) == 0


def test_touching_nuclei_keep_their_own_label() -> None:
    crowded = replace(PLAIN, touching_fraction=(0.8, 0.8))
    labels = simulate_nuclei(crowded, seed=1).labels
    assert touching_pairs(labels) > 20
    assert labels.max() > ndimage.label(labels)[1]


@pytest.mark.parametrize("fraction", [0.05, 0.2, 0.3])
def test_covers_what_was_asked(fraction: float) -> None:
    asked = replace(PLAIN, shape=(512, 512), foreground_fraction=(fraction, fraction))
    covered = np.mean(simulate_nuclei(asked, seed=3).labels > 0)
    assert covered == pytest.approx(fraction, abs=0.004)


def test_one_family_of_sizes_in_a_scene() -> None:
    labels = simulate_nuclei(PLAIN, seed=4).labels
    inside = np.setdiff1d(labels, np.concatenate([labels[0], labels[-1], *labels[:, [0, -1]].T]))
    areas = np.bincount(labels.ravel())[inside[inside > 0]]
    assert np.median(areas) == pytest.approx(np.pi * 8.0**2, rel=0.15)
    assert np.std(np.log(areas)) == pytest.approx(2 * 0.1, abs=0.1)


def test_scenes_span_the_real_sets(scenes: list[Scene]) -> None:
    """Quartiles of public fluorescence sets (nuclei area, number, coverage per 256 px image)."""
    areas = [np.median(np.bincount(scene.labels.ravel())[1:]) for scene in scenes]
    counts = [scene.labels.max() for scene in scenes]
    covered = [np.mean(scene.labels > 0) for scene in scenes]
    assert np.percentile(areas, 10) < 130
    assert 150 < np.median(areas) < 500
    assert np.percentile(areas, 90) > 900
    assert np.percentile(counts, 10) < 11
    assert np.percentile(counts, 95) > 45
    assert np.percentile(covered, 10) < 0.04
    assert np.percentile(covered, 90) > 0.2
    assert max(covered) < 0.4


@given(seed=st.integers(0, 2**32))
def test_style_stays_in_the_promised_ranges(seed: int) -> None:
    promised = SceneSettings()
    style = draw_style(promised, np.random.default_rng(seed))
    low, high = promised.nucleus_radius_px
    assert low * 0.999 <= style.radius_px <= high * 1.001
    for name in ("foreground_fraction", "touching_fraction", "aspect", "texture", "noise"):
        low, high = getattr(promised, name)
        assert low <= getattr(style, name) <= high


def test_large_field_has_dense_and_empty_regions() -> None:
    field = replace(
        PLAIN, shape=(1024, 1024), clustering=(0.9, 0.9), foreground_fraction=(0.1, 0.1)
    )
    covered = simulate_nuclei(field, seed=0).labels.reshape(8, 128, 8, 128) > 0
    regions = covered.mean(axis=(1, 3))
    assert regions.min() < 0.03
    assert regions.max() > 0.2


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"shape": (8, 512)}, "A scene of 8 rows is too small; give at least 16."),
        ({"shape": (512, 8)}, "A scene of 8 columns is too small; give at least 16."),
        ({"nucleus_radius_px": (9.0, 5.0)}, r"nucleus_radius_px is \(9.0, 5.0\); give \(lowest"),
        ({"aspect": (0.1, 0.9)}, r"aspect is .* both between 0.3 and 1 and the lowest first."),
        ({"noise": (0.0, float("nan"))}, "noise is"),
        ({"haze_chance": 1.5}, "haze_chance is 1.5; give a chance between 0 and 1."),
        ({"min_area_px": 0}, "min_area_px is 0, but the smallest typical nucleus has 61 px"),
        ({"min_area_px": 500}, "min_area_px is 500"),
    ],
)
def test_bad_settings_get_their_sentence(change: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        replace(SceneSettings(), **change)


def test_negative_seed_gets_its_sentence() -> None:
    with pytest.raises(ValueError, match=r"The seed is -1; give an integer of at least 0\."):
        simulate_nuclei(SMALL, -1)


def test_unknown_setting_raises() -> None:
    with pytest.raises(TypeError, match="radius"):
        SceneSettings(radius=3)


@given(radius_px=st.floats(2.0, 60.0), aspect=st.floats(0.3, 1.0), seed=st.integers(0, 2**32))
def test_outlines_keep_their_area(radius_px: float, aspect: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    for outline in (ellipse(radius_px, aspect, 1.0), irregular(ellipse(radius_px, aspect, 1), rng)):
        assert np.sqrt(np.mean(outline**2)) == pytest.approx(radius_px)
        assert wavy(outline, 0.3, 2, 9, rng).min() > 0


def test_smooth_field_has_unit_variance_and_is_smooth() -> None:
    field = smooth_field((400, 500), 10.0, np.random.default_rng(0))
    assert field.shape == (400, 500)
    assert np.std(field) == pytest.approx(1.0, abs=0.1)
    assert np.abs(np.diff(field, axis=0)).max() < 0.6


def test_sample_fits_napari() -> None:
    (image, image_options, image_kind), (labels, label_options, labels_kind) = nuclei_sample()
    assert (image_kind, labels_kind) == ("image", "labels")
    assert image.shape == labels.shape == (1024, 1024)
    assert image_options["scale"] == label_options["scale"] == (PIXEL_SIZE_UM, PIXEL_SIZE_UM)
    assert image_options["name"] != label_options["name"]
    assert labels.max() > 200


def test_training_scenes_are_written(tmp_path: Path) -> None:
    images, labels = write_training_scenes(tmp_path / "synthetic", 3, (64, 80), seed=1)
    names = ["scene_00000.tif", "scene_00001.tif", "scene_00002.tif"]
    assert sorted(path.name for path in images.iterdir()) == names
    assert sorted(path.name for path in labels.iterdir()) == names
    assert images.parent == labels.parent
    assert tifffile.imread(images / names[0]).dtype == np.uint16
    assert tifffile.imread(labels / names[0]).shape == (64, 80)
    more, _ = write_training_scenes(tmp_path / "more", 4, (64, 80), seed=1)
    for name in names:
        np.testing.assert_array_equal(tifffile.imread(images / name), tifffile.imread(more / name))


@pytest.mark.parametrize("occupied", ["synthetic", "synthetic_labels"])
def test_training_scenes_refuse_a_folder_in_use(tmp_path: Path, occupied: str) -> None:
    (tmp_path / occupied).mkdir()
    (tmp_path / occupied / "precious.tif").touch()
    with pytest.raises(FileExistsError, match=f"The folder .*{occupied} is not empty; give a new"):
        write_training_scenes(tmp_path / "synthetic", 1, (64, 64))
    assert [path.name for path in tmp_path.rglob("*.tif")] == ["precious.tif"]


def test_training_scenes_need_a_count(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"The number of scenes is 0; give at least 1\."):
        write_training_scenes(tmp_path / "synthetic", 0)


def test_import_is_light() -> None:
    heavy = "{'torch', 'napari', 'scipy', 'tifffile'} & set(sys.modules)"
    code = f"import sys, napari_unit.simulate; sys.exit(str({heavy}) if {heavy} else 0)"
    subprocess.run([sys.executable, "-c", code], check=True)
