"""Pages that speak of the code, held against it."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "architecture.md"
ENTRY = re.compile(r"( *)([\w./-]+)")

pytestmark = pytest.mark.skipif(not PAGE.exists(), reason="docs/ is not part of the sdist")


def drawn() -> Iterator[str]:
    """Return the paths of the modules in the page's picture, by its indentation."""
    picture = PAGE.read_text("utf-8").split("```")[1]
    folders: list[str] = []
    for line in filter(str.strip, picture.splitlines()):
        entry = ENTRY.match(line)
        assert entry is not None, line
        depth = len(entry[1]) // 4
        del folders[depth:]
        if entry[2].endswith("/"):
            folders.append(entry[2])
        elif entry[2].endswith(".py"):
            yield "".join(folders) + entry[2]


def test_the_picture_of_the_house_shows_every_module_once() -> None:
    found = {
        path.relative_to(ROOT).as_posix()
        for package in ("src/napari_unit", "training/napari_unit_training")
        for path in (ROOT / package).rglob("*.py")
        if path.name != "__init__.py"
    }
    shown = [path for path in drawn() if not path.endswith("__init__.py")]
    assert len(shown) == len(set(shown))
    assert not found - set(shown), "modules without a line in docs/architecture.md"
    assert not set(shown) - found, "lines in docs/architecture.md without a module"


@pytest.mark.parametrize(
    "page", ["README.md", "CONTRIBUTING.md", "docs/architecture.md", "docs/training.md"]
)
def test_links_within_the_repository_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    for target in re.findall(r"\]\(([^)#]+)", text):
        if (path := re.match(r"https://(?:github\.com|raw\.githubusercontent\.com)/[\w-]+/[\w-]+/"
                             r"(?:(?:blob|tree)/)?main/(.+)", target)) is not None:  # fmt: skip
            assert (ROOT / path[1]).exists(), target
        elif "://" not in target:
            assert ((ROOT / page).parent / target).exists(), target
