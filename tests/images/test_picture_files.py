import struct
import zlib
from pathlib import Path

import imagecodecs
import numpy as np
import pytest

from napari_unit.images import decoding
from napari_unit.images.files import open_path

SMOOTH = np.kron(np.arange(24).reshape(4, 6), np.ones((16, 16))).astype("u1")


def test_a_jpeg_that_ends_in_the_middle_is_refused(tmp_path: Path) -> None:
    imagecodecs.imwrite(str(tmp_path / "a.jpg"), SMOOTH)
    content = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "a.jpg").write_bytes(content[:-20])
    with pytest.raises(ValueError, match="the file ends before its pixels do; copy it again"):
        open_path(tmp_path / "a.jpg")
    (tmp_path / "a.jpg").write_bytes(content + b"trailing")
    assert open_path(tmp_path / "a.jpg").shape == SMOOTH.shape


@pytest.mark.parametrize("kind", ["png", "jpg"])
def test_headers_that_claim_too_much_are_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"a.{kind}"
    imagecodecs.imwrite(str(path), SMOOTH)
    content = bytearray(path.read_bytes())
    if kind == "png":
        content[16:24] = struct.pack(">II", 10**6, 10**6)
        content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    else:
        frame = content.index(b"\xff\xc0")
        content[frame + 5 : frame + 9] = struct.pack(">HH", 65000, 65000)
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"bytes cannot hold the \d+ x \d+ px it claims\.$"):
        open_path(path)


@pytest.mark.parametrize("kind", ["png", "jpg", "npz"])
def test_what_no_memory_holds_is_refused_before_it_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    path = tmp_path / f"a.{kind}"
    if kind == "npz":
        np.savez_compressed(path, SMOOTH)
    else:
        imagecodecs.imwrite(str(path), SMOOTH)
    monkeypatch.setattr(decoding, "available_system_bytes", lambda: 2000)
    with pytest.raises(MemoryError, match=f"a.{kind} cannot be read: its .* decoded at once"):
        open_path(path)
