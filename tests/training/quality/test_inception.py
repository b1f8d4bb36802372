"""Without the extra `fid` a stand-in takes the place of torch-fidelity, where it can."""

import importlib
import pickle
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import nn

from napari_unit_training.errors import TrainingError
from napari_unit_training.quality.inception import inception_features, load_inception

PACKAGE = "torch_fidelity"
MODULE = f"{PACKAGE}.feature_extractor_inceptionv3"


class StandIn(nn.Module):
    """Takes what torch-fidelity's network takes, and gives what it gives; much smaller."""

    def __init__(self, name: str, features_list: list[str], weights: Any = None) -> None:
        super().__init__()
        assert features_list == ["2048"]
        assert weights is not None, "torch-fidelity would download"
        self.layer = nn.Linear(3, 2048)
        self.load_state_dict(torch.load(weights, weights_only=False))

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor]:
        assert images.dtype == torch.uint8
        return (self.layer(images.float().mean((2, 3))),)


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType(MODULE)
    module.FeatureExtractorInceptionV3 = StandIn  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, PACKAGE, ModuleType(PACKAGE))
    monkeypatch.setitem(sys.modules, MODULE, module)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """Return weights of the stand-in: each feature is a channel, 0 to 255, or their sum."""
    layer = torch.zeros(2048, 3)
    layer[[0, 1, 2], [0, 1, 2]] = 1.0
    layer[3:] = 1.0
    path = tmp_path / "weights.pth"
    torch.save({"layer.weight": layer, "layer.bias": torch.zeros(2048)}, path)
    return path


@pytest.mark.parametrize(
    ("channels", "seen"),
    [(1, [50, 50, 50]), (2, [50, 100, 0]), (3, [50, 100, 150]), (4, [50, 100, 150])],
)
def test_images_are_shown_in_color(
    stand_in: None, weights: Path, channels: int, seen: list[int]
) -> None:
    values = torch.tensor([50.0, 100.0, 150.0, 200.0]) / 127.5 - 1.0
    images = values.view(1, 4, 1, 1).expand(20, 4, 16, 24)[:, :channels]
    features = inception_features(load_inception(weights), images)
    assert features.shape == (20, 2048)
    assert features.dtype == torch.float64
    assert features[0, :4].tolist() == pytest.approx([*seen, sum(seen)])
    assert (features == features[0]).all()


def test_a_network_is_not_trained(stand_in: None, weights: Path) -> None:
    network = load_inception(weights)
    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())


class Evil:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def test_no_code_in_a_file_is_run(stand_in: None, tmp_path: Path) -> None:
    mark, path = tmp_path / "mark", tmp_path / "evil.pth"
    torch.save({"layer.weight": Evil(mark)}, path)
    with pytest.raises(TrainingError, match="does not hold the weights of the Inception network"):
        load_inception(path)
    assert not mark.exists()
    torch.load(path, weights_only=False)
    assert mark.exists()  # it would have been run


def test_what_is_no_such_file_is_one_sentence(stand_in: None, tmp_path: Path) -> None:
    contents: dict[str, bytes | Any] = {
        "text": b"weights",
        "empty": b"",
        "pickle": pickle.dumps([1, 2]),
        "tensor": torch.zeros(3),
        "number": {"layer.weight": 3},
        "other": {"conv.weight": torch.zeros(3)},
        "shape": {"layer.weight": torch.zeros(4, 4), "layer.bias": torch.zeros(2048)},
    }
    for name, content in contents.items():
        path = tmp_path / name
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            torch.save(content, path)
        with pytest.raises(TrainingError, match=f"{name} does not hold the weights"):
            load_inception(path)
    for missing in (tmp_path / "none", tmp_path):
        with pytest.raises(TrainingError, match=r"There is no file .* are not downloaded for you"):
            load_inception(missing)


def test_a_missing_package_is_one_sentence(monkeypatch: pytest.MonkeyPatch, weights: Path) -> None:
    monkeypatch.setitem(sys.modules, PACKAGE, None)
    monkeypatch.delitem(sys.modules, MODULE, raising=False)
    with pytest.raises(TrainingError, match=r"package torch-fidelity is missing.*unit\[fid\]"):
        load_inception(weights)


def test_a_package_that_does_not_fit_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, weights: Path, tmp_path: Path
) -> None:
    """What torchvision does where its build is not that of torch."""
    (tmp_path / PACKAGE).mkdir()
    (tmp_path / PACKAGE / "__init__.py").write_text(
        "raise RuntimeError('operator torchvision::nms does not exist')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    for name in (PACKAGE, MODULE):
        monkeypatch.delitem(sys.modules, name, raising=False)
    with pytest.raises(TrainingError, match=r"cannot be imported \(operator .* the same index"):
        load_inception(weights)


def test_the_network_itself_with_random_weights(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Not with the real ones, which no test may download."""
    try:
        module = importlib.import_module(MODULE)
    except (ImportError, RuntimeError) as error:
        pytest.skip(f"the extra fid is optional: {error}")

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("it wanted to download")

    with monkeypatch.context() as without_weights:
        without_weights.setattr(module, "load_state_dict_from_url", lambda *_, **__: {})
        network = module.FeatureExtractorInceptionV3
        without_weights.setattr(network, "load_state_dict", lambda *_: None)
        original = network("inception-v3-compat", ["2048"]).eval()
    torch.manual_seed(0)
    for weight in (w for name, w in original.named_parameters() if name.endswith("conv.weight")):
        nn.init.kaiming_normal_(weight)  # as it is made, nothing comes through all its layers
    monkeypatch.setattr(module, "load_state_dict_from_url", refuse)
    path, random = tmp_path / "weights.pth", original.state_dict()
    torch.save(random, path, _use_new_zipfile_serialization=False)  # a file of 2020 is one of these
    images = torch.rand(3, 1, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    features = inception_features(load_inception(path), images)
    levels = ((images + 1.0) * 127.5).round().to(torch.uint8).expand(-1, 3, -1, -1)
    assert torch.equal(features, original(levels)[0].double())
    assert features.std(0).max() > 1e-3
    path.unlink()
    random.pop("fc.bias")
    torch.save(random, path)
    with pytest.raises(TrainingError, match="does not hold the weights"):
        load_inception(path)
