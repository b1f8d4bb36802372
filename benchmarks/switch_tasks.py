"""What settings are compared on: maps with their pairs, nuclei with their labels."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import mean

from maps_images import MapsScore, best_constant, prepare, read
from nuclei_questions import BenchmarkSettings, Scenes, labels_stay_true, looks_real, training_pool
from nuclei_scenes import simulate_scenes, translated
from nuclei_segmentation import UNet, trained
from nuclei_splits import Part, RealImages, copy_training_images, read_real
from platformdirs import user_cache_path
from training_trials import Task

from napari_unit.models.file import LoadedModel
from napari_unit.simulate import write_training_scenes

MAPS_PX = 64
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
    """

    n_channels: int
    measures: Mapping[str, int]


TASKS: Mapping[str, Kind] = {
    "maps": Kind(3, {"accuracy_16": 3, "drawn_16": 3, "accuracy_5": 3, "rmse": 1}),
    "nuclei": Kind(1, {"realism": 3, "labels": 3, "kernel": 3, "sliced": 3}),
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
    if name == "maps":
        folders = prepare(data, work, part, MAPS_PX)
        red, green, blue = (int(level) for level in best_constant(read(folders.maps)))
        score = MapsScore(folders, (red, green, blue))
        return Task(folders.photos, folders.maps, ("photo", "map"), N_POINTS, score)
    scenes, real = work / "nuclei_scenes", work / "nuclei_real"
    if not scenes.is_dir():
        write_training_scenes(scenes, TRAINING_SCENES, seed=TRAINING_SCENES_SEED)
    if not real.is_dir():
        copy_training_images(data, real)
    nuclei = NucleiScore(data, "real", part)
    nuclei.prepare()
    return Task(scenes, real, ("synthetic", "real"), N_NUCLEI_POINTS, nuclei)


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
    """

    data: Path
    to: str
    part: Part

    def prepare(self) -> None:
        """Train the segmentation network, or find it where an earlier run has left it."""
        _instruments(self.data, self.part)

    def __call__(self, loaded: LoadedModel) -> dict[str, float]:
        """Translate scenes and measure them.

        Returns
        -------
        ``labels``: F1 on translated scenes of a network that was trained on real images;
        ``kernel`` and ``sliced``: distances to real images; ``realism``: minus the mean of both,
        each as a share of the raw scenes' distance.
        """
        real, network, raw, distances = _instruments(self.data, self.part)
        images = translated((*raw.train, *raw.held_out), loaded, self.to, "direct")
        kinds = {"translated": Scenes(images[: len(raw.train)], images[len(raw.train) :])}
        labels = labels_stay_true(kinds, {"real": network}, _SCENES)["translated"]["real"]
        found = looks_real(real, kinds, _SCENES, 0)["translated"]
        share = mean(found[key] / distances[key] for key in ("kernel", "sliced"))
        return {
            "realism": -share,
            "labels": labels,
            "kernel": found["kernel"],
            "sliced": found["sliced"],
        }


@cache
def _instruments(data: Path, part: Part) -> tuple[RealImages, UNet, Scenes, dict[str, float]]:
    """Return real images, a network trained on them, raw scenes and their distances."""
    real = read_real(data, part)
    network = trained(training_pool(real.train), _SCENES.segmentation, 0, _CACHE)
    count = _SCENES.scenes + _SCENES.held_out_scenes
    drawn = simulate_scenes(count, _SCENES.scene_px, 0)
    raw = Scenes(drawn[: _SCENES.scenes], drawn[_SCENES.scenes :])
    return real, network, raw, looks_real(real, {"raw": raw}, _SCENES, 0)["raw"]
