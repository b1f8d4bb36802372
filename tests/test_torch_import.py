import os
import sys
from pathlib import Path

import pytest

from napari_unit import torch_import

DEEP_BINDING = getattr(os, "RTLD_DEEPBIND", 0)


@pytest.fixture
def triton(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of that name, not imported yet."""
    folder = tmp_path / "site" / "triton"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("import sys\nflags = sys.getdlopenflags()\n")
    monkeypatch.syspath_prepend(folder.parent)
    monkeypatch.setitem(sys.modules, "triton", None)  # so that what is there now comes back
    monkeypatch.delitem(sys.modules, "triton")
    return folder


def maps_with(library: str, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.write_text(f"7f00-7fff r-xp 0 fe:00 1  /usr/lib/{library}\n")
    monkeypatch.setattr(torch_import, "_MAPS", path)


@pytest.mark.skipif(not DEEP_BINDING, reason="only Linux's loader knows deep binding")
@pytest.mark.parametrize("after", ["", "raise ImportError('No.')"])
def test_beside_mesas_llvm_triton_looks_among_its_own_names_first(
    after: str, triton: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    maps_with("libLLVM-15.so.1", tmp_path / "maps", monkeypatch)
    seen = tmp_path / "seen"
    kept = f"import pathlib, sys\npathlib.Path({str(seen)!r}).write_text(str(sys.getdlopenflags()))"
    (triton / "__init__.py").write_text(f"{kept}\n{after}\n")
    before = sys.getdlopenflags()
    torch_import.import_triton()
    assert int(seen.read_text()) == before | DEEP_BINDING
    assert sys.getdlopenflags() == before
    assert ("triton" in sys.modules) is not bool(after)


def test_without_mesas_llvm_triton_is_left_to_torch(
    triton: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    maps_with("libc.so.6", tmp_path / "maps", monkeypatch)
    torch_import.import_triton()
    assert "triton" not in sys.modules


@pytest.mark.skipif(not DEEP_BINDING, reason="only Linux's loader knows deep binding")
def test_where_there_is_no_triton_nothing_happens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    maps_with("libLLVM.so.19.1", tmp_path / "maps", monkeypatch)
    monkeypatch.setattr(torch_import, "find_spec", lambda name: None)
    monkeypatch.setitem(sys.modules, "triton", None)
    monkeypatch.delitem(sys.modules, "triton")
    torch_import.import_triton()
    assert "triton" not in sys.modules
