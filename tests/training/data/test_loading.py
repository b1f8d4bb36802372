from dataclasses import replace

import numpy as np
import pytest
import tifffile
import torch
import zarr
from saved_images import random_image, save_image

from napari_unit_training.config_tables import DomainSettings
from napari_unit_training.data import image_files
from napari_unit_training.data.loading import load_domain
from napari_unit_training.errors import TrainingError

CROP = 16
PLAIN = DomainSettings(name="cells")


def test_mixed_files_of_one_kind_become_one_domain(folder):
    save_image(folder, "a.tif", random_image(20, 30))
    save_image(folder, "b.png", random_image(16, 16, dtype="uint8"))
    save_image(folder, "c.jpg", random_image(40, 17, dtype="uint8"))
    save_image(folder, "d.tiff", random_image(18, 18, dtype="float32") / 7)
    save_image(folder, "e.PNG".lower(), random_image(19, 19) * 200)
    (folder / "notes.txt").write_text("not an image")
    (folder / ".hidden.tif").write_text("nor this")
    loaded = load_domain(folder, PLAIN, CROP)
    assert [tuple(i.held.shape[1:]) for i in loaded.images] == [
        (1, 20, 30), (1, 16, 16), (1, 40, 17), (1, 18, 18), (1, 19, 19),
    ]  # fmt: skip
    for image in loaded.images:
        assert image.held.dtype == torch.float32
        assert image.held.min() == -1
        assert image.held.max() == 1
    assert loaded.domain.channels == ("intensity",)
    assert loaded.description == {
        "folder": "microscope",
        "images": 5,
        "planes": 5,
        "dtypes": ["float32", "uint16", "uint8"],
        "height_px": [16, 40],
        "width_px": [16, 30],
    }


def test_percentiles_map_each_image_by_its_own_and_the_medians_are_kept(folder):
    for index, top in enumerate((100, 1000, 3000)):
        pixels = np.linspace(top / 10, top, 400, dtype=np.float32).reshape(20, 20)
        save_image(folder, f"{index}.tif", pixels)
    loaded = load_domain(folder, replace(PLAIN, scaling="percentiles:0,50"), CROP)
    scaling = loaded.domain.scaling
    assert (scaling.kind, scaling.low, scaling.high) == ("percentiles", 0, 50)
    assert scaling.typical_low == pytest.approx((100,))
    assert scaling.typical_high == pytest.approx((550,))
    torch.testing.assert_close(loaded.images[0].held, loaded.images[2].held)
    assert (loaded.images[0].held == 1).float().mean() == pytest.approx(0.5, abs=0.01)


def test_a_range_is_the_same_for_all_images(folder):
    save_image(folder, "a.tif", np.full((16, 16), 50, np.uint16) + np.eye(16, dtype=np.uint16) * 50)
    loaded = load_domain(folder, replace(PLAIN, scaling="range:0,200"), CROP)
    assert loaded.images[0].held.unique().tolist() == [-0.5, 0.0]
    assert loaded.domain.scaling.kind == "range"


@pytest.mark.parametrize(
    ("pixels", "kind"),
    [
        (random_image(16, 16, 3, dtype="uint8"), "range"),
        (random_image(16, 16, 3, dtype="uint16"), "percentiles"),
        (random_image(16, 16, dtype="uint8"), "percentiles"),
    ],
)
def test_only_8_bit_rgb_defaults_to_its_full_range(folder, pixels, kind):
    save_image(folder, "a.png", pixels)
    scaling = load_domain(folder, PLAIN, CROP).domain.scaling
    bounds = {"range": (0, 255), "percentiles": (0.1, 99.9)}
    assert (scaling.kind, scaling.low, scaling.high) == (kind, *bounds[kind])


def test_colours_get_their_names_and_others_numbers(folder, tmp_path):
    save_image(folder, "a.png", random_image(16, 16, 3, dtype="uint8"))
    assert load_domain(folder, PLAIN, CROP).domain.channels == ("red", "green", "blue")
    other = tmp_path / "other"
    other.mkdir()
    tifffile.imwrite(other / "a.tif", random_image(2, 16, 16), metadata={"axes": "CYX"})
    assert load_domain(other, PLAIN, CROP).domain.channels == ("channel 0", "channel 1")
    named = replace(PLAIN, channels=("DAPI", "actin"))
    assert load_domain(other, named, CROP).domain.channels == ("DAPI", "actin")
    with pytest.raises(TrainingError, match=r"1 channels are named \(DAPI\), but .* have 2"):
        load_domain(other, replace(PLAIN, channels=("DAPI",)), CROP)


def test_an_unnamed_domain_is_called_as_its_folder(folder):
    save_image(folder, "a.tif", random_image(16, 16))
    assert load_domain(folder, DomainSettings(), CROP).domain.name == "microscope"


