import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_unit.images.files import open_path
from napari_unit.images.placement import PixelSize
from napari_unit.images.tiff_pixels import TiffPixels

RNG = np.random.default_rng(0)
GRAY = RNG.integers(0, 60000, (90, 110)).astype("u2")
COLOR = RNG.integers(0, 255, (90, 110, 3)).astype("u1")

CM = {"resolution": (2e4, 4e4), "resolutionunit": "CENTIMETER"}
INCH = {"resolution": (72, 72), "resolutionunit": "INCH"}
IMAGEJ = {"imagej": True, "resolution": (2.0, 4.0), "metadata": {"unit": "um", "spacing": 3.0}}
OME = {
    "ome": True,
    "metadata": {
        "PhysicalSizeX": 0.5, "PhysicalSizeXUnit": "nm",
        "PhysicalSizeY": 0.25, "PhysicalSizeYUnit": "nm",
    },
}  # fmt: skip


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"byteorder": ">"},
        {"bigtiff": True},
        {"compression": "zlib", "predictor": True},
        {"compression": "lzw", "rowsperstrip": 7},
        {"compression": "zlib", "rowsperstrip": 90},
        {"compression": "zlib", "tile": (32, 48)},
        {"tile": (32, 48)},
    ],
)
def test_every_kind_of_tiff_gives_its_pixels_region_by_region(
    tmp_path: Path, how: dict[str, Any]
) -> None:
    tifffile.imwrite(tmp_path / "a.tif", GRAY, **how)
    image = open_path(tmp_path / "a.tif")
    assert (image.axes.letters, image.shape, image.name) == ("YX", (90, 110), "a")
    assert np.array_equal(image.array[13:77, 5:99], GRAY[13:77, 5:99])
    assert np.array_equal(image.array[:], GRAY)


def test_jpeg_in_tiff_is_read_by_tiles(tmp_path: Path) -> None:
    smooth = np.kron(COLOR[:6, :7], np.ones((16, 16, 1), "u1"))
    how = {"photometric": "rgb", "compression": "jpeg", "compressionargs": {"level": 95}}
    tifffile.imwrite(tmp_path / "a.tif", smooth, tile=(32, 32), **how)
    image = open_path(tmp_path / "a.tif")
    assert image.axes.letters == "YXS"
    assert (image.n_channels, image.has_alpha) == (3, False)
    got = image.array[10:70, 20:90, :].astype(int)
    assert np.abs(got - smooth[10:70, 20:90]).mean() < 6


def test_a_pyramid_names_its_levels(tmp_path: Path) -> None:
    path = tmp_path / "a.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as tif:
        tif.write(GRAY, subifds=1, tile=(32, 32), metadata={"axes": "YX"})
        tif.write(GRAY[::2, ::2], subfiletype=1, tile=(32, 32))
    image = open_path(path)
    assert image.name == "a"
    assert image.level_shapes == ((90, 110), (45, 55))
    assert image.is_multiscale
    assert np.array_equal(TiffPixels(path, 1)[:], GRAY[::2, ::2])


