import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from napari_unit.domains import Domain, IntensityScaling
from napari_unit.models.architecture import Architecture
from napari_unit.models.card import (
    METADATA_KEY,
    ModelCard,
    ModelFileError,
    has_statistics,
    read_card,
)
from napari_unit.models.file import WeightsDtype, load_model, save_model
from napari_unit.models.model import TranslationModel
from napari_unit.models.stored_statistics import BothStatistics, to_tensors

Pool = Callable[[TranslationModel], BothStatistics]

A = Domain("synthetic", ("dna",), IntensityScaling("percentiles", 0.1, 99.9, (1.5,), (200.25,)))
B = Domain("stained", ("r", "g", "b"), IntensityScaling("range", 0.0, 255.0))


def make(n_shared: int = 1) -> tuple[TranslationModel, ModelCard]:
    torch.manual_seed(0)
    model = TranslationModel(A, B, Architecture(width=2, n_shared=n_shared)).eval()
    training = {"images_seen": 12, "settings": {"learning_rate": 1e-4, "name": "é↔"}}
    return model, ModelCard("m", "for tests", (A, B), model.architecture, training, "0.1.0")


@pytest.mark.parametrize("n_shared", range(5))
def test_the_round_trip_is_bit_equal_and_keeps_blocks_shared(tmp_path: Path, n_shared: int) -> None:
    model, card = make(n_shared)
    save_model(tmp_path / "m.safetensors", model, card)
    loaded = load_model(tmp_path / "m.safetensors")
    assert loaded.card == card
    expected = dict(model.named_parameters())
    got = dict(loaded.model.named_parameters())
    assert expected.keys() == got.keys()
    assert all(torch.equal(expected[name], got[name]) for name in expected)
    image = torch.rand(1, 1, 17, 22)
    assert torch.equal(
        model.translate(image, "synthetic", "stained"),
        loaded.model.translate(image, "synthetic", "stained"),
    )


def test_saving_a_loaded_model_gives_the_same_bytes(tmp_path: Path) -> None:
    save_model(tmp_path / "m.safetensors", *make())
    first = load_model(tmp_path / "m.safetensors")
    save_model(tmp_path / "again.safetensors", first.model, first.card)
    assert load_model(tmp_path / "again.safetensors").sha256 == first.sha256


def test_float16_weights_are_the_rounded_ones_and_half_the_file(tmp_path: Path) -> None:
    model, card = make()
    save_model(tmp_path / "m32.safetensors", model, card)
    save_model(tmp_path / "m16.safetensors", model, card, weights_dtype="float16")
    got = dict(load_model(tmp_path / "m16.safetensors").model.named_parameters())
    assert all(torch.equal(got[n], p.half().float()) for n, p in model.named_parameters())
    sizes = [
        sum(t.nbytes for t in load_file(tmp_path / name).values())
        for name in ("m16.safetensors", "m32.safetensors")
    ]
    assert sizes[0] * 2 == sizes[1]


@pytest.mark.parametrize("weights_dtype", ["float32", "float16"])
def test_statistics_lie_beside_the_weights(
    tmp_path: Path, stored_statistics: Pool, weights_dtype: WeightsDtype
) -> None:
    model, card = make()
    plain, path = tmp_path / "plain.safetensors", tmp_path / "m.safetensors"
    save_model(plain, model, card, weights_dtype=weights_dtype)
    assert load_model(plain).statistics is None
    assert not has_statistics(plain)
    statistics = stored_statistics(model)
    save_model(path, model, card, weights_dtype=weights_dtype, statistics=statistics)
    assert has_statistics(path)
    loaded = load_model(path)
    assert loaded.weights_dtype == weights_dtype
    assert loaded.statistics is not None
    expected, found = to_tensors(statistics), to_tensors(loaded.statistics)
    assert expected.keys() == found.keys()
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    before, after = load_file(plain), load_file(path)
    assert before.keys() == after.keys() - expected.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    again = tmp_path / "again.safetensors"
    save_model(
        again, loaded.model, card, weights_dtype=loaded.weights_dtype, statistics=loaded.statistics
    )
    assert again.read_bytes() == path.read_bytes()


def test_damaged_statistics_and_those_of_another_model_are_refused(
    tmp_path: Path, stored_statistics: Pool, random_model: Callable[..., TranslationModel]
) -> None:
    model, card = make()
    path = tmp_path / "m.safetensors"
    save_model(path, model, card, statistics=stored_statistics(model))
    tensors = load_file(path)
    tensors["statistics.a_to_b.2.mean"][1] = torch.nan
    save_file(tensors, path, {METADATA_KEY: card.to_json()})
    with pytest.raises(ModelFileError, match=r"cannot be used: statistics.a_to_b.2.mean holds NaN"):
        load_model(path)
    del tensors["statistics.a_to_b.2.mean"]
    save_file(tensors, path, {METADATA_KEY: card.to_json()})
    with pytest.raises(ModelFileError, match="of the statistics 1 tensors are missing or unknown"):
        load_model(path)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="cannot be saved: statistics"):
        save_model(path, model, card, statistics=stored_statistics(random_model()))
    assert path.read_bytes() == before


