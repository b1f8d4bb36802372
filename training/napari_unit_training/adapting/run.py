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
from napari_unit_training.adapting.labelled_images import LabelledImages, load_labelled
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
        Their names.
    device
        Where it computes.
    """

    steps_done: int
    steps_total: int
    n_images: tuple[int, int, int]
    classes: tuple[str, ...]
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
    data = (
        load_labelled(source, settings.side_px),
        load_labelled(target, settings.side_px),
    )
    tested = load_labelled(test or target, settings.side_px, "test")
    classes = _classes(settings, data, (source, target))
    if tested.n_channels != data[TARGET].n_channels:
        raise TrainingError(
            f"The test images have {tested.n_channels} channels and the target's "
            f"{data[TARGET].n_channels}; they must have as many."
        )
    prints = {"source": data[SOURCE].fingerprint, "target": data[TARGET].fingerprint}
    if settings.inverted_target:
        data = (data[SOURCE], data[TARGET].with_negatives())
    with folder.claimed(settings, prints):
        session = AdaptationSession(settings, *data, device)
        state = load_latest(folder.checkpoints, device)
        if state is not None:
            session.load_state(state)
        folder.rewind(session.steps_done)
        n_source, n_target, n_test = (len(d.images) for d in (*data, tested))
        yield AdaptationStarted(
            session.steps_done, settings.steps, (n_source, n_target, n_test), classes, str(device)
        )
        yield from _train(session, folder)
        chances = session.classify(tested)
        accuracy = _accuracy(chances, tested, classes)
        folder.write_classifier(session.adaptation, settings, classes)
        folder.write_predictions(chances, classes)
        folder.write_pictures(_pictures(session, data))
        folder.write_result(
            {
                "accuracy": accuracy,
                "test_images": len(tested.images),
                "steps": session.steps_done,
                "classes": list(classes),
                "settings": asdict(settings),
            }
        )
        yield Adapted(accuracy, folder.classifier_path)


def _classes(
    settings: AdaptationSettings,
    data: tuple[LabelledImages, LabelledImages],
    paths: tuple[Path, Path],
) -> tuple[str, ...]:
    learned = settings.learned_from
    if data[learned].labels is None:
        raise TrainingError(
            f"Nobody has said what the images in {paths[learned]} show; the method "
            f"{settings.method!r} learns from their labels."
        )
    return data[learned].classes


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
                    save_checkpoint(folder.checkpoints, session.state())
                    saved_at = done
            if done % settings.report_every == 0 or done == settings.steps:
                speed = (done - began_at) / max(time.monotonic() - began, 1e-9)
                losses = {name: float(total) / count for name, total in sums.items()}
                _check(losses, done)
                folder.log({"steps_done": done, **losses})
                yield AdaptationProgress(
                    done, settings.steps, losses, (settings.steps - done) / speed
                )
                sums, count = {}, 0
    except (GeneratorExit, KeyboardInterrupt):
        if session.steps_done > saved_at:
            save_checkpoint(folder.checkpoints, session.state())
        raise


def _check(losses: dict[str, float], step: int) -> None:
    odd = [name for name, value in losses.items() if not math.isfinite(value)]
    if odd:
        raise TrainingError(
            f"The adaptation has gone wrong by step {step} (not finite: {', '.join(odd)}); start "
            "another with a lower learning_rate."
        )


def _accuracy(chances: Tensor, tested: LabelledImages, classes: tuple[str, ...]) -> float | None:
    """Compare by the names of classes: a test set may lack some."""
    if tested.labels is None:
        return None
    found = [classes[int(n)] for n in chances.argmax(1)]
    true = [tested.classes[int(n)] for n in tested.labels]
    return sum(f == t for f, t in zip(found, true, strict=True)) / len(true)


@torch.no_grad()
def _pictures(session: AdaptationSession, data: tuple[LabelledImages, LabelledImages]) -> list[Any]:
    """Return rows of images: of each domain, and what the generators make of them."""
    places = torch.arange(min(N_PICTURES, *(len(d.images) for d in data)))
    images = tuple(d.batch(places, session.device) for d in data)
    made = session.adaptation.generate(Batch((images[0], images[1]), places))
    rows: list[Tensor] = []
    if len(made) == len(DOMAINS):
        for domain in DOMAINS:
            rows += [images[domain], made[domain].images[1 - domain]]
        return rows
    return [*images, *(image for generated in made for image in generated.images)]
