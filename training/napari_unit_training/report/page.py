"""The page on a run: one HTML file for people, with everything in it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from napari_unit.atomic import written_whole
from napari_unit.runs.events import PreviewWritten
from napari_unit.runs.sentences import without_folders
from napari_unit_training.report import pictures, words
from napari_unit_training.report.curves import FIRST, SECOND, Curve, draw, finite
from napari_unit_training.report.record import Record, name_of, number, read_record
from napari_unit_training.run_folder import RunFolder

_AUGMENTED = "augmented.png"
_TERMS = {
    "adversarial": "adversarial, of the generators",
    "discriminator": "adversarial, of the discriminators",
    "reconstruction": "reconstruction",
    "cycle": "cycle",
    "kl": "KL",
    "cycle_kl": "KL of the cycle",
    "content": "content",
    "identity": "identity",
    "gradient_penalty": "gradient penalty",
}


@dataclass(frozen=True, slots=True)
class Chart:
    """A diagram: its title, what it shows in a sentence, and the picture."""

    title: str
    alt: str
    svg: str


def write_report(folder: RunFolder) -> Path:
    """Write the page on a run, of what lies in its folder; one that exists is replaced.

    The same run gives the same bytes. A folder in which little or nothing lies gives a page too.

    Parameters
    ----------
    folder
        Of the run; at its end or at any time before.

    Returns
    -------
    The path of the page.
    """
    text = _page(folder, read_record(folder))
    with written_whole(folder.report_path) as partial:
        # a name with half a character, which JSON can have and UTF-8 cannot, gets a question mark
        partial.write_text(text, "utf-8", errors="replace")
    return folder.report_path


def _page(folder: RunFolder, record: Record) -> str:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("napari_unit_training", "report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    differing, every = words.settings_tables(record)
    notes = record.starts[-1].notes if record.starts else ()
    a, b = record.domains
    versions = {str(name): str(value) for name, value in record.versions.items()}
    return environment.get_template("page.html").render(
        domains=record.domains,
        state=words.state_of(record),
        gave_up=without_folders(record.gave_up),
        facts=words.facts_of(record),
        verdicts=words.verdicts_of(record),
        quality=words.quality_table(record),
        distances=_distance_charts(record),
        agreements=_agreement_charts(record),
        columns=[a, f"{a} → {a}", f"{a} → {b}", f"{a} → {b} → {a}",
                 b, f"{b} → {b}", f"{b} → {a}", f"{b} → {a} → {b}"],
        **_previews(folder, record),
        losses=_loss_charts(record),
        speeds=_speed_charts(record),
        happenings=words.happenings_of(record),
        notes=[without_folders(note) for note in notes],
        differing=differing,
        settings=every,
        versions=versions or {"napari-unit, of this page": version("napari-unit")},
    )  # fmt: skip


def _distance_charts(record: Record) -> list[Chart]:
    """One diagram per direction, with what untranslated and other real images have."""
    best, charts = record.best, []
    for index, last in enumerate(record.measured[-1].directions if record.measured else ()):
        name = words.direction_of(last)
        points = words.values_over_time(record.measured, name, "distance")
        at_best = words.values_over_time([best] if best else [], name, "distance")
        charts += _chart(
            f"Distance to real images, {name}",
            f"distance-{index}",
            [Curve(points, (FIRST, SECOND)[index % 2])],
            dashed=number(last.get("untranslated")),
            dotted=number(last.get("real")),
            ring=at_best[0] if at_best else None,
        )
    return charts


def _agreement_charts(record: Record) -> list[Chart]:
    """Both directions in one diagram."""
    directions = record.measured[-1].directions[:2] if record.measured else ()
    names = [words.direction_of(values) for values in directions]
    charts = []
    for title, key in (("Content agreement", "content_agreement"), ("Cycle error", "cycle_error")):
        curves = [
            Curve(words.values_over_time(record.measured, name, key), color)
            for name, color in zip(names, (FIRST, SECOND), strict=False)
        ]
        charts += _chart(title, key, curves)
    return charts


def _loss_charts(record: Record) -> list[Chart]:
    """One diagram per term, of both domains."""
    found = {name for report in record.reports for name in report.losses}
    terms = {name.removesuffix("_a").removesuffix("_b") for name in found}
    known = [term for term in _TERMS if term in terms]
    charts = []
    for index, term in enumerate([*known, *sorted(terms - set(known))]):
        of_domains = ((term, FIRST), (f"{term}_a", FIRST), (f"{term}_b", SECOND))
        curves = [
            Curve(_over_time(record, name), color) for name, color in of_domains if name in found
        ]
        charts += _chart(_TERMS.get(term, term), f"loss-{index}", curves, may_be_log=True)
    return charts


def _over_time(record: Record, name: str) -> list[tuple[int, float]]:
    return [(r.images_seen, r.losses[name]) for r in record.reports if name in r.losses]


def _speed_charts(record: Record) -> list[Chart]:
    rates = [(report.images_seen, report.learning_rate) for report in record.reports]
    speeds = [(report.images_seen, report.images_per_second) for report in record.reports]
    return [
        *_chart("Learning rate of the generators", "rate", [Curve(rates)]),
        *_chart("Images per second", "speed", [Curve(speeds)]),
    ]


def _chart(title: str, name: str, curves: Sequence[Curve], **drawing: Any) -> list[Chart]:
    """Return one diagram, or none where there is nothing to draw."""
    values = [[y for _, y in finite(curve.points)] for curve in curves]
    if not any(values):
        return []
    spans = [f"from {v[0]:.3g} to {v[-1]:.3g}, least {min(v):.3g}" for v in values if v]
    alt = f"{title} over images seen: {'; '.join(spans)}"
    return [Chart(title, alt, draw(name, curves, **drawing))]


def _previews(folder: RunFolder, record: Record) -> Mapping[str, Any]:
    """Return the latest preview, each crop's over time, and the augmented picture."""
    written = {
        name_of(e.path): e.images_seen for e in record.events if isinstance(e, PreviewWritten)
    }
    written.pop(_AUGMENTED, None)
    there = [(seen, name) for name, seen in written.items() if (folder.previews / name).is_file()]
    opened = [
        (there[index][0], picture)
        for index in pictures.spread(len(there))
        if (picture := pictures.open_picture(folder.previews, there[index][1])) is not None
    ]
    over_time: list[list[tuple[int, pictures.Embedded]]] = []
    for seen, picture in opened if len(opened) > 1 else ():
        for n, row in enumerate(pictures.rows_of(picture)):
            over_time += [[]] if n == len(over_time) else []
            over_time[n].append((seen, pictures.embedded_strip(row)))
    augmented = pictures.open_picture(folder.previews, _AUGMENTED)
    large = (opened[-1][0], pictures.embedded_large(opened[-1][1])) if opened else None
    return {
        "preview": large,
        "over_time": over_time,
        "augmented": pictures.embedded_large(augmented) if augmented else None,
    }
