from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from napari_unit.direction import choose_direction, choose_model
from napari_unit.domains import Domain, IntensityScaling
from napari_unit.images.axes import Axes
from napari_unit.images.source_image import SourceImage
from napari_unit.models import zoo
from napari_unit.models.card import ModelFileError

RANGE = IntensityScaling("range", 0.0, 255.0)
A = Domain("synthetic", ("dna",), RANGE)
B = Domain("real", ("dna",), RANGE)
RGB = Domain("stained", ("red", "green", "blue"), RANGE)
Save = Callable[..., Path]


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    bundled, user = tmp_path / "bundled", tmp_path / "user"
    bundled.mkdir()
    user.mkdir()
    monkeypatch.setattr(zoo, "bundled_folder", lambda: bundled)
    monkeypatch.setattr(zoo, "user_folder", lambda: user)
    return bundled, user


def image(axes: str = "YX") -> SourceImage:
    shape = [{"C": 3, "S": 3, "Z": 4}.get(letter, 16) for letter in axes]
    return SourceImage(np.zeros(shape, "u1"), Axes(axes), "image")


def test_no_model_at_all_says_what_to_do(folders: tuple[Path, Path]) -> None:
    with pytest.raises(ModelFileError, match="No model is installed; give the path"):
        choose_model(None, None, image())


def test_the_only_model_that_fits_is_taken(
    folders: tuple[Path, Path], save_tiny_model: Save
) -> None:
    bundled, user = folders
    save_tiny_model("nuclei", A, B, folder=bundled)
    save_tiny_model("stain", RGB, A, folder=user)
    assert choose_model(None, "real", image()).name == "nuclei"
    assert choose_model(None, None, image("YXS")).name == "stain"
    assert choose_model(None, "stained", image()).name == "stain"
    with pytest.raises(ModelFileError, match=r"No installed model translates images of 3 channels "
                       r"to 'real'; there is 'nuclei' .synthetic of 1 channel"):  # fmt: skip
        choose_model(None, "real", image("YXS"))


def test_a_bundled_model_goes_before_the_users_and_several_must_be_named(
    folders: tuple[Path, Path], save_tiny_model: Save
) -> None:
    bundled, user = folders
    save_tiny_model("mine", A, B, folder=user)
    assert choose_model(None, "real", image()).name == "mine"
    save_tiny_model("nuclei", A, B, folder=bundled)
    assert choose_model(None, "real", image()).name == "nuclei"
    save_tiny_model("other", A, B, folder=bundled)
    with pytest.raises(ModelFileError, match=r"Several models .* name one with model=: 'nuclei'"):
        choose_model(None, "real", image())


@pytest.mark.parametrize(("axes", "name"), [("YX", "nuclei"), ("YXS", "histology")])
def test_a_bundled_model_fits_gray_images_and_one_fits_color(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, axes: str, name: str
) -> None:
    monkeypatch.setattr(zoo, "user_folder", lambda: tmp_path)
    assert choose_model(None, None, image(axes)).name == name


def test_an_unknown_name_lists_what_there_is(
    folders: tuple[Path, Path], save_tiny_model: Save
) -> None:
    save_tiny_model("nuclei", A, B, folder=folders[0])
    with pytest.raises(ModelFileError, match="no model 'cells'; there is 'nuclei'"):
        choose_model("cells", None, image())


def test_where_to_may_be_left_out_if_only_one_way_fits() -> None:
    both = choose_direction((A, RGB), None, image(), "m")
    assert (both.source, both.target) == (A, RGB)
    back = choose_direction((A, RGB), None, image("YXS"), "m")
    assert (back.source, back.target) == (RGB, A)
    assert choose_direction((A, B), "synthetic", image(), "m").source is B


@pytest.mark.parametrize(
    ("domains", "to", "axes", "sentence"),
    [
        ((A, B), None, "YX", "both ways; say where to: to='synthetic' or to='real'"),
        ((A, B), "fake", "YX", "no domain 'fake'; it has 'synthetic' and 'real'"),
        ((A, B), "real", "YXS", "has 3 channels, but 'm' takes 'synthetic' with 1 channel .dna."),
        ((A, B), "real", "CZYX", "its axis C counts planes instead, say so: axes='QZYX'"),
        ((RGB, A), "synthetic", "YX", "has 1 channel, but 'm' takes 'stained' with 3 channels"),
        ((RGB, A), "synthetic", "ZYX", "one of its axes ZYX is the channels, say so: axes='CYX'"),
    ],
)
def test_what_does_not_fit_gets_a_sentence(
    domains: tuple[Domain, Domain], to: str | None, axes: str, sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        choose_direction(domains, to, image(axes), "m")
