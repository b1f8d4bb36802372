"""How long what is chosen will take, and how much memory, told before Run is pressed."""

from qtpy.QtCore import QObject, QTimer, Signal

from napari_unit._widget.errands import Errand, once
from napari_unit._widget.translating.form import TranslationForm
from napari_unit.estimate import Estimate, Rates, estimate, work_of, work_per_px
from napari_unit.images.outputs import ResultShape, shape_result
from napari_unit.images.parts import described_part
from napari_unit.images.source_image import SourceImage
from napari_unit.prepared import result_dtype
from napari_unit.request import TranslationRequest

_SETTLED_MS = 250


class Expectation(QObject):
    """Estimates what the form asks for, a moment after it has changed, on a thread.

    Parameters
    ----------
    form
        Of the dock widget.
    """

    told = Signal(str)
    """A sentence; empty where nothing can be run."""

    def __init__(self, form: TranslationForm) -> None:
        super().__init__(form)
        self._form = form
        self._rates = Rates()
        self._errand: Errand | None = None
        self._is_stale = False
        self._clock = QTimer(self)
        self._clock.setSingleShot(True)
        self._clock.setInterval(_SETTLED_MS)
        self._clock.timeout.connect(self._ask)
        form.changed.connect(self._clock.start)
        self._clock.start()

    def note(
        self, image: SourceImage, shown: SourceImage, request: TranslationRequest, seconds: float
    ) -> None:
        """Keep how fast a run was, for the next estimate.

        Parameters
        ----------
        image
            What was measured.
        shown
            What was translated of it: the same, or a part.
        request
            How.
        seconds
            That it took.
        """
        asked = self._asked(shown, request)
        if asked is not None:
            result, width, per_px = asked
            known = request.calibration is not None
            work = work_of(image, result, request.statistics, per_px, calibrated=known)
            self._rates.note(request.device, width, work / max(seconds, 1e-3))

    def _ask(self) -> None:
        form = self._form
        image = form.image
        if form.reason() is not None or image is None or form.images_fields.kind == "folder":
            self.told.emit("")
            return
        if form.output.kind == "lazy":
            self.told.emit("Only what the viewer shows will be computed, when it is shown.")
            return
        if self._errand is not None:
            self._is_stale = True
            return
        layer, request = form.layer_choice.layer, form.request()
        assert layer is not None
        try:
            part = form.part(layer, image)
        except ValueError as error:
            self.told.emit(str(error))
            return
        shown = image if part is None else described_part(image, part)
        asked = self._asked(shown, request)
        if asked is None:
            return
        result, width, per_px = asked
        is_file = form.output.path is not None

        def estimated() -> Estimate:
            rate = self._rates.of(request.device, width)
            if rate is None and request.device == "auto":
                rate = self._rates.of("cpu", width)
            found = estimate(image, result, request, per_px, rate)
            return Estimate(found.seconds, found.memory_bytes, found.result_bytes, is_file)

        self._errand = errand = Errand(once(estimated))
        errand.succeeded.connect(self._tell)
        errand.ended.connect(self._finish)
        errand.start()

    def _asked(
        self, shown: SourceImage, request: TranslationRequest
    ) -> tuple[ResultShape, int, float] | None:
        entry = self._form.model_choice.entry
        source, target = self._form.direction_choice.source, self._form.direction_choice.target
        if entry is None or source is None or target is None:
            return None
        result = shape_result(shown, target, result_dtype(shown, request.dtype))
        architecture = entry.card.architecture
        per_px = work_per_px(architecture, source.n_channels, target.n_channels)
        return result, architecture.width, per_px

    def _tell(self, found: Estimate) -> None:
        self.told.emit(found.in_words())

    def _finish(self) -> None:
        self._errand = None
        if self._is_stale:
            self._is_stale = False
            self._clock.start()
