import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.layers import Image

import napari_unit
from napari_unit._translate import TranslationRequest, translation_job
from napari_unit.images.axes import Axes
from napari_unit.images.source_image import SourceImage


@pytest.mark.parametrize("phase", ["intensities", "statistics", "tiles", "levels", "writing"])
def test_an_interruption_in_any_phase_leaves_nothing_behind(
    gray: np.ndarray, tmp_path: Path, nuclei: Path, phase: str
) -> None:
    seen: list[str] = []

    def interrupt(news: Any) -> None:
        seen.append(news.phase)
        if news.phase == phase:
            raise KeyboardInterrupt

    layer = Image([gray, gray[::2, ::2]], multiscale=True)
    with pytest.raises(KeyboardInterrupt):
        napari_unit.translate(
            layer, nuclei, "real", out=tmp_path / "o.tif", tile=32, progress=interrupt
        )
    assert seen[-1] == phase
    assert os.listdir(tmp_path) == []


def test_a_failing_image_leaves_nothing_behind(
    gray: np.ndarray, tmp_path: Path, nuclei: Path
) -> None:
    broken = gray.astype("f4")
    broken[3, 4] = np.nan
    with pytest.raises(ValueError, match="NaN or infinite"):
        napari_unit.translate(broken, nuclei, "real", out=tmp_path / "o.tif")
    assert os.listdir(tmp_path) == []


def test_progress_counts_every_phase_to_its_end(gray: np.ndarray, nuclei: Path) -> None:
    job = translation_job(
        SourceImage(gray, Axes("YX"), "image"), TranslationRequest(nuclei, "real", tile=32)
    )
    last: dict[str, Any] = {}
    for news in job:
        assert 0 <= news.done <= news.total
        last[news.phase] = news
    assert list(last) == ["intensities", "statistics", "tiles"]
    assert all(news.done == news.total for news in last.values())