def test_of_several_images_the_first_is_taken_and_it_says_so(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.ome.tif", ome=True) as tif:
        tif.write(GRAY, metadata={"axes": "YX"})
        tif.write(GRAY[:20, :20], metadata={"axes": "YX"})
    image = open_path(tmp_path / "a.ome.tif")
    assert image.shape == (90, 110)
    assert image.notes == ("a.ome.tif holds 2 images; the first one is taken.",)


@pytest.mark.parametrize(
    ("how", "size"),
    [
        ({}, None),
        (CM, PixelSize(0.25, 0.5, None, "µm")),
        (INCH, None),
        (IMAGEJ, PixelSize(0.25, 0.5, 3.0, "µm")),
        (OME, PixelSize(0.25, 0.5, None, "nm")),
        ({"imagej": True, "resolution": (0, 0), "metadata": {"unit": "um"}}, None),
    ],
)
def test_the_pixel_size_is_read_in_every_dialect(
    tmp_path: Path, how: dict[str, Any], size: PixelSize | None
) -> None:
    tifffile.imwrite(tmp_path / "a.tif", GRAY, **how)
    assert open_path(tmp_path / "a.tif").pixel_size == size


def test_opacity_of_a_tiff_is_told_from_a_channel(tmp_path: Path) -> None:
    four = np.dstack([COLOR, COLOR[..., :1]])
    tifffile.imwrite(tmp_path / "a.tif", four, photometric="rgb", extrasamples=["UNASSALPHA"])
    assert open_path(tmp_path / "a.tif").n_channels == 3
    tifffile.imwrite(tmp_path / "b.tif", four, photometric="minisblack", planarconfig="contig")
    assert open_path(tmp_path / "b.tif").n_channels == 4


def test_lazy_pixels_can_go_to_another_process(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", GRAY, compression="zlib")
    copy = pickle.loads(pickle.dumps(TiffPixels(tmp_path / "a.tif")))
    assert np.array_equal(copy[5:9], GRAY[5:9])


def test_a_damaged_tile_is_told_when_it_is_read(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", GRAY, tile=(96, 112), compression="zlib")
    with tifffile.TiffFile(tmp_path / "a.tif") as tif:
        start = tif.pages[0].dataoffsets[0]
    with (tmp_path / "a.tif").open("rb+") as file:
        file.seek(start)
        file.write(b"\0" * 40)
    image = open_path(tmp_path / "a.tif")
    with pytest.raises(OSError, match=r"a.tif is damaged: "):
        image.array[0:5, 0:5]


def test_a_tiff_with_broken_ome_xml_is_read_without_a_pixel_size(tmp_path: Path) -> None:
    path = tmp_path / "a.ome.tif"
    image = np.arange(300, dtype="u2").reshape(15, 20)
    tifffile.imwrite(path, image, metadata={"axes": "YX", "Name": "ab", "PhysicalSizeX": 0.5})
    path.write_bytes(path.read_bytes().replace(b'Name="ab"', b'Name="&b"'))
    opened = open_path(path)
    assert opened.pixel_size is None
    assert np.array_equal(opened.array[:], image)


def test_pages_that_go_round_in_circles_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.stack([GRAY, GRAY]), compression="zlib", photometric="minisblack")
    with tifffile.TiffFile(path) as tif:
        first, second = (page.offset for page in tif.pages)
    content = bytearray(path.read_bytes())
    n_tags = int.from_bytes(content[second : second + 2], "little")
    end = second + 2 + 12 * n_tags
    content[end : end + 4] = first.to_bytes(4, "little")
    path.write_bytes(content)
    with pytest.raises(ValueError, match="its pages lead back to an earlier one"):
        open_path(path)


@pytest.mark.parametrize(
    ("how", "letters", "names", "step_s"),
    [
        ({"imagej": True, "metadata": {"axes": "TZCYX", "finterval": 2.5}}, "TZCYX", (), 2.5),
        (
            {"ome": True, "metadata": {"axes": "TZCYX", "TimeIncrement": 250.0,
             "TimeIncrementUnit": "ms", "Channel": {"Name": ["DAPI", "GFP", "bright"]}}},
            "TZCYX", ("DAPI", "GFP", "bright"), 0.25,
        ),
        ({"ome": True, "metadata": {"axes": "CZTYX"}}, "CZTYX", (), None),
        ({"metadata": {"axes": "TZCYX"}}, "TZCYX", (), None),
    ],
)  # fmt: skip
def test_axes_channels_and_times_are_those_that_the_file_names(
    tmp_path: Path, how: dict[str, Any], letters: str, names: tuple[str, ...], step_s: float | None
) -> None:
    stack = np.zeros((2, 4, 3, 16, 17), "u2")
    tifffile.imwrite(tmp_path / "a.ome.tif", stack, photometric="minisblack", **how)
    image = open_path(tmp_path / "a.ome.tif")
    assert image.axes.letters == letters
    assert (image.channel_names, image.time_step_s) == (names, step_s)
    assert image.n_channels == stack.shape[letters.index("C")]


def test_pages_that_no_one_names_are_planes_and_no_channels(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as tif:
        for page in (GRAY, GRAY, GRAY):
            tif.write(page, metadata=None, compression="zlib")
    image = open_path(tmp_path / "a.tif")
    assert (image.shape, image.n_channels) == ((3, 90, 110), 1)


def test_an_image_in_several_files_and_one_of_them_gone(tmp_path: Path) -> None:
    places = "".join(
        f'<TiffData FirstZ="{z}" IFD="0" PlaneCount="1"><UUID FileName="{z}.ome.tif">'
        f"urn:uuid:00000000-0000-0000-0000-00000000000{z}</UUID></TiffData>"
        for z in range(2)
    )
    for z in range(2):
        xml = (
            '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" '
            f'UUID="urn:uuid:00000000-0000-0000-0000-00000000000{z}"><Image ID="Image:0">'
            '<Pixels DimensionOrder="XYZCT" ID="Pixels:0" SizeC="1" SizeT="1" SizeX="110" '
            f'SizeY="90" SizeZ="2" Type="uint16">{places}</Pixels></Image></OME>'
        )
        how: dict[str, Any] = {"description": xml, "metadata": None, "compression": "zlib"}
        tifffile.imwrite(tmp_path / f"{z}.ome.tif", GRAY + z, **how)
    image = open_path(tmp_path / "0.ome.tif")
    assert (image.axes.letters, image.notes) == ("ZYX", ())
    assert np.array_equal(image.array[:, 5:9], np.stack([GRAY, GRAY + 1])[:, 5:9])
    opened = open_path(tmp_path / "0.ome.tif")
    (tmp_path / "1.ome.tif").unlink()
    with pytest.raises(
        OSError, match=r"strip 0 of page 1 \(Z 1, .* cannot be read: .*No such file"
    ):
        opened.array[1]
    image = open_path(tmp_path / "0.ome.tif")
    (note,) = image.notes
    assert note.startswith("1 of the planes that 0.ome.tif names are in no file that is there;")
    assert not image.array[1].any()