def test_alpha_is_dropped_with_a_note(folder):
    save_image(folder, "a.png", random_image(16, 16, 4, dtype="uint8"))
    save_image(folder, "b.png", random_image(16, 16, 3, dtype="uint8"))
    loaded = load_domain(folder, PLAIN, CROP)
    assert loaded.domain.n_channels == 3
    assert len(loaded.notes) == 1
    assert "alpha channel of 1 images" in loaded.notes[0]
    assert "a.png" in loaded.notes[0]


def test_the_fingerprint_sees_pixels_and_names(folder):
    save_image(folder, "a.tif", random_image(16, 16))
    first = load_domain(folder, PLAIN, CROP).fingerprint
    assert load_domain(folder, PLAIN, CROP).fingerprint == first
    (folder / "a.tif").rename(folder / "b.tif")
    second = load_domain(folder, PLAIN, CROP).fingerprint
    save_image(folder, "b.tif", random_image(16, 16).T)
    assert len({first, second, load_domain(folder, PLAIN, CROP).fingerprint}) == 3


def test_every_plane_of_a_stack_is_an_image(folder):
    stack = random_image(4, 3, 20, 24)
    metadata = {"axes": "ZCYX"}
    tifffile.imwrite(folder / "a.ome.tif", stack, ome=True, metadata=metadata)
    loaded = load_domain(folder, PLAIN, CROP)
    (image,) = loaded.images
    assert (image.n_planes, image.n_channels) == (4, 3)
    assert loaded.description["planes"] == 4
    assert "1 images in" in loaded.notes[0]
    assert "a.ome.tif (ZCYX (4, 3, 20, 24))" in loaded.notes[0]
    np.testing.assert_array_equal(
        image.crop(2, 1, 3, CROP).numpy(),
        image.window.to_unit(stack[2, :, 1 : 1 + CROP, 3 : 3 + CROP]),
    )


def test_axes_that_files_do_not_name_are_said(folder):
    np.save(folder / "a.npy", random_image(3, 20, 24))
    loaded = load_domain(folder, replace(PLAIN, axes="CYX"), CROP)
    assert loaded.domain.n_channels == 3
    assert load_domain(folder, replace(PLAIN, axes="ZYX"), CROP).images[0].n_planes == 3


def test_a_zarr_is_an_image_among_others(folder):
    save_image(folder, "a.tif", random_image(30, 30))
    array = zarr.create_array(folder / "b.zarr", shape=(40, 50), dtype="u2", chunks=(16, 16))
    array[...] = random_image(40, 50)
    loaded = load_domain(folder, PLAIN, CROP)
    assert [(i.path.name, i.height) for i in loaded.images] == [("a.tif", 30), ("b.zarr", 40)]


def test_what_does_not_fit_is_read_crop_by_crop_to_the_same_bits(folder):
    for index in range(3):
        save_image(folder, f"{index}.tif", np.random.default_rng(index).integers(0, 999, (40, 50)))
    held = load_domain(folder, PLAIN, CROP)
    read = load_domain(folder, PLAIN, CROP, hold_bytes=4 * 40 * 50)
    assert [image.held is None for image in held.images] == [False] * 3
    assert [image.held is None for image in read.images] == [False, True, True]
    assert read.fingerprint == held.fingerprint
    for one, other in zip(held.images, read.images, strict=True):
        assert torch.equal(one.crop(0, 7, 9, CROP), other.crop(0, 7, 9, CROP))


def test_decoded_pixels_are_let_go(folder, monkeypatch):
    """Formats that cannot be read in parts would fill the memory that was not given to them."""
    monkeypatch.setattr(image_files, "MAX_DECODED_BYTES", 3 * 20 * 20)
    for index in range(6):
        save_image(folder, f"{index}.png", random_image(20, 20, dtype="uint8"))
    held = load_domain(folder, PLAIN, CROP)
    assert not held.images[0].files._open
    read = load_domain(folder, PLAIN, CROP, hold_bytes=0)
    assert len(read.images[0].files._open) == 3
    assert torch.equal(read.images[0].crop(0, 2, 3, CROP), held.images[0].crop(0, 2, 3, CROP))


def test_windows_are_those_of_a_translation(folder):
    """What the networks see of an image in training, they see of it later."""
    pixels = np.random.default_rng(0).gamma(2.0, 900.0, (90, 70)).astype("u2")
    save_image(folder, "a.tif", pixels)
    (image,) = load_domain(folder, PLAIN, CROP).images
    low, high = np.percentile(pixels, (0.1, 99.9))
    assert image.window.low == pytest.approx((low,))
    assert image.window.high == pytest.approx((high,))


def test_many_files_are_not_all_open_at_once(folder, monkeypatch):
    monkeypatch.setattr(image_files, "MAX_OPEN", 2)
    for index in range(5):
        save_image(folder, f"{index}.tif", random_image(20, 20))
    read = load_domain(folder, PLAIN, CROP, hold_bytes=0)
    crops = [image.crop(0, 0, 0, CROP) for image in read.images]
    assert len(read.images[0].files._open) == 2
    assert all(torch.equal(crop, crops[0]) for crop in crops)