def test_the_card_is_read_without_torch(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    save_model(path, *make())
    code = (
        "import sys; from pathlib import Path\n"
        "from napari_unit.models.card import has_statistics, read_card\n"
        f"path = Path({str(path)!r})\n"
        "print(read_card(path).name, has_statistics(path), 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["m", "False", "False"]


@pytest.mark.parametrize("keep", [0, 7, 100, -1])
def test_a_truncated_file_is_refused(tmp_path: Path, keep: int) -> None:
    path = tmp_path / "m.safetensors"
    save_model(path, *make())
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ModelFileError, match=r"not a whole \.safetensors file"):
        load_model(path)


def test_a_missing_and_a_foreign_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="There is no model file"):
        load_model(tmp_path / "none.safetensors")
    path = tmp_path / "foreign.safetensors"
    save_file({"w": torch.zeros(3)}, path)
    with pytest.raises(ModelFileError, match="of another program"):
        load_model(path)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(200))
    with pytest.raises(ModelFileError, match=r"not a whole \.safetensors file"):
        read_card(path)


def rewritten(tmp_path: Path, change: object, tensors: object = None) -> Path:
    """Save a model whose card, or whose tensors, were tampered with."""
    path = tmp_path / "m.safetensors"
    _, card = make()
    save_model(path, *make())
    weights = load_file(path)
    fields = json.loads(card.to_json())
    if callable(change):
        change(fields)
    if callable(tensors):
        tensors(weights)
    save_file(weights, path, {METADATA_KEY: json.dumps(fields)})
    return path


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda c: c.update(format_version=9), "format version 9"),
        (lambda c: c.pop("name"), "lacks 'name'"),
        (lambda c: c.update(code="import os"), "unknown entries: code"),
        (lambda c: c.update(domains=c["domains"][:1]), "1 domains instead of two"),
        (lambda c: c["domains"][0].update(channels=[1]), "holds something that is no name"),
        (lambda c: c["domains"][0]["scaling"].update(low="x"), "'low' is 'x', not of type float"),
        (lambda c: c["domains"][0]["scaling"].update(high=10**400), "cannot be read as a model"),
        (lambda c: c["architecture"].update(width=True), "'width' is True"),
        (lambda c: c["architecture"].update(width=10**9), "width is 1000000000"),
    ],
)
def test_a_card_that_is_not_ours_is_refused(tmp_path: Path, change: object, says: str) -> None:
    with pytest.raises(ModelFileError, match=says):
        load_model(rewritten(tmp_path, change))


def test_deeply_nested_json_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    save_file({"w": torch.zeros(1)}, path, {METADATA_KEY: "[" * 100_000})
    with pytest.raises(ModelFileError, match="cannot be read as a model"):
        read_card(path)


def first_to(value: torch.Tensor) -> object:
    def change(weights: dict[str, torch.Tensor]) -> None:
        weights["encoders.0.blocks.0.conv.bias"] = value

    return change


@pytest.mark.parametrize(
    ("tensors", "says"),
    [
        (first_to(torch.zeros(3)), r"as torch.float32 \(3,\); its card describes"),
        (first_to(torch.zeros(2, dtype=torch.int32)), "torch.int32"),
        (first_to(torch.full((2,), torch.nan)), "hold NaN or infinite"),
        (lambda w: w.update(extra=torch.zeros(1)), "1 missing or unknown, extra among them"),
        (lambda w: w.pop("encoders.0.blocks.0.conv.bias"), "1 missing or unknown"),
    ],
)
def test_weights_that_the_card_does_not_describe_are_refused(
    tmp_path: Path, tensors: object, says: str
) -> None:
    with pytest.raises(ModelFileError, match=says):
        load_model(rewritten(tmp_path, None, tensors))


def test_what_cannot_be_saved_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    model, card = make()
    save_model(path, model, card)
    before = path.read_bytes()
    with torch.no_grad():
        next(model.parameters()).fill_(1e6)  # more than float16 holds
    with pytest.raises(ValueError, match="cannot be saved"):
        save_model(path, model, card, weights_dtype="float16")
    with pytest.raises(ValueError, match=r"must end in \.safetensors"):
        save_model(tmp_path / "m.pt", model, card)
    with pytest.raises(ValueError, match="other domains or another architecture"):
        save_model(path, make(0)[0], card)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["m.safetensors"]
