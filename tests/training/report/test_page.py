import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_unit.runs.events import (
    Event,
    Finished,
    GaveUp,
    PreviewWritten,
    Progress,
    QualityMeasured,
    Started,
    Stopped,
)
from napari_unit_training.loop import train
from napari_unit_training.report.page import write_report
from napari_unit_training.run_folder import RunFolder

NASTY = "<script>alert('x')</script>\"&amp;$x_1$"
VOID = {"meta", "img", "br", "link", "input", "hr"}


class Page(HTMLParser):
    """The elements of a page, each closed in its turn, and its text."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.source = path.read_text("utf-8")
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(self.source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.elements)


def log(path: Path, *events: Event) -> RunFolder:
    path.mkdir(exist_ok=True)
    folder = RunFolder(path)
    for event in events:
        folder.log(event)
    return folder


def preview(folder: Path, name: str) -> Path:
    path = folder / "previews" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(0).integers(0, 256, (18, 78), dtype=np.uint8)
    Image.fromarray(pixels).convert("RGB").save(path)
    return path


def start(seen: int = 0, name: str = "left", note: str = "a note") -> Started:
    return Started(seen, 100, "cpu", "float32", (name, "right"), (3, 2), (note,))


def report(seen: int) -> Progress:
    losses = {"cycle_a": 1.0 / seen, "cycle_b": 0.5, "kl_a": float("nan"), NASTY: 1.0}
    return Progress(seen, 100, losses, 1e-4, 5.0, 10.0)


def quality(seen: int, distance: float, name: str = "left") -> QualityMeasured:
    values = {
        "untranslated": 0.5,
        "real": 0.1,
        "intensity_distance": 0.01,
        "sharpness": 1.1,
        "cycle_error": 0.1,
        "content_agreement": 0.9,
    }
    there = {"source": name, "target": "right", "distance": distance, **values}
    back = {"source": "right", "target": name, "distance": 0.4, **values, "untranslated": None}
    return QualityMeasured(seen, (there, back), distance, distance < 0.3)


@pytest.fixture
def whole(tmp_path: Path) -> RunFolder:
    path = tmp_path / "run"
    paths = [preview(path, f"images-{seen}.png") for seen in (40, 80, 100)]
    preview(path, "augmented.png")
    return log(
        path, start(), PreviewWritten(0, path / "previews" / "augmented.png"), report(40),
        PreviewWritten(40, paths[0]), quality(40, 0.2), report(80), PreviewWritten(80, paths[1]),
        quality(80, 0.3), report(100), PreviewWritten(100, paths[2]),
        Finished(100, path / "last.safetensors"),
    )  # fmt: skip


def test_a_whole_run_gives_a_page_with_everything(whole: RunFolder) -> None:
    page = Page(write_report(whole))
    for part in ("left ↔ right", "finished", "100 of 100", "left → right: the distance", "75%",
                 "real to real", "left → right → left", "Crop 2 over time", "augmentation",
                 "Losses say nothing", "a note", "Started on cpu"):  # fmt: skip
        assert part in page.text, part
    # two distances, agreement, cycle error; two losses and the odd one without nan; rate, speed
    assert page.count("svg") == 4 + 2 + 2
    # the latest; two crops at three times; the augmented one
    assert page.count("img") == 1 + 2 * 3 + 1
    assert all(values["alt"] for tag, values in page.elements if tag == "img")
    assert all(values.get("aria-label") for _, values in page.elements if "role" in values)


def test_a_page_needs_nothing_but_itself(whole: RunFolder) -> None:
    page = Page(write_report(whole))
    assert not page.count("script") + page.count("link") + page.count("iframe")
    for _, values in page.elements:
        for name in ("src", "href", "xlink:href"):
            assert re.match(r"data:image/|#", values.get(name) or "#")
    assert not re.search(r"@import|url\((?!#)", page.source)
    ids = [values["id"] for _, values in page.elements if "id" in values]
    assert len(ids) == len(set(ids)) > 0


def test_the_same_run_gives_the_same_bytes(whole: RunFolder) -> None:
    first = write_report(whole).read_bytes()
    assert write_report(whole).read_bytes() == first


@pytest.mark.parametrize("name", ["settings.json", "previews", "events.jsonl", None])
def test_whatever_is_missing_there_is_a_page(whole: RunFolder, name: str | None) -> None:
    if name == "previews":
        shutil.rmtree(whole.previews)
    elif name is not None:
        (whole.path / name).unlink(missing_ok=True)
    else:
        shutil.rmtree(whole.path)
        whole.path.mkdir()
    page = Page(write_report(whole))
    assert ("There are no previews yet" in page.text) == (name != "settings.json")
    assert ("No quality was measured" in page.text) == (name in ("events.jsonl", None))


def test_a_run_that_was_killed_has_a_page(whole: RunFolder) -> None:
    lines = whole.events_path.read_text().splitlines()[:-1]
    whole.events_path.write_text("\n".join(lines) + '\n{"event": "Progr')
    assert "not finished" in Page(write_report(whole)).text


def test_a_run_that_was_stopped_says_that_it_can_go_on(tmp_path: Path) -> None:
    folder = log(tmp_path / "run", start(), Stopped(4))
    assert "The same command goes on with it." in Page(write_report(folder)).text


def test_why_a_run_gave_up_is_told(tmp_path: Path) -> None:
    folder = log(tmp_path / "run", start(), GaveUp(4, "Gone wrong in /home/jane/run."))
    page = Page(write_report(folder))
    assert "gave up" in page.text
    assert "Gone wrong in …/run." in page.text


def test_texts_of_a_run_stay_texts(tmp_path: Path) -> None:
    folder = log(tmp_path / "run", start(name=NASTY, note=NASTY), report(4), report(8),
                 quality(8, 0.2, NASTY), GaveUp(8, NASTY))  # fmt: skip
    folder.settings_path.write_text(json.dumps({NASTY: {"x": NASTY}}))
    page = Page(write_report(folder))
    assert not page.count("script")
    assert page.text.count(NASTY) > 10


def test_half_a_character_is_no_reason_to_have_no_page(tmp_path: Path) -> None:
    assert "a?b" in Page(write_report(log(tmp_path / "run", start(name="a\ud800b")))).text


def test_no_folder_is_told(whole: RunFolder) -> None:
    whole.log(start(100, note=f"There is one image only in {whole.path}; all are from it."))
    assert str(whole.path.parent) not in Page(write_report(whole)).source


def test_pictures_are_found_where_the_run_is_now(whole: RunFolder, tmp_path: Path) -> None:
    secret = preview(tmp_path / "elsewhere", "secret.png")
    whole.log(PreviewWritten(100, secret))
    whole.log(PreviewWritten(100, Path("..") / "elsewhere" / "previews" / "secret.png"))
    moved = whole.path.rename(tmp_path / "moved")
    assert Page(write_report(RunFolder(moved))).count("img") == 8


def test_a_page_that_fails_leaves_the_one_before(
    whole: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = write_report(whole).read_bytes()
    monkeypatch.setattr(Path, "write_text", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_report(whole)
    assert whole.report_path.read_bytes() == before


def test_a_run_as_it_is_gives_its_page(settings, folders, tmp_path) -> None:
    list(train(settings, *folders, tmp_path / "run"))
    page = Page(write_report(RunFolder(tmp_path / "run")))
    for part in ("left ↔ right · finished", "9 of 9", "discriminators", "torch", "crop_px"):
        assert part in page.text
    assert str(tmp_path) not in page.source
