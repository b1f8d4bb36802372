import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_unit_training.images import UnreadableImageError, read_image


def _random(*shape: int, dtype: str = "uint8") -> np.ndarray:
    return np.random.default_rng(0).integers(0, 250, shape).astype(dtype)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "uint32", "float32", "float64"])
def test_a_gray_tiff_keeps_its_dtype_and_values(tmp_path, dtype):
    pixels = _random(8, 9, dtype=dtype)
    tifffile.imwrite(tmp_path / "x.tif", pixels)
    image = read_image(tmp_path / "x.tif")
    assert image.pixels.dtype == dtype
    np.testing.assert_array_equal(image.pixels, pixels[None])
    assert not image.is_rgb


@pytest.mark.parametrize(
    ("shape", "options", "channels", "is_rgb"),
    [
        ((8, 9, 3), {"photometric": "rgb"}, 3, True),
        ((3, 8, 9), {"photometric": "rgb", "planarconfig": "separate"}, 3, True),
        ((2, 8, 9), {"metadata": {"axes": "CYX"}}, 2, False),
        ((6, 8, 9), {"metadata": {"axes": "CYX"}}, 6, False),
        ((4, 8, 9), {"photometric": "minisblack"}, 4, False),
        ((8, 9, 2), {"metadata": {"axes": "YXC"}, "photometric": "minisblack"}, 2, False),
        ((1, 8, 9), {"metadata": {"axes": "TYX"}}, 1, False),
    ],
)
def test_channels_come_first_however_they_were_written(tmp_path, shape, options, channels, is_rgb):
    pixels = _random(*shape)
    tifffile.imwrite(tmp_path / "x.tif", pixels, **options)
    image = read_image(tmp_path / "x.tif")
    assert image.pixels.shape == (channels, 8, 9)
    assert image.is_rgb == is_rgb
    first = pixels[..., 0] if shape[0] == 8 else pixels[0]
    np.testing.assert_array_equal(image.pixels[0], first)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_alpha_is_dropped_and_said(tmp_path, suffix, dtype):
    pixels = _random(8, 9, 4, dtype=dtype)
    path = tmp_path / f"x{suffix}"
    if suffix == ".png":
        path.write_bytes(imagecodecs.png_encode(pixels))
    else:
        tifffile.imwrite(path, pixels, photometric="rgb", extrasamples=["unassalpha"])
    image = read_image(path)
    assert image.dropped_alpha
    assert image.is_rgb
    np.testing.assert_array_equal(image.pixels, np.moveaxis(pixels[..., :3], 2, 0))


def test_a_fourth_channel_that_is_no_alpha_stays(tmp_path):
    pixels = _random(8, 9, 4)
    tifffile.imwrite(
        tmp_path / "x.tif", pixels, photometric="minisblack", planarconfig="contig",
        extrasamples=["unspecified"] * 3,
    )  # fmt: skip
    image = read_image(tmp_path / "x.tif")
    assert image.pixels.shape == (4, 8, 9)
    assert not image.dropped_alpha


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("shape", [(8, 9), (8, 9, 3)])
def test_png_keeps_its_bit_depth(tmp_path, dtype, shape):
    pixels = _random(*shape, dtype=dtype) * (200 if dtype == "uint16" else 1)
    (tmp_path / "x.png").write_bytes(imagecodecs.png_encode(pixels))
    image = read_image(tmp_path / "x.png")
    assert image.pixels.dtype == dtype
    assert image.is_rgb == (len(shape) == 3)
    expected = np.moveaxis(pixels, 2, 0) if len(shape) == 3 else pixels[None]
    np.testing.assert_array_equal(image.pixels, expected)


def test_gray_with_alpha_is_gray(tmp_path):
    (tmp_path / "x.png").write_bytes(imagecodecs.png_encode(_random(8, 9, 2)))
    image = read_image(tmp_path / "x.png")
    assert image.pixels.shape == (1, 8, 9)
    assert image.dropped_alpha


@pytest.mark.parametrize(("mode", "channels"), [("L", 1), ("RGB", 3)])
@pytest.mark.parametrize("suffix", [".jpg", ".JPEG"])
def test_jpeg_is_gray_or_rgb(tmp_path, mode, channels, suffix):
    Image.new(mode, (9, 8), 100 if mode == "L" else (200, 10, 10)).save(tmp_path / f"x{suffix}")
    image = read_image(tmp_path / f"x{suffix}")
    assert image.pixels.shape == (channels, 8, 9)
    assert abs(int(image.pixels[0, 0, 0]) - (100 if mode == "L" else 200)) < 4


def test_a_cmyk_jpeg_is_refused(tmp_path):
    Image.new("CMYK", (9, 8)).save(tmp_path / "x.jpg")
    with pytest.raises(UnreadableImageError, match="is a CMYK JPEG; save it as RGB or gray"):
        read_image(tmp_path / "x.jpg")


@pytest.mark.parametrize("axes", ["ZYX", "TYX"])
def test_a_stack_is_refused(tmp_path, axes):
    tifffile.imwrite(
        tmp_path / "x.tif", _random(3, 8, 9), metadata={"axes": axes}, photometric="minisblack"
    )
    with pytest.raises(UnreadableImageError, match=f"has axes {axes} .* save one 2D image per"):
        read_image(tmp_path / "x.tif")


def test_a_long_unnamed_axis_is_a_stack(tmp_path):
    tifffile.imwrite(tmp_path / "x.tif", _random(5, 8, 9), photometric="minisblack")
    with pytest.raises(UnreadableImageError, match="a stack"):
        read_image(tmp_path / "x.tif")


def test_several_images_in_one_file_are_refused(tmp_path):
    with tifffile.TiffWriter(tmp_path / "x.tif") as file:
        file.write(_random(8, 9), metadata=None)
        file.write(_random(5, 6), metadata=None)
    with pytest.raises(UnreadableImageError, match="holds 2 images; save one image per file"):
        read_image(tmp_path / "x.tif")


@pytest.mark.parametrize("name", ["x.tif", "x.png", "x.jpg"])
@pytest.mark.parametrize("content", [b"", b"not an image at all", b"\x89PNG\r\n\x1a\n\x00\x00"])
def test_a_damaged_file_is_refused(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UnreadableImageError, match="cannot be read"):
        read_image(tmp_path / name)


def test_a_truncated_png_is_refused(tmp_path):
    content = imagecodecs.png_encode(_random(64, 64))
    (tmp_path / "x.png").write_bytes(content[: len(content) // 2])
    with pytest.raises(UnreadableImageError, match="cannot be read"):
        read_image(tmp_path / "x.png")
