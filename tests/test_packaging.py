"""What an installation consists of, read from the wheel and the sdist that the checkout makes."""

import email
import importlib
import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterable
from email.message import Message
from pathlib import Path
from typing import Any

import pytest
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder
from npe2 import PluginManifest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from trove_classifiers import classifiers as known_classifiers

ROOT = Path(__file__).parents[1]
MANIFEST = ROOT / "src" / "napari_unit" / "napari.yaml"
QT = {"pyqt5", "pyqt6", "pyqt6-qt6", "pyside2", "pyside6", "pyside6-essentials", "napari"}


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterable[zipfile.ZipFile]:
    folder = tmp_path_factory.mktemp("wheel")
    (path,) = WheelBuilder(str(ROOT)).build(directory=str(folder), versions=["standard"])
    with zipfile.ZipFile(path) as opened:
        yield opened


@pytest.fixture(scope="module")
def metadata(wheel: zipfile.ZipFile) -> Message:
    (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    return email.message_from_bytes(wheel.read(name))


def requirements(lines: Iterable[str]) -> list[Requirement]:
    return [Requirement(line) for line in lines]


def test_the_wheel_holds_every_file_of_both_packages(wheel: zipfile.ZipFile) -> None:
    expected = {
        path.relative_to(root).as_posix()
        for root in (ROOT / "src", ROOT / "training")
        for path in root.glob("napari_unit*/**/*")
        if path.is_file() and path.suffix not in (".pyc", ".pyo")
    }
    held = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert held == expected
    assert {"napari_unit/napari.yaml", "napari_unit/py.typed"} <= held
    assert "napari_unit_training/py.typed" in held
    assert any(re.fullmatch(r"napari_unit/weights/.+\.safetensors", name) for name in held)
    assert any(re.fullmatch(r"napari_unit_training/presets/.+\.toml", name) for name in held)


def test_the_core_requires_no_qt_and_no_napari(metadata: Message) -> None:
    core = [r for r in requirements(metadata.get_all("Requires-Dist", [])) if not r.marker]
    assert canonicalize_name("torch") in {canonicalize_name(r.name) for r in core}
    assert not QT & {canonicalize_name(r.name) for r in core}


def test_no_requirement_has_an_upper_bound(metadata: Message) -> None:
    for requirement in requirements(metadata.get_all("Requires-Dist", [])):
        bounds = {specifier.operator for specifier in requirement.specifier}
        assert bounds <= {">="}, requirement


def test_the_metadata_say_what_the_hub_reads(metadata: Message) -> None:
    assert metadata["Name"] == "napari-unit"
    assert metadata["License-Expression"] == "BSD-3-Clause"
    assert metadata["Requires-Python"] == ">=3.11"
    listed = metadata.get_all("Classifier", [])
    assert "Framework :: napari" in listed
    assert not [name for name in listed if name not in known_classifiers]
    assert not [name for name in listed if name.startswith("License ::")]
    urls = dict(entry.split(", ", 1) for entry in metadata.get_all("Project-URL", []))
    assert re.fullmatch(r"https://github\.com/[\w-]+/[\w-]+", urls["Source Code"])
    assert metadata.get_payload().startswith("# napari-unit")


def test_the_licence_is_in_the_wheel(wheel: zipfile.ZipFile, metadata: Message) -> None:
    assert metadata.get_all("License-File") == ["LICENSE"]
    (name,) = (name for name in wheel.namelist() if name.endswith("licenses/LICENSE"))
    assert wheel.read(name) == (ROOT / "LICENSE").read_bytes()


WITHOUT_A_GUI = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"napari", "qtpy", "magicgui", "PyQt6", "PySide6", "vispy"}:
            raise ImportError(f"{name} is not installed here")
