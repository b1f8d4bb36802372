import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.io import savemat

from napari_unit_training.adapting.labelled_images import load_labelled
from napari_unit_training.errors import TrainingError


def test_npz_has_a_training_and_a_test_part(files):
    path = files("digits", 0)
    train, test = load_labelled(path, 16), load_labelled(path, 16, "test")
    with np.load(path) as arrays:
        assert np.array_equal(train.images[:, 0], arrays["x_train"])
        assert np.array_equal(test.labels, arrays["y_test"])
    assert (train.classes, train.n_channels) == (("0", "1"), 1)


def test_images_and_labels_alone_are_both_parts(tmp_path):
    pixels = np.zeros((3, 32, 32, 3), np.uint8)
    np.savez(tmp_path / "few.npz", images=pixels, labels=np.array([0, 2, 1]))
    found = load_labelled(tmp_path / "few.npz", 32, "test")
    assert found.images.shape == (3, 3, 32, 32)
    assert found.classes == ("0", "1", "2")


def test_svhns_own_file_says_ten_for_zero(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3, 4), dtype=np.uint8)
    savemat(tmp_path / "train_32x32.mat", {"X": pixels, "y": np.array([[10], [1], [9], [10]])})
    found = load_labelled(tmp_path / "train_32x32.mat", 32)
    assert found.labels.tolist() == [0, 1, 9, 0]
    assert len(found.classes) == 10
    assert np.array_equal(found.images[2].permute(1, 2, 0), pixels[..., 2])


def test_a_folder_has_a_folder_per_class(tmp_path):
    for name, level in (("mitotic", 200), ("interphase", 100)):
        (tmp_path / "cells" / name).mkdir(parents=True)
        Image.fromarray(np.full((20, 30), level, np.uint8)).save(
            tmp_path / "cells" / name / "0.png"
        )
    found = load_labelled(tmp_path / "cells", 16)
    assert found.classes == ("interphase", "mitotic")
    assert found.labels.tolist() == [0, 1]
    assert found.images.unique(dim=1).flatten(1).unique(dim=1).flatten().tolist() == [100, 200]


def test_a_folder_of_pictures_has_no_labels(tmp_path):
    Image.fromarray(np.zeros((20, 30, 3), np.uint8)).save(tmp_path / "0.png")
    found = load_labelled(tmp_path, 16)
    assert (found.labels, found.classes, found.n_channels) == (None, (), 3)


def test_larger_images_are_smoothed(tmp_path):
    stripes = np.tile(np.array([0, 200], np.uint8), (1, 32, 16))
    np.savez(tmp_path / "stripes.npz", images=stripes)
    small = load_labelled(tmp_path / "stripes.npz", 16).images
    assert small[..., 2:-2].float().std() < 30


def test_batches_are_from_minus_one_to_one(files):
    found = load_labelled(files("digits", 0), 16)
    batch = found.batch(torch.tensor([1, 0]), torch.device("cpu"))
    assert batch.shape == (2, 1, 16, 16)
    assert -1 <= batch.min() < -0.6 < 0.6 < batch.max() <= 1
    torch.testing.assert_close(((batch[1] + 1) * 127.5).round().byte(), found.images[0])


def test_negatives_keep_their_labels(files):
    found = load_labelled(files("digits", 0), 16)
    both = found.with_negatives()
    assert torch.equal(both.images[64:], 255 - found.images)
    assert torch.equal(both.labels[64:], found.labels)


def _save(path, **arrays):
    np.savez(path, **arrays)
    return path


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"pixels": np.zeros(3)}, "has the arrays pixels; it needs x_train and y_train, or images"),
        ({"images": np.zeros((2, 8, 8), np.float32)}, "are float32 of shape .* must be 8-bit"),
        ({"images": np.zeros((2, 8, 8, 4), np.uint8)}, r"shape \(2, 8, 8, 4\)"),
        ({"images": np.zeros((0, 8, 8), np.uint8)}, "There are no images"),
        (
            {"images": np.zeros((2, 8, 8), np.uint8), "labels": np.zeros(3, int)},
            r"2 images and labels of shape \(3,\)",
        ),
        (
            {"images": np.zeros((2, 8, 8), np.uint8), "labels": np.array([0.5, 1])},
            "whole numbers from 0 to 999",
        ),
        (
            {"images": np.zeros((2, 8, 8), np.uint8), "labels": np.array([-1, 1])},
            "whole numbers from 0 to 999",
        ),
    ],
)
def test_what_is_wrong_with_arrays_is_said(tmp_path, arrays, message):
    with pytest.raises(TrainingError, match=message):
        load_labelled(_save(tmp_path / "odd.npz", **arrays), 16)


def test_objects_are_not_unpickled(tmp_path):
    path = _save(tmp_path / "odd.npz", images=np.array([object()], object))
    with pytest.raises(TrainingError, match="cannot be read"):
        load_labelled(path, 16)


@pytest.mark.parametrize("name", ["nothing.npz", "folder"])
def test_a_missing_path_is_named(tmp_path, name):
    with pytest.raises(TrainingError, match=re.escape(str(tmp_path / name))):
        load_labelled(tmp_path / name, 16)


@pytest.mark.parametrize("damage", ["torn", "changed", "npy"])
def test_a_damaged_npz_is_refused(files, tmp_path, damage):
    whole = files("digits", 0).read_bytes()
    path = tmp_path / "odd.npz"
    if damage == "torn":
        path.write_bytes(whole[: len(whole) // 2])
    elif damage == "changed":
        path.write_bytes(whole[:400] + bytes(b ^ 255 for b in whole[400:500]) + whole[500:])
    else:
        np.save(path.with_suffix(".npy"), np.zeros((2, 8, 8), np.uint8))
        path.with_suffix(".npy").rename(path)
    with pytest.raises(TrainingError, match=r"odd\.npz cannot be read"):
        load_labelled(path, 16)


def test_channels_can_be_changed(files):
    gray = load_labelled(files("gray", 0), 16)
    color = gray.with_channels(3)
    assert color.images.shape == (64, 3, 16, 16)
    assert torch.equal(color.images[:, 2], gray.images[:, 0])
    assert torch.equal(color.with_channels(1).images, gray.images)
    assert torch.equal(gray.with_channels(1).images, gray.images)
    green = torch.zeros_like(color.images).index_fill_(1, torch.tensor(1), 200)
    assert set(replace(color, images=green).with_channels(1).images.unique().tolist()) == {117}


@pytest.mark.parametrize("name", ["odd.mat", "odd.npz", "odd.csv"])
def test_another_file_is_refused(tmp_path, name):
    (tmp_path / name).write_bytes(b"0,1,2,3\n" * 64)
    with pytest.raises(TrainingError, match=re.escape(name)):
        load_labelled(tmp_path / name, 16)


def test_pictures_of_two_kinds_are_refused(tmp_path):
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "gray.png")
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / "color.png")
    with pytest.raises(TrainingError, match="kinds L, RGB; all must be gray"):
        load_labelled(tmp_path, 16)


def test_a_broken_picture_is_named(tmp_path):
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n")
    with pytest.raises(TrainingError, match=r"broken\.png cannot be read"):
        load_labelled(tmp_path, 16)
