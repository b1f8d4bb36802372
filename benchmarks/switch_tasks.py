"""What settings are compared on: maps with their pairs, nuclei and tissue with their labels."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import mean

from maps_images import MapsScore, best_constant, prepare, read
from nuclei_questions import BenchmarkSettings, Scenes, labels_stay_true, looks_real, training_pool
from nuclei_scenes import simulate_scenes, translated
from nuclei_segmentation import UNet, trained
from nuclei_splits import Part, RealImages, Subject, copy_training_images, read_real
from platformdirs import user_cache_path
from training_trials import Task

from napari_unit.models.file import LoadedModel
from napari_unit.simulate import write_training_scenes
from napari_unit.simulate.tissue import write_training_tissue

MAPS_PX = 64
RAW_SCENE = "the scene as it is"
N_POINTS = 3
N_NUCLEI_POINTS = 1
"""Scoring takes a minute, a fifth of a training."""
TRAINING_SCENES = 400
TRAINING_SCENES_SEED = 1
_SCENES = BenchmarkSettings(scenes=120, held_out_scenes=60, patches=256, statistics="direct")
_CACHE = user_cache_path("napari-unit") / "benchmarks"


@dataclass(frozen=True, slots=True)
class Kind:
    """One set of images to compare settings on.

    Parameters
    ----------
    n_channels
        Of the images.
    measures
        What is measured, and digits to show; first that by which settings are sorted, of which
        more is better.
    subject
        Of simulated and real nuclei; None for other images.
    """

    n_channels: int
    measures: Mapping[str, int]
    subject: Subject | None = None


_OF_NUCLEI = {"realism": 3, "labels": 3, "kernel": 3, "sliced": 3}
TASKS: Mapping[str, Kind] = {
    "maps": Kind(3, {"accuracy_16": 3, "drawn_16": 3, "accuracy_5": 3, "rmse": 1}),
    "nuclei": Kind(1, _OF_NUCLEI, "fluorescence"),
    "histology": Kind(3, _OF_NUCLEI, "histology"),
}


def make_task(name: str, data: Path, work: Path, part: Part = "tuning") -> Task:
    """Prepare images under `work` and return what all trials share.

    Parameters
    ----------
    name
        One of `TASKS`.
    data
        Folder with the sets of images.
    work
        Where they are prepared; what is there is taken as it is.
    part
        What is scored.
    """
    subject = TASKS[name].subject
    if subject is None:
        folders = prepare(data, work, part, MAPS_PX)
        red, green, blue = (int(level) for level in best_constant(read(folders.maps)))
        score = MapsScore(folders, (red, green, blue))
        return Task(folders.photos, folders.maps, ("photo", "map"), N_POINTS, score)
    write = write_training_tissue if subject == "histology" else write_training_scenes
    scenes, real = work / f"{name}_simulated", work / f"{name}_real"
    if not scenes.is_dir():
        with _whole(scenes) as partial:
            write(partial / "images", TRAINING_SCENES, seed=TRAINING_SCENES_SEED)
    if not real.is_dir():
        with _whole(real) as partial:
            copy_training_images(data, partial, subject)
    nuclei = NucleiScore(data, "real", part, subject)
    nuclei.prepare()
    return Task(scenes / "images", real, ("synthetic", "real"), N_NUCLEI_POINTS, nuclei)


@contextmanager
def _whole(folder: Path) -> Iterator[Path]:
    """Give a folder to fill that takes its name when it is full."""
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.parent.mkdir(parents=True, exist_ok=True)
    yield partial
    partial.rename(folder)


@dataclass(frozen=True, slots=True)
class NucleiScore:
    """Scores a model by what it makes of simulated scenes; see `nuclei_questions`.

    Parameters
    ----------
    data
        Folder with the sets of real images.
    to
        The model's domain of real images.
    part
        Which of the real images are scored.
    subject
        What the images show.
    """

    data: Path
    to: str
    part: Part
    subject: Subject = "fluorescence"

    def prepare(self) -> None:
        """Train the segmentation network, or find it where an earlier run has left it."""
        _instruments(self.data, self.part, self.subject)

    def __call__(self, loaded: LoadedModel) -> dict[str, float]:
        """Translate scenes and measure them.

        Returns
        -------
        ``labels``: F1 on translated scenes of a network that was trained on real images;
        ``kernel`` and ``sliced``: distances to real images; ``realism``: minus the mean of both,
        each as a share of the raw scenes' distance.
        """
        real, network, raw, distances = _instruments(self.data, self.part, self.subject)
        images = translated((*raw.train, *raw.held_out), loaded, self.to, "direct")
        made = {"made": Scenes(images[: len(raw.train)], images[len(raw.train) :])}
        return _numbers(made, network, looks_real(real, made, _SCENES, 0)["made"], distances)

    def baselines(self) -> dict[str, dict[str, float]]:
        """Measure the scenes as they are: the same numbers."""
        _, network, raw, distances = _instruments(self.data, self.part, self.subject)
        return {RAW_SCENE: _numbers({"made": raw}, network, distances, distances)}


def _numbers(
    made: Mapping[str, Scenes],
    network: UNet,
    found: Mapping[str, float],
    distances: Mapping[str, float],
) -> dict[str, float]:
    labels = labels_stay_true(made, {"real": network}, _SCENES)["made"]["real"]
    return {
        "realism": -mean(found[key] / distances[key] for key in ("kernel", "sliced")),
        "labels": labels,
        "kernel": found["kernel"],
        "sliced": found["sliced"],
    }


def baselines(task: Task) -> dict[str, dict[str, float]]:
    """Measure what needs no training by the score of a task that `make_task` made."""
    score = task.score
    assert isinstance(score, MapsScore | NucleiScore)
    return {
        name: {key: round(value, 5) for key, value in found.items()}
        for name, found in score.baselines().items()
    }


@cache
def _instruments(
    data: Path, part: Part, subject: Subject
) -> tuple[RealImages, UNet, Scenes, dict[str, float]]:
    """Return real images, a network trained on them, raw scenes and their distances."""
    real = read_real(data, part, subject)
    network = trained(training_pool(real.train), _SCENES.segmentation, 0, _CACHE)
    count = _SCENES.scenes + _SCENES.held_out_scenes
    drawn = simulate_scenes(count, _SCENES.scene_px, 0, subject)
    raw = Scenes(drawn[: _SCENES.scenes], drawn[_SCENES.scenes :])
    return real, network, raw, looks_real(real, {"raw": raw}, _SCENES, 0)["raw"]
