import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("nuclei_splits", reason="benchmarks/ is in the repository only")

import nuclei_splits
from nuclei_splits import LabelledImage


@given(
    count=st.integers(10, 500),
    set_name=st.sampled_from(nuclei_splits.SETS + nuclei_splits.TISSUE_SETS),
)
def test_splits_are_disjoint_in_name_order_and_complete(count: int, set_name: str) -> None:
    names = [f"{n:04d}" for n in range(count)]
    split = nuclei_splits.split_names(set_name, names[::-1])
    assert [*split.train, *split.tuning, *split.validation] == names
    assert min(len(split.train), len(split.tuning), len(split.validation)) >= 1


@pytest.mark.parametrize(
    ("set_name", "count", "sizes"),
    [
        ("dsb2018_fluo", 433, (278, 69, 86)),
        ("bbbc039", 150, (80, 20, 50)),
        ("dsb2018_he", 81, (49, 12, 20)),
    ],
)
def test_split_sizes_are_the_documented_ones(
    set_name: str, count: int, sizes: tuple[int, int, int]
) -> None:
    split = nuclei_splits.split_names(set_name, [f"{n:04d}" for n in range(count)])
    assert (len(split.train), len(split.tuning), len(split.validation)) == sizes


def test_a_copy_of_a_scored_field_leaves_training_even_from_the_other_set(
    picture: Callable[..., LabelledImage],
) -> None:
    pictures = [picture(seed) for seed in range(6)]
    copy = replace(pictures[0], name="copy", image=(pictures[0].image // 2 + 7).astype(np.uint8))
    real = nuclei_splits.without_copies(
        {"dsb2018_fluo": (copy, pictures[1]), "bbbc039": (pictures[2], pictures[3])},
        {"dsb2018_fluo": (pictures[4],), "bbbc039": (pictures[0],)},
    )
    assert real.n_copies == 1
    assert [i.name for i in real.train["dsb2018_fluo"]] == ["p001"]
    assert [i.name for i in real.train["bbbc039"]] == ["p002", "p003"]
    assert [len(images) for images in real.scored.values()] == [1, 1]


def test_tuning_touches_no_validation_image(data: Path) -> None:
    tuning = nuclei_splits.read_real(data, "tuning")
    validation = nuclei_splits.read_real(data, "validation")
    for name in nuclei_splits.SETS:
        untouchable = {i.name for i in validation.scored[name]}
        assert untouchable.isdisjoint(i.name for i in tuning.train[name] + tuning.scored[name])
        assert untouchable.isdisjoint(i.name for i in validation.train[name])
    with pytest.raises(FileNotFoundError, match="dsb2018_fluo and bbbc039"):
        nuclei_splits.read_real(data / "bbbc039", "tuning")


def test_the_models_training_folder_holds_no_scored_image(data: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(data, tmp_path / "data"))
    dsb, bbbc = nuclei_splits.SETS
    splits = {
        name: nuclei_splits.split_names(name, nuclei_splits.image_names(folder / name))
        for name in nuclei_splits.SETS
    }
    shown_again = {
        (dsb, splits[dsb].train[0]): (bbbc, splits[bbbc].tuning[0]),
        (bbbc, splits[bbbc].train[0]): (dsb, splits[dsb].validation[0]),
    }
    for (set_name, copy), (scored_set, field) in shown_again.items():
        source = folder / scored_set / "images" / f"{field}.png"
        shutil.copyfile(source, folder / set_name / "images" / f"{copy}.png")
    count = nuclei_splits.copy_training_images(folder, tmp_path / "real")
    names = {p.stem for p in (tmp_path / "real").iterdir()}
    assert len(names) == count > 0
    for part in nuclei_splits.PARTS:
        scored = nuclei_splits.read_real(folder, part).scored
        assert names.isdisjoint(f"{s}_{i.name}" for s, images in scored.items() for i in images)
    trains = {(name, image) for name, split in splits.items() for image in split.train}
    assert names == {f"{name}_{image}" for name, image in trains - shown_again.keys()}
    with pytest.raises(FileExistsError):
        nuclei_splits.copy_training_images(folder, tmp_path / "real")
