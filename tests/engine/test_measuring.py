from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from napari_unit.domains import Window
from napari_unit.engine import local
from napari_unit.engine.calibration import Calibration
from napari_unit.engine.local import LocalMoments
from napari_unit.engine.measuring import Measured, calibrate, measure_statistics
from napari_unit.engine.planes import PaddedPlanes
from napari_unit.engine.planning import plan_translation
from napari_unit.engine.pooling import pool_statistics
from napari_unit.engine.sampling import Field, Sample, all_of
from napari_unit.engine.settings import EngineSettings
from napari_unit.geometry.regions import grid, whole
from napari_unit.images.axes import Axes
from napari_unit.images.storage import ArraySource
from napari_unit.models.model import TranslationModel

SIZE = (64, 64)
IMAGE = np.random.default_rng(0).uniform(-1, 1, (1, 1, *SIZE)).astype("float32")
SOURCE = ArraySource(IMAGE, Axes("TCYX"), 1)
PLANES = PaddedPlanes(SOURCE, Window((-1.0,), (1.0,)), SIZE)


@pytest.fixture(scope="module")
def model(random_model: Callable[..., TranslationModel]) -> TranslationModel:
    return random_model(width=2).double()


def measured(model: TranslationModel, sample: Sample, finish: Any, **settings: Any) -> Any:
    plan = plan_translation(model, "a", "b", SOURCE, EngineSettings(device="cpu", **settings))
    (_, statistics), told = finish(measure_statistics(plan, model, PLANES, sample, None))
    assert [p.done for p in told] == sorted(p.done for p in told)
    assert told[-1].done == told[-1].total == sum(f.core.n_px for f in sample.fields)
    assert {p.phase for p in told} == {"statistics"}
    return statistics


def cut(side: int) -> Sample:
    return all_of(PLANES, tuple(grid(whole(SIZE), side)))


def test_a_sample_of_everything_equals_the_whole(model: TranslationModel, finish: Any) -> None:
    sampled = measured(model, cut(24), finish, seed=7)
    together = measured(model, cut(64), finish, statistics="whole")
    for one, other in zip(sampled.moments, together.moments, strict=True):
        torch.testing.assert_close(one.mean, other.mean, rtol=1e-9, atol=1e-9)
        torch.testing.assert_close(
            one.squared_deviations, other.squared_deviations, rtol=1e-9, atol=1e-9
        )
    assert sampled.standard_error == (0.0,) * 21
    assert (sampled.mode, together.mode) == ("image", "whole")
    assert sampled.seed == 7


def test_a_part_has_an_error_about_as_large_as_its_distance(
    model: TranslationModel, finish: Any
) -> None:
    fields = cut(16).fields
    part = measured(model, Sample(fields[::2], len(fields)), finish)
    everything = measured(model, Sample(fields, len(fields)), finish)
    assert (part.n_sampled, part.n_eligible) == (8, 16)
    assert all(error > 0 for error in part.standard_error)
    # the first layer: later ones inherit the distance of those before
    first, true = part.moments[0], everything.moments[0]
    scale = true.variance(unbiased=False)
    distance = ((first.mean - true.mean).square() / scale).mean().sqrt()
    assert distance < 5 * part.standard_error[0]


def test_one_calibration_is_not_an_average_of_many(model: TranslationModel, finish: Any) -> None:
    """Averaging what each field finds under its own statistics is what others do; it differs."""
    together = measured(model, cut(32), finish)
    alone = [measured(model, Sample((field,), 1), finish) for field in cut(32).fields]
    averaged = torch.stack([m.moments[-1].mean for m in alone]).mean(0)
    assert not torch.allclose(averaged, together.moments[-1].mean, rtol=1e-3)


def calibrated(model: TranslationModel, finish: Any, mode: Any, *known: Any) -> Measured:
    settings = EngineSettings(statistics=mode, device="cpu")
    plan = plan_translation(model, "a", "b", SOURCE, settings)
    found, told = finish(calibrate(plan, model, SOURCE, None, *known))
    assert {p.total for p in told} <= {64 * 64}
    assert isinstance(found, Measured)
    return found


def test_what_is_measured_wholly_leaves_its_maps(model: TranslationModel, finish: Any) -> None:
    for mode in ("whole", "image", "local"):
        found = calibrated(model, finish, mode)
        assert found.swept is not None
        assert found.calibration.statistics is not None
        assert found.calibration.statistics.mode == mode


def test_tiles_on_their_own_need_no_statistics(model: TranslationModel, finish: Any) -> None:
    found = calibrated(model, finish, "tile")
    assert found.calibration.statistics is None
    assert found.swept is None


def test_the_models_statistics_are_taken_as_they_are(model: TranslationModel, finish: Any) -> None:
    crops = torch.from_numpy(IMAGE).unfold(2, 32, 16).unfold(3, 32, 16).reshape(-1, 1, 32, 32)
    stored = pool_statistics(model.steps("a", "b"), crops.double())
    found = calibrated(model, finish, "model", None, stored).calibration
    assert found.statistics is not None
    assert found.statistics.moments == stored.moments
    assert found.window == Window((-1.0,), (1.0,))
    assert found.notes == ()


def test_an_image_unlike_the_models_own_is_remarked(model: TranslationModel, finish: Any) -> None:
    crops = torch.from_numpy(IMAGE).unfold(2, 32, 16).unfold(3, 32, 16).reshape(-1, 1, 32, 32)
    stored = pool_statistics(model.steps("a", "b"), 0.05 * crops.double() - 0.9)
    found = calibrated(model, finish, "model", None, stored).calibration
    (note,) = found.notes
    assert "The image is unlike those that the model's own statistics stand for" in note


def test_a_model_without_statistics_of_its_own_is_refused(
    model: TranslationModel, finish: Any
) -> None:
    with pytest.raises(ValueError, match=r"no statistics of its own; use .*calibrate"):
        calibrated(model, finish, "model")


def test_known_intensities_are_not_measured_again(model: TranslationModel, finish: Any) -> None:
    known = Calibration(Window((-2.0,), (3.0,)), 5, ("a note",), None)
    found = calibrated(model, finish, "whole", known).calibration
    assert (found.window, found.n_clipped, found.notes) == (known.window, 5, ("a note",))
    assert found.statistics is not None


def test_local_statistics_differ_from_place_to_place(
    model: TranslationModel, finish: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "CELL_PX", 32)
    found = calibrated(model, finish, "local").calibration.statistics
    assert found is not None
    (frozen, *_) = found.moments
    assert isinstance(frozen, LocalMoments)
    assert len(frozen.nodes) == len(frozen.nodes[0]) == 2
    assert not torch.equal(frozen.nodes[0][0].mean, frozen.nodes[1][1].mean)


def test_fields_are_of_all_planes() -> None:
    two = ArraySource(np.concatenate([IMAGE, IMAGE]), Axes("TCYX"), 1)
    planes = PaddedPlanes(two, PLANES.window, SIZE)
    sample = all_of(planes, (whole(SIZE),))
    assert sample == Sample((Field(0, whole(SIZE)), Field(1, whole(SIZE))), 2)