sys.meta_path.insert(0, Block())
import napari_unit
from napari_unit.simulate import SceneSettings, simulate_nuclei
image = simulate_nuclei(SceneSettings(shape=(64, 96)), seed=1).image
made = napari_unit.translate(image, "nuclei", "real", progress=False)
assert made.shape == image.shape and made.std() > 0
print(napari_unit.__file__)
"""


def test_what_is_in_the_wheel_translates_without_napari_and_qt(
    wheel: zipfile.ZipFile, tmp_path: Path
) -> None:
    wheel.extractall(tmp_path)
    run = subprocess.run(
        [sys.executable, "-c", WITHOUT_A_GUI], env=os.environ | {"PYTHONPATH": str(tmp_path)},
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=200,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert Path(run.stdout.strip()).is_relative_to(tmp_path)


def test_the_readme_has_one_heading_of_the_first_level() -> None:
    """The hub takes it off, and makes its index of those of the second level."""
    text = re.sub(r"```.*?```", "", (ROOT / "README.md").read_text("utf-8"), flags=re.DOTALL)
    assert re.findall(r"^# .+", text, re.MULTILINE) == ["# napari-unit"]
    assert len(re.findall(r"^## .+", text, re.MULTILINE)) >= 5


def test_the_readme_shows_pictures_by_absolute_address_only() -> None:
    """Where PyPI and the hub show it, there are no files beside it."""
    text = (ROOT / "README.md").read_text("utf-8")
    pictures = re.findall(r"!\[[^]]*\]\(([^)\s]+)", text) + re.findall(
        r"<img[^>]+src=\"([^\"]+)", text
    )
    assert pictures
    assert not [address for address in pictures if not address.startswith("https://")]


def test_entry_points_lead_somewhere(project: dict[str, Any]) -> None:
    for target in project["project"]["scripts"].values():
        module, name = target.split(":")
        assert callable(getattr(importlib.import_module(module), name))
    package, file = project["project"]["entry-points"]["napari.manifest"]["napari-unit"].split(":")
    origin = importlib.import_module(package).__file__
    assert origin is not None
    assert (Path(origin).parent / file).is_file()


def test_the_sdist_holds_no_link(tmp_path: Path) -> None:
    (path,) = SdistBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    with tarfile.open(path) as sdist:
        members = {member.name.partition("/")[2]: member for member in sdist.getmembers()}
    assert not [name for name, member in members.items() if member.issym() or member.islnk()]
    assert "napari.yaml" not in members
    assert {"LICENSE", "README.md", "src/napari_unit/napari.yaml"} <= set(members)


def test_a_wheel_from_the_sdist_is_the_same(tmp_path: Path, wheel: zipfile.ZipFile) -> None:
    (path,) = SdistBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    with tarfile.open(path) as sdist:
        if hasattr(tarfile, "data_filter"):  # from Python 3.11.4 on, and Debian 12 has 3.11.2
            sdist.extraction_filter = tarfile.data_filter
        sdist.extractall(tmp_path)
    (unpacked,) = (entry for entry in tmp_path.iterdir() if entry.is_dir())
    (path,) = WheelBuilder(str(unpacked)).build(directory=str(tmp_path), versions=["standard"])
    with zipfile.ZipFile(path) as rebuilt:
        assert sorted(rebuilt.namelist()) == sorted(wheel.namelist())


def test_the_two_manifests_are_the_same() -> None:
    root = ROOT / "napari.yaml"
    if not root.exists():
        pytest.skip("this is not a checkout: the root manifest stays out of the sdist")
    if not root.is_symlink():  # git on Windows: a file with what the link leads to
        assert ROOT / root.read_text("utf-8").strip() == MANIFEST
        return
    assert root.read_bytes() == MANIFEST.read_bytes()


def test_the_manifest_is_valid(project: dict[str, Any]) -> None:
    manifest = PluginManifest.from_file(MANIFEST)
    assert manifest.name == project["project"]["name"]
    contributed = manifest.contributions
    commands = {command.id for command in contributed.commands or []}
    points = (contributed.widgets, contributed.sample_data, contributed.writers)
    used = {item.command for point in points for item in point or ()}
    assert used == commands
    items = [item for menu in (contributed.menus or {}).values() for item in menu]
    assert {item.command for item in items if hasattr(item, "command")} <= commands
    submenus = {item.submenu for item in items if hasattr(item, "submenu")}
    assert submenus == {submenu.id for submenu in contributed.submenus or ()}
    assert submenus <= set(contributed.menus or {})


@pytest.mark.qt
def test_every_command_of_the_manifest_leads_somewhere() -> None:
    for command in PluginManifest.from_file(MANIFEST).contributions.commands or []:
        module, _, name = str(command.python_name).partition(":")
        assert callable(getattr(importlib.import_module(module), name))


def test_constraints_cover_every_direct_requirement(project: dict[str, Any]) -> None:
    constraints = ROOT / "constraints.txt"
    pins = {}
    for line in constraints.read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            name, _, version = line.partition("==")
            assert version, f"{line!r} names no exact version"
            pins[canonicalize_name(name)] = version
    groups = project["dependency-groups"].values()
    lines = [
        *project["build-system"]["requires"],
        *project["project"]["dependencies"],
        *(line for extra in project["project"]["optional-dependencies"].values() for line in extra),
        *(line for group in groups for line in group if isinstance(line, str)),
    ]
    for requirement in requirements(lines):
        pinned = pins.get(canonicalize_name(requirement.name))
        assert pinned is not None, f"{requirement} has no line in constraints.txt"
        assert pinned in requirement.specifier, f"{requirement}, but constraints.txt has {pinned}"
    assert pins["torch"] in SpecifierSet("==2.13.0")
