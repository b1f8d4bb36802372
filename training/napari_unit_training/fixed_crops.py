"""Pictures of a run: what it makes of the same few crops, time and again."""

from torch import Tensor

from napari_unit.runs.events import PreviewWritten
from napari_unit_training.data.loading import DomainImages
from napari_unit_training.data.sampling import sample_crops, seed_of
from napari_unit_training.preview import (
    translations,
    write_augmented,
    write_preview,
    write_preview_arrays,
)
from napari_unit_training.run_folder import RunFolder
from napari_unit_training.session import AUGMENTED, PREVIEW_A, PREVIEW_B, Session, seeded

N_CROPS = 4


class FixedCrops:
    """A few crops of each domain, held out ones where there are some, and their pictures.

    Parameters
    ----------
    session
        Of the run.
    data
        Domain a and b.
    folder
        Where pictures are written.
    """

    def __init__(
        self, session: Session, data: tuple[DomainImages, DomainImages], folder: RunFolder
    ) -> None:
        self.session = session
        self.folder = folder
        settings = session.settings
        a, b = (
            sample_crops(
                domain.held_out or domain.images,
                seed=settings.seed,
                images_seen=0,
                stream=stream,
                batch_size=N_CROPS,
                crop_px=settings.crop_px,
                min_deviation=settings.min_crop_deviation,
                device=session.device,
            )
            for domain, stream in zip(data, (PREVIEW_A, PREVIEW_B), strict=True)
        )
        self.crops = (a, b)

    def preview(self) -> PreviewWritten:
        """Write what the averaged model makes of them: a picture, and the numbers for viewers."""
        seen = self.session.images_seen
        columns = self._translated()
        path = self.folder.previews / f"images-{seen:010d}.png"
        write_preview(path, columns)
        self._write_arrays(columns)
        return PreviewWritten(seen, path)

    def show_first(self) -> None:
        """Write the numbers alone, so that viewers have something to show from the start."""
        self._write_arrays(self._translated())

    def _translated(self) -> dict[str, Tensor]:
        return translations(self.session.averaged.model, self.crops)

    def _write_arrays(self, columns: dict[str, Tensor]) -> None:
        a, b = self.session.averaged.model.domains
        path, seen = self.folder.latest_preview_path, self.session.images_seen
        write_preview_arrays(path, columns, (a.name, b.name), seen)

    def augmented(self) -> PreviewWritten:
        """Write what augmentation makes of them."""
        session, path = self.session, self.folder.previews / "augmented.png"
        with seeded(seed_of(session.settings.seed, 0, AUGMENTED), session.device):
            write_augmented(path, session.augmenter, self.crops)
        return PreviewWritten(0, path)
