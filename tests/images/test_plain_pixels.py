import multiprocessing
import operator
import pickle
from pathlib import Path

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_unit.images import plain_pixels
from napari_unit.images.decoding import PixelsError
from napari_unit.images.plain_pixels import PlainPixels

IMAGE = np.random.default_rng(0).integers(0, 60000, (3, 40, 50)).astype(">u2")


def stored(path: Path, array: np.ndarray = IMAGE, *, is_fortran: bool = False) -> PlainPixels:
    path.write_bytes(b"head" + (array.T if is_fortran else array).tobytes())
    return PlainPixels(path, 4, array.shape, array.dtype, is_fortran)


@given(st.data(), st.booleans(), st.sampled_from([1, 60, 4096]))
def test_slices_are_those_of_numpy(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, is_fortran: bool, at_once: int
) -> None:
    pixels = stored(tmp_path_factory.mktemp("plain") / "a", is_fortran=is_fortran)
    index = data.draw(hnp.basic_indices(IMAGE.shape, allow_newaxis=False))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plain_pixels, "_READ_BYTES", at_once)
        assert np.array_equal(pixels[index], IMAGE[index])


def test_of_a_region_little_more_than_its_pixels_is_read(tmp_path: Path) -> None:
    n_read = 0

    def read_at(offset: int, n: int) -> bytes:
        nonlocal n_read
        n_read += n
        return bytes(n)

    def read(shape: tuple[int, ...], *spans: slice) -> int:
        nonlocal n_read
        n_read = 0
        plain_pixels.read_block(read_at, 0, shape, np.dtype("u2"), spans)
        return n_read

    large = 10**5
    assert read((large, large), slice(5, 105), slice(7, 307)) == 100 * 300 * 2
    three_of_four = (slice(5, 105), slice(7, 307), slice(0, 3))
    assert read((large, large, 4), *three_of_four) == 100 * 300 * 4 * 2
    assert read((3, large, large), slice(1, 2), slice(0, 9), slice(0, 9)) == 9 * 9 * 2


def test_a_file_cut_short_while_it_is_open_gets_a_sentence(tmp_path: Path) -> None:
    pixels = stored(tmp_path / "a")
    with (tmp_path / "a").open("rb+") as file:
        file.truncate(5000)
    assert np.array_equal(pixels[0, :5], IMAGE[0, :5])
    with pytest.raises(PixelsError, match=r"a cannot be read: it ends before byte \d+; it was cha"):
        pixels[2]
    (tmp_path / "a").unlink()
    with pytest.raises(PixelsError, match=r"cannot be opened any more: .*No such file"):
        pickle.loads(pickle.dumps(pixels))


def test_another_process_opens_the_file_again(tmp_path: Path) -> None:
    pixels = stored(tmp_path / "a")
    assert len(pickle.dumps(pixels)) < 1000
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        got = pool.apply(operator.getitem, (pixels, (1, slice(3, 9))))
        pool.close()
        pool.join()
    assert np.array_equal(got, IMAGE[1, 3:9])
