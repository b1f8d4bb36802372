"""A translation from its image to its result, step by step."""

from collections.abc import Callable, Generator, Iterator
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_unit.atomic import written_whole
from napari_unit.engine.planes import PartSink
from napari_unit.identity import identity_of
from napari_unit.images.color import contrast_limits
from napari_unit.images.content_mark import content_mark
from napari_unit.images.file_outputs import check_free, file_output
from napari_unit.images.layers import TranslationResult
from napari_unit.images.outputs import MemoryOutput, Output
from napari_unit.images.source_image import SourceImage
from napari_unit.images.work_folder import WorkFolder
from napari_unit.prepared import Prepared, prepare
from napari_unit.provenance import origin_of, provenance_of
from napari_unit.request import TranslationRequest

if TYPE_CHECKING:
    from napari_unit.engine.run import Calibration, Known, Progress, Report

_CALIBRATION = "calibration.safetensors"


def translation_job(
    image: SourceImage,
    request: TranslationRequest,
    begun: Callable[[TranslationResult], None] = lambda _: None,
) -> "Generator[Progress, None, TranslationResult]":
    """Translate step by step: the one way that scripts, command line and widget all go.

    Needs neither napari nor Qt; may run on any thread.

    Parameters
    ----------
    image
        What to translate.
    request
        How.
    begun
        Called, before the first tile, with a result in memory that is still black: its arrays
        fill while the job goes on. Not called for one that goes to a file.

    Yields
    ------
    How far it is. Closing the generator cancels: nothing half written remains, and what is
    finished of a file stays in a folder beside it, where the same job goes on.

    Returns
    -------
    The translation with its provenance.

    Raises
    ------
    ValueError, TypeError, OSError, MemoryError, FloatingPointError
        As `translate`.
    """
    out = None if request.out is None else Path(request.out)
    before = None
    if out is not None:
        check_free(out)
        before = WorkFolder.beside(out).begun_with()
    elif request.cluster is not None:
        raise ValueError("A cluster writes its result to a file; say which one (out).")
    prepared = prepare(image, request, before or {})
    output: Output
    if out is not None:
        mark = content_mark(prepared.planes)
        identity = identity_of(
            prepared.image, prepared.loaded, prepared.plan, mark, _hash_of(request, prepared),
            request.part,
        )  # fmt: skip
        output = file_output(prepared.result, prepared.shown, prepared.target, out, identity)
    else:
        taken = prepared.plan.memory_bytes if prepared.plan.device == "cpu" else 0
        output = MemoryOutput(prepared.result, taken)
    with output as sink:
        if out is None:
            told = origin_of(prepared.image, prepared.loaded, prepared.plan)
            begun(_result(prepared, output, told, out))
        if request.part is not None:
            sink = PartSink(sink, prepared.plan.part)
        report = yield from _run(prepared, sink, output.work, request.cluster)
        provenance = provenance_of(
            prepared.image, prepared.loaded, prepared.plan, report.calibration,
            report.n_saturated, request.part,
        )  # fmt: skip
        calibration = None if output.work is None else output.work.get(_CALIBRATION)
        yield from _in_pixels(prepared, output.finish(provenance))
    if out is not None and calibration is not None:
        with written_whole(calibration_path(out)) as partial:
            partial.write_bytes(calibration)
    return _result(prepared, output, provenance, out)


def _result(
    prepared: Prepared, output: Output, provenance: dict[str, Any], out: Path | None
) -> TranslationResult:
    return TranslationResult(
        levels=output.levels(),
        axes=prepared.result.axes,
        source=prepared.shown,
        target=prepared.target,
        contrast_limits=contrast_limits(prepared.target, prepared.result.dtype),
        provenance=provenance,
        path=out,
    )


def calibration_path(out: Path) -> Path:
    """Return where the calibration of a translation is written, beside it."""
    return out.with_name(f"{out.name}.{_CALIBRATION}")


def _hash_of(request: TranslationRequest, prepared: Prepared) -> str | None:
    """Return a hash of the calibration that was given."""
    from napari_unit.engine.calibration import to_bytes

    if request.calibration is None:
        return None
    assert prepared.known.calibration is not None
    return sha256(to_bytes(prepared.known.calibration, {})).hexdigest()


def _run(
    prepared: Prepared, sink: Any, work: WorkFolder | None, cluster: Any
) -> Generator["Progress", None, "Report"]:
    """Run the engine; what it measures outlives the process where there is a work folder."""
    from napari_unit.engine.calibration import to_bytes
    from napari_unit.engine.run import run_plan

    if work is None:
        return (
            yield from run_plan(
                prepared.plan, prepared.model, prepared.planes, sink, prepared.known
            )
        )
    about = origin_of(prepared.image, prepared.loaded, prepared.plan)

    def keep(calibration: "Calibration") -> None:
        work.put(_CALIBRATION, to_bytes(calibration, about))

    known = _known_from(work, prepared.known)
    if cluster is not None:
        return (yield from _run_on_cluster(cluster, prepared, sink, work, known, keep))
    return (
        yield from run_plan(
            prepared.plan, prepared.model, prepared.planes, sink, known, work.scratch_path, keep
        )
    )


def _run_on_cluster(
    cluster: Any,
    prepared: Prepared,
    sink: Any,
    work: WorkFolder,
    known: "Known",
    keep: "Callable[[Calibration], None]",
) -> Generator["Progress", None, "Report"]:
    from napari_unit.cluster.client import connected
    from napari_unit.cluster.run import run_on_cluster

    # the workers need a model that all of them can read, as they can read the output
    shared = work.path / "model.safetensors"
    shared.write_bytes(prepared.loaded.path.read_bytes())
    try:
        with connected(cluster) as client:
            return (
                yield from run_on_cluster(
                    client,
                    prepared.plan,
                    prepared.model,
                    (shared.absolute(), prepared.loaded.sha256),
                    prepared.planes,
                    sink,
                    known,
                    keep,
                )
            )
    finally:
        shared.unlink(missing_ok=True)


def _known_from(work: WorkFolder, known: "Known") -> "Known":
    """Return what is known, with what an earlier run of this job has measured."""
    from napari_unit.engine.calibration import from_bytes
    from napari_unit.engine.run import Known

    content = work.get(_CALIBRATION)
    if content is None or known.calibration is not None:
        return known
    calibration, _ = from_bytes(content, str(work.path / _CALIBRATION))
    return Known(calibration, known.statistics)


def _in_pixels(prepared: Prepared, steps: Iterator[tuple[Any, int, int]]) -> Iterator["Progress"]:
    """Tell steps of a phase as pixels of the image."""
    from napari_unit.engine.run import Progress

    n_px = prepared.plan.part.n_px
    for phase, done, total in steps:
        yield Progress(phase, done * n_px // max(1, total), n_px)
