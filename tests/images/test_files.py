import tracemalloc
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile
import zarr

from napari_unit.geometry.regions import Region
from napari_unit.geometry.tiling import Span
from napari_unit.images.files import open_path
from napari_unit.images.pieces import HELD_BYTES
from napari_unit.images.storage import ArraySource

RNG = np.random.default_rng(0)
GRAY = RNG.integers(0, 60000, (90, 110)).astype("u2")
COLOR = RNG.integers(0, 255, (90, 110, 3)).astype("u1")


@pytest.mark.parametrize(
    ("pixels", "ending", "axes", "has_alpha"),
    [
        (GRAY, "png", "YX", False),
        (COLOR, "png", "YXS", False),
        (np.dstack([COLOR, COLOR[..., :1]]), "png", "YXS", True),
        (COLOR, "jpg", "YXS", False),
        (COLOR[..., 0], "jpg", "YX", False),
    ],
)
def test_pictures(
    tmp_path: Path, pixels: np.ndarray, ending: str, axes: str, has_alpha: bool
) -> None:
    path = tmp_path / f"a.{ending}"
    imagecodecs.imwrite(str(path), np.ascontiguousarray(pixels))
    image = open_path(path)
    assert (image.axes.letters, image.shape, image.has_alpha) == (axes, pixels.shape, has_alpha)
    if ending == "png":
        assert np.array_equal(image.array, pixels)


def test_axes_given_by_the_user_go_before_those_of_the_file(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.stack([GRAY, GRAY]))
    assert open_path(tmp_path / "a.tif").n_channels == 1
    assert open_path(tmp_path / "a.tif", "CYX").n_channels == 2
    with pytest.raises(ValueError, match="but the image has 3"):
        open_path(tmp_path / "a.tif", "YX")


def test_paths_that_are_no_images_get_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="does not exist; give the path of a TIFF"):
        open_path(tmp_path / "none.tif")
    with pytest.raises(FileNotFoundError, match="is a folder, and no zarr; give the path"):
        open_path(tmp_path)
    (tmp_path / "a.tif").write_text("hello")
    with pytest.raises(ValueError, match="is no TIFF, PNG, JPEG, npy or npz image"):
        open_path(tmp_path / "a.tif")


@pytest.mark.parametrize("ending", ["png", "tif", "zarr"])
def test_a_file_that_must_not_be_read_gets_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    path = tmp_path / f"a.{ending}"
    if ending == "zarr":
        write_zarr(path, GRAY, 3, (32, 32))
    else:
        imagecodecs.imwrite(str(path), GRAY)

    def refused(self: Path, *args: Any, **more: Any) -> Any:
        raise PermissionError(13, "Permission denied", str(self))

    for name in ("open", "is_file", "read_bytes"):  # root may read all
        monkeypatch.setattr(Path, name, refused)
    with pytest.raises(
        PermissionError, match=rf"a.{ending} cannot be opened: Permission denied\.$"
    ):
        open_path(path)


