"""The parts of the benchmark that need no clock; the figures are in ``benchmarks/results``."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from plain_step import PlainStep, batches, copy_state
from train_profile import GROUPS, REST, group_of, where_time_goes
from train_speed import OURS, PLAIN, arithmetic, derived, speed_table, where_table

from napari_unit_training.config import TrainSettings
from napari_unit_training.config_tables import DomainSettings
from napari_unit_training.data.loading import DomainImages, load_domain
from napari_unit_training.methods.unit import Pair
from napari_unit_training.session import Session
from napari_unit_training.share import WHOLE

SETTINGS = TrainSettings(
    width=2,
    n_residual=2,
    discriminator_width=2,
    n_scales=2,
    crop_px=32,
    batch_size=2,
    generator_learning_rate=1e-3,
    discriminator_learning_rate=1e-3,
    precision="float32",
    reuse_fakes=False,
    device="cpu",
)


@pytest.fixture
def images(tmp_path: Path) -> tuple[DomainImages, DomainImages]:
    random = np.random.default_rng(0)
    loaded = []
    for name in "ab":
        (tmp_path / name).mkdir()
        for index in range(2):
            pixels = random.integers(100, 60000, (40, 48), dtype=np.uint16)
            tifffile.imwrite(tmp_path / name / f"{index}.tif", pixels)
        loaded.append(load_domain(str(tmp_path / name), DomainSettings(name=name), 32))
    return loaded[0], loaded[1]


def session_of(images: tuple[DomainImages, DomainImages], **changes: Any) -> Session:
    domains = (images[0].domain, images[1].domain)
    return Session(replace(SETTINGS, **changes), domains, torch.device("cpu"))


def steps(
    session: Session, plain: PlainStep, n_steps: int
) -> list[tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]]:
    """Return the losses of both sides for equal crops and equal noise."""
    found = []
    for seed in range(n_steps):
        torch.manual_seed(seed)
        crops = torch.rand(2, 2, 1, 32, 32) * 2 - 1
        with torch.random.fork_rng():
            images = Pair(*(c.to(memory_format=torch.channels_last) for c in crops))
            ours = session._translate(images, WHOLE)
        found.append((ours, plain.step(crops[0], crops[1])))
    return found


def test_the_plain_step_is_the_step_of_the_trainer(
    images: tuple[DomainImages, DomainImages],
) -> None:
    """Three steps: the second and third see the gradients and optimisers of those before."""
    session = session_of(images)
    for ours, plain in steps(session, PlainStep(session, refines_once=True), 3):
        assert set(ours) - set(plain) == {"content_a", "content_b"}  # without weight
        for name, loss in plain.items():
            torch.testing.assert_close(loss, ours[name], rtol=2e-4, atol=1e-6, msg=name)


def test_other_weights_of_the_losses_show_in_the_second_step(
    images: tuple[DomainImages, DomainImages],
) -> None:
    session = session_of(images)
    plain = PlainStep(session, refines_once=True)
    weights = replace(SETTINGS.weights, cycle=0.0)
    plain.settings = replace(SETTINGS, weights=weights)
    (_, second) = steps(session, plain, 2)
    assert not torch.isclose(second[0]["cycle_a"], second[1]["cycle_a"], rtol=2e-4)


def test_networks_of_other_sizes_are_not_copied(
    images: tuple[DomainImages, DomainImages],
) -> None:
    session = session_of(images)
    with pytest.raises(ValueError, match="same weights"):
        copy_state(session.unit.model.encoders, session.unit.model.decoders)


def test_plain_crops_are_those_of_the_files(images: tuple[DomainImages, DomainImages]) -> None:
    a, b = next(batches(images, SETTINGS, torch.device("cpu")))
    assert a.shape == b.shape == (2, 1, 32, 32)
    assert a.dtype == torch.float32
    assert -1.0 <= a.min() < -0.8
    assert 0.8 < a.max() <= 1.0


def test_making_translations_again_shows_in_the_arithmetic(
    images: tuple[DomainImages, DomainImages],
) -> None:
    once, again = (session_of(images, reuse_fakes=reuse, n_scales=1) for reuse in (True, False))
    assert arithmetic(lambda: once.step(images)) < arithmetic(lambda: again.step(images))


@pytest.mark.parametrize(
    ("chain", "group"),
    [
        (["aten::mkldnn_convolution", "aten::convolution", "Step"], "convolutions, forward"),
        (
            ["aten::copy_", "aten::convolution_backward", "autograd::engine::evaluate_function: C"],
            "convolutions, backward",
        ),
        (["aten::mul", "autograd::engine::evaluate_function: M", "spectral norm"], "spectral norm"),
        (["aten::mul", "normalisation"], "normalisation"),
        (["aten::tanh"], REST),
    ],
)
def test_an_event_belongs_to_what_it_is_done_for(chain: list[str], group: str) -> None:
    assert group_of(chain) == group


def test_all_the_time_of_a_step_goes_somewhere(images: tuple[DomainImages, DomainImages]) -> None:
    session = session_of(images)
    goes = where_time_goes(session, images, 1)
    assert sum(goes.values()) == pytest.approx(1.0)
    assert tuple(goes) == GROUPS
    assert all(part > 0 for part in goes.values())
    assert "step" not in vars(session.generator_optimiser)  # the labels are gone


def test_the_tables_show_medians_and_the_range_of_pairs() -> None:
    measured: dict[str, Any] = {
        "width": 16,
        "crop_px": 128,
        "batch_size": 2,
        "seconds": {PLAIN: [2.0, 4.0, 3.0], OURS: [1.0, 1.0, 2.0]},
        "gflop": {PLAIN: 60.0, OURS: 50.0},
        "matrix_gflop_per_second": {"float32": [90.0, 100.0], "bfloat16": [200.0, 150.0]},
        "where": dict.fromkeys(GROUPS, 0.125),
        "peak_bytes": {PLAIN: 2e9, OURS: 1.5e9},
    }
    measured |= derived(measured)
    row = speed_table([measured]).splitlines()[-1]
    assert row == "| 16, 128 px, 2 | 0.67 | 2.00 | 3.00 (1.50–4.00) | 50% | 25% | 2.00 | 1.50 |"
    assert where_table([measured]).splitlines()[2] == "| convolutions, forward | 12.5% |"
