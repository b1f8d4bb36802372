"""What is where in the folder of a training."""

from pathlib import Path


class RunFiles:
    """The files of one training.

    Parameters
    ----------
    path
        Of the folder; it need not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.sources_path = path / "sources.json"
        self.asked_path = path / "asked.json"
        self.settings_path = path / "settings.json"
        self.data_path = path / "data.json"
        self.events_path = path / "events.jsonl"
        self.log_path = path / "log.txt"
        self.lock_path = path / ".lock"
        self.images = path / "images"
        self.checkpoints = path / "checkpoints"
        self.previews = path / "previews"
        self.latest_preview_path = self.previews / "latest.npz"
        self.tensorboard = path / "tensorboard"
        self.control = path / "control"
        self.last_model_path = path / "last.safetensors"
        self.best_model_path = path / "best.safetensors"
        self.report_path = path / "report.html"

    @property
    def model_path(self) -> Path:
        """The best model where quality was measured, else the last."""
        return self.best_model_path if self.best_model_path.is_file() else self.last_model_path

    @property
    def before_a_run(self) -> tuple[Path, ...]:
        """What may lie in the folder before a training has begun in it."""
        return (
            self.sources_path,
            self.asked_path,
            self.log_path,
            self.lock_path,
            self.images,
            self.control,
        )