@pytest.mark.filterwarnings("ignore")  # what decoders say of it does not matter
@pytest.mark.parametrize("ending", ["tif", "tiled.tif", "png", "jpg"])
def test_truncated_files_get_a_sentence(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a.{ending}"
    if "tif" in ending:
        how: dict[str, Any] = {"tile": (32, 32), "compression": "zlib"} if "tiled" in ending else {}
        tifffile.imwrite(path, GRAY, **how)
    else:
        imagecodecs.imwrite(str(path), COLOR)
    content = path.read_bytes()
    for n in (4, 60, len(content) // 2) if "tif" in ending else (4, 60):
        path.write_bytes(content[:n])
        with pytest.raises(ValueError, match=r"cannot be read as an image: .*\.$"):
            open_path(path)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, np.ndarray]:
    """Return a folder with one image of 32 MB in every format that is read by region."""
    folder = tmp_path_factory.mktemp("large")
    tile = RNG.integers(0, 60000, (256, 256)).astype("u2")
    pixels = np.tile(tile, (16, 16))
    tifffile.imwrite(folder / "strips.tif", pixels, compression="zlib", rowsperstrip=16)
    for name, how in TIFFS.items():
        tifffile.imwrite(folder / f"{name}.tif", pixels, **how)
    planes = pixels.reshape(4, 1024, 4096)
    how = {"photometric": "minisblack", "compression": "zlib", "rowsperstrip": 64}
    tifffile.imwrite(folder / "pages.tif", planes, metadata={"axes": "ZYX"}, **how)
    smooth = np.tile(np.kron(COLOR[:16, :16], np.ones((16, 16, 1), "u1")), (13, 13, 1))
    how = {"photometric": "rgb", "compression": "jpeg", "compressionargs": {"level": 98}}
    tifffile.imwrite(folder / "jpeg.tif", smooth, tile=(256, 256), **how)
    how = {"photometric": "rgb", "planarconfig": "separate", "tile": (256, 256)}
    tifffile.imwrite(folder / "separate.tif", pixels[:3072].reshape(3, 1024, 4096), **how)
    np.save(folder / "array.npy", pixels)
    for version in (2, 3):
        write_zarr(folder / f"v{version}.zarr", pixels, version, (256, 256))
        group = zarr.open_group(folder / f"ome{version}.ome.zarr", mode="w", zarr_format=version)
        write_zarr(folder / f"ome{version}.ome.zarr" / "0", pixels, version, (256, 256))
        group.attrs.update(OME[version])
    write_zarr(folder / "shards.zarr", pixels, 3, (256, 256), shards=(1024, 1024))
    return folder, pixels


TIFFS: dict[str, dict[str, Any]] = {
    "plain": {},
    "one strip": {"rowsperstrip": 4096, "byteorder": ">"},
    "raw tiles": {"tile": (256, 256)},
    "tiles": {"tile": (256, 256), "compression": "zlib"},
    "big": {"bigtiff": True, "tile": (256, 256), "compression": "zlib", "byteorder": ">"},
    "predictor": {"compression": "zlib", "predictor": True, "tile": (256, 256)},
}
_AXES = [{"name": name, "type": "space"} for name in "yx"]
_SCALE = {"coordinateTransformations": [{"type": "scale", "scale": [1, 1]}]}
_SCALES = {"axes": _AXES, "datasets": [{"path": "0", **_SCALE}]}
OME: dict[int, dict[str, Any]] = {
    2: {"multiscales": [{"version": "0.4", **_SCALES}]},
    3: {"ome": {"version": "0.5", "multiscales": [_SCALES]}},
}


def write_zarr(path: Path, pixels: np.ndarray, version: Any, chunks: Any, **how: Any) -> None:
    made = zarr.create_array(
        path, shape=pixels.shape, dtype=pixels.dtype, chunks=chunks, zarr_format=version, **how
    )
    made[...] = pixels


def bytes_read() -> int:
    """Return how many bytes this process has asked of files since it began."""
    io = Path("/proc/self/io").read_text().split()
    return int(io[io.index("rchar:") + 1])


@pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="Linux counts what is read")
@pytest.mark.parametrize("name", [
    *(f"{name}.tif" for name in (*TIFFS, "strips", "pages", "jpeg", "separate")),
    "array.npy", "v2.zarr", "v3.zarr", "ome2.ome.zarr", "ome3.ome.zarr", "shards.zarr",
])  # fmt: skip
def test_of_a_large_image_a_region_is_read_and_no_more(
    large: tuple[Path, np.ndarray], name: str
) -> None:
    folder, pixels = large
    path = folder / name
    n_bytes = sum(f.stat().st_size for f in ([path] if path.is_file() else path.rglob("*"))
                  if f.is_file())  # fmt: skip
    open_path(path)  # imports what is needed
    before = bytes_read()
    tracemalloc.start()
    image = open_path(path)
    planes = ArraySource(image.array, image.axes, image.n_channels)
    opened = bytes_read() - before
    region = Region(Span(300, 420), Span(500, 640))
    got = planes.read(0, region)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    read = bytes_read() - before - opened
    if name not in ("pages.tif", "jpeg.tif", "separate.tif"):
        assert np.array_equal(got[0], pixels[300:420, 500:640])
    assert opened < 250_000  # headers, and where the tiles are
    assert read < n_bytes / 15
    assert peak < pixels.nbytes / 12
    assert image.bytes_held <= max(HELD_BYTES, 2 * 256 * 4096)
