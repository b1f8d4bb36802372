"""An adaptation from its images to its classifier: a generator of plain values."""

import math
import time
from collections.abc import Generator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from napari_unit_training.adapting.folder import AdaptationFolder
from napari_unit_training.adapting.inputs import Inputs, read_inputs
from napari_unit_training.adapting.labelled_images import LabelledImages
from napari_unit_training.adapting.objective import DOMAINS, Batch
from napari_unit_training.adapting.session import AdaptationSession
from napari_unit_training.adapting.settings import SOURCE, TARGET, AdaptationSettings
from napari_unit_training.errors import TrainingError
from napari_unit_training.interruption import interrupt_deferred
from napari_unit_training.precision import choose_device, flushed_denormals
from napari_unit_training.state import load_latest, save_checkpoint

N_PICTURES = 16


@dataclass(frozen=True, slots=True)
class AdaptationStarted:
    """Images are read and networks built.

    Parameters
    ----------
    steps_done, steps_total
        Where it begins, above 0 where it goes on, and where it ends.
    n_images
        Of the source, of the target, and to test with.
    classes
        Names of those that are learned.
    unknown_classes
        Of the test images, that are not learned: never right.
    tests_training_images
        Whether it is tested with the target images that it trains on, without their labels.
    device
        Where it computes.
    """

    steps_done: int
    steps_total: int
    n_images: tuple[int, int, int]
    classes: tuple[str, ...]
    unknown_classes: tuple[str, ...]
    tests_training_images: bool
    device: str


@dataclass(frozen=True, slots=True)
class AdaptationProgress:
    """A report.

    Parameters
    ----------
    steps_done, steps_total
        So far and in all.
    losses
        Mean of every unweighted term since the last report.
    seconds_left
        At the mean speed since the start.
    """

    steps_done: int
    steps_total: int
    losses: dict[str, float]
    seconds_left: float


@dataclass(frozen=True, slots=True)
class Adapted:
    """The classifier is written.

    Parameters
    ----------
    accuracy
        Share of the target's test images whose class is right, by the last step's weights; None
        where their labels are unknown.
    path
        Of the classifier.
    """

    accuracy: float | None
    path: Path


AdaptationEvent = AdaptationStarted | AdaptationProgress | Adapted


def adapt(
    settings: AdaptationSettings,
    source: Path,
    target: Path,
    out: Path,
    *,
    test: Path | None = None,
) -> Generator[AdaptationEvent, None, None]:
    """Adapt a classifier from labelled source images to target images, or go on with it.

    No label of the target is looked at before the last step, but by the method that says so.

    Parameters
    ----------
    settings
        Of the run; when it goes on they must be the same.
    source, target
        See `load_labelled`; their training parts.
    out
        Folder of the run, made if missing.
    test
        Target images to classify at the end; None: the test part of `target`.

    Yields
    ------
    Events.

    Raises
    ------
    TrainingError
        If images, settings or folder cannot be used, or a loss is no number.
    """
    device = choose_device(settings.device)
    folder = AdaptationFolder(out)
    folder.check(settings)  # before images are read
    inputs = read_inputs(settings, source, target, test)
    with folder.claimed(settings, inputs.fingerprints):
        session = AdaptationSession(settings, inputs.source, inputs.target, device)
        state = load_latest(folder.checkpoints, device)
        if state is not None:
            session.load_state(state)
        folder.rewind(session.steps_done)
        yield _started(session, inputs)
        yield from _train(session, folder)
        chances = session.classify(inputs.tested)
        if not bool(torch.isfinite(chances).all()):
            raise _gone_wrong(session.steps_done, "probabilities of the classes")
        accuracy = _accuracy(chances, inputs.tested, inputs.classes)
        folder.write_classifier(session.adaptation, settings, inputs.classes)
        folder.write_predictions(chances, inputs.classes)
        folder.write_pictures(_pictures(session))
        folder.write_result(
            {
                "accuracy": accuracy,
                "test_images": len(inputs.tested.images),
                "tests_training_images": inputs.tests_training_images,
                "steps": session.steps_done,
                "classes": list(inputs.classes),
                "settings": asdict(settings),
            }
        )
        yield Adapted(accuracy, folder.classifier_path)


def _started(session: AdaptationSession, inputs: Inputs) -> AdaptationStarted:
    n_images = tuple(len(d.images) for d in (inputs.source, inputs.target, inputs.tested))
    return AdaptationStarted(
        session.steps_done,
        session.settings.steps,
        (n_images[0], n_images[1], n_images[2]),
        inputs.classes,
        inputs.unknown_classes,
        inputs.tests_training_images,
        str(session.device),
    )


def _train(
    session: AdaptationSession, folder: AdaptationFolder
) -> Generator[AdaptationEvent, None, None]:
    """Step until the end; report and save on the way, and at an interruption."""
    settings = session.settings
    began, began_at = time.monotonic(), session.steps_done
    sums: dict[str, Tensor] = {}
    count = 0
    saved_at = session.steps_done
    try:
        while session.steps_done < settings.steps:
            with interrupt_deferred(), flushed_denormals():
                for name, value in session.step().items():
                    sums[name] = sums.get(name, torch.zeros(())) + value.cpu()
                count += 1
                done = session.steps_done
                if done % settings.checkpoint_every == 0 or done == settings.steps:
                    _check(sums, done)
                    save_checkpoint(folder.checkpoints, session.state())
                    saved_at = done
            if done % settings.report_every == 0 or done == settings.steps:
                speed = (done - began_at) / max(time.monotonic() - began, 1e-9)
                _check(sums, done)
                losses = {name: float(total) / count for name, total in sums.items()}
                folder.log({"steps_done": done, **losses})
                yield AdaptationProgress(
                    done, settings.steps, losses, (settings.steps - done) / speed
                )
                sums, count = {}, 0
    except (GeneratorExit, KeyboardInterrupt):
        if session.steps_done > saved_at and not _odd(sums):
            save_checkpoint(folder.checkpoints, session.state())
        raise


def _odd(losses: dict[str, Tensor]) -> list[str]:
    return [name for name, value in losses.items() if not math.isfinite(float(value))]


def _check(losses: dict[str, Tensor], step: int) -> None:
    if odd := _odd(losses):
        raise _gone_wrong(step, ", ".join(odd))


def _gone_wrong(step: int, what: str) -> TrainingError:
    return TrainingError(
        f"The adaptation has gone wrong by step {step} (not finite: {what}); start another with a "
        "lower learning_rate."
    )


def _accuracy(chances: Tensor, tested: LabelledImages, classes: tuple[str, ...]) -> float | None:
    """Compare by the names of classes: a test set may lack some."""
    if tested.labels is None:
        return None
    found = [classes[int(n)] for n in chances.argmax(1)]
    true = [tested.classes[int(n)] for n in tested.labels]
    return sum(f == t for f, t in zip(found, true, strict=True)) / len(true)


@torch.no_grad()
def _pictures(session: AdaptationSession) -> list[Any]:
    """Return rows of images, spread over both domains, and of what the generators make of them."""
    numbers = [len(data.images) for data in session.data]
    order = torch.arange(min(N_PICTURES, *numbers))
    places = [order * n // len(order) for n in numbers]
    pairs = zip(session.data, places, strict=True)
    source, target = (data.batch(where, session.device) for data, where in pairs)
    made = session.shown(Batch((source, target), places[SOURCE]))
    if len(made) == len(DOMAINS):
        return [source, made[SOURCE].images[TARGET], target, made[TARGET].images[SOURCE]]
    return [source, target, *(image for generated in made for image in generated.images)]
