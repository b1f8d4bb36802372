import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from napari_unit_training import adapt as command
from napari_unit_training.adapting.inputs import read_inputs
from napari_unit_training.adapting.run import adapt
from napari_unit_training.errors import TrainingError


@pytest.fixture
def pair(files):
    return files("source", 0, n_channels=3), files("target", 1, inverted=True)


def test_labels_are_needed_where_they_are_learned_from(small, pair, tmp_path):
    with np.load(pair[1]) as arrays:
        np.savez(tmp_path / "bare.npz", images=arrays["x_train"])
    bare = tmp_path / "bare.npz"
    with pytest.raises(TrainingError, match="'unit' learns from their labels"):
        next(adapt(small, bare, pair[1], tmp_path / "run"))
    with pytest.raises(TrainingError, match="'target-supervised' learns from their labels"):
        next(adapt(replace(small, method="target-supervised"), *pair[:1], bare, tmp_path / "run"))
    *_, adapted = adapt(small, pair[0], bare, tmp_path / "run")
    assert adapted.accuracy is None
    assert json.loads((tmp_path / "run" / "result.json").read_text())["accuracy"] is None


def test_test_images_of_other_channels_are_refused(small, pair, tmp_path):
    with pytest.raises(TrainingError, match="3 channels and the target's 1"):
        next(adapt(small, *pair, tmp_path / "run", test=pair[0]))
    assert not (tmp_path / "run").exists()


def test_a_classifier_of_the_source_sees_targets_of_other_channels(small, files, tmp_path):
    settings = replace(small, method="source-only")
    gray, color = files("gray", 0), files("color", 1, n_channels=3)
    for source, target in ((color, gray), (gray, color)):
        *_, adapted = adapt(settings, source, target, tmp_path / source.stem)
        assert adapted.accuracy is not None


@pytest.mark.parametrize("which", [0, 1])
def test_one_image_is_not_enough(small, pair, tmp_path, which):
    with np.load(pair[which]) as arrays:
        np.savez(tmp_path / "one.npz", **{name: array[:1] for name, array in arrays.items()})
    paths = [*pair]
    paths[which] = tmp_path / "one.npz"
    with pytest.raises(TrainingError, match=r"There is one image in .*one\.npz; give at least 2"):
        next(adapt(small, *paths, tmp_path / "run"))


def test_a_test_with_training_images_is_said(small, pair, tmp_path):
    with np.load(pair[1]) as arrays:
        np.savez(tmp_path / "all.npz", images=arrays["x_train"], labels=arrays["y_train"])
    whole, out = tmp_path / "all.npz", tmp_path / "run"
    assert not read_inputs(small, *pair, None).tests_training_images
    started, *_ = adapt(small, pair[0], whole, out)
    assert started.tests_training_images
    assert json.loads((out / "result.json").read_text())["tests_training_images"]
    assert command._in_words(started).endswith("trains on, without their labels.")
    taught = replace(small, method="target-supervised")
    with pytest.raises(TrainingError, match="learns the labels of; give others by --test"):
        next(adapt(taught, pair[0], whole, tmp_path / "other"))
    assert next(adapt(taught, pair[0], whole, tmp_path / "other", test=pair[1]))


def _folder(path, names):
    for number, name in enumerate(names):
        (path / name).mkdir(parents=True)
        for i in range(3):
            pixels = np.full((16, 16), 40 * number + i, np.uint8)
            Image.fromarray(pixels).save(path / name / f"{i}.png")
    return path


def test_classes_that_nobody_learns_are_named(small, tmp_path):
    source = _folder(tmp_path / "source", ("three", "four"))
    alien = _folder(tmp_path / "alien", ("3", "4"))
    other = _folder(tmp_path / "other", ("four", "five"))
    with pytest.raises(TrainingError, match=r"are 3, 4, and none .* \(four, three\); name"):
        next(adapt(small, source, alien, tmp_path / "run"))
    started = next(adapt(small, source, other, tmp_path / "run"))
    assert started.unknown_classes == ("five",)
    assert command._in_words(started).endswith(
        " The labels have no five: such test images never count as right."
    )
