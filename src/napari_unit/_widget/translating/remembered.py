"""What was chosen when Run was pressed last, for the next time that the widget opens."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from napari_unit._widget.choices import OptionChoice
from napari_unit._widget.preferences import stored_preferences
from napari_unit._widget.translating.form import TranslationForm
from napari_unit.atomic import written_whole


def settings_path() -> Path:
    """Return the file that holds what was chosen."""
    from platformdirs import user_config_path

    return user_config_path("napari-unit") / "translate.json"


def remember(form: TranslationForm) -> None:
    """Keep what is chosen; a folder that cannot be written to is left alone."""
    entry, source = form.model_choice.entry, form.direction_choice.source
    usual = _usual()
    chosen: dict[str, Any] = {
        name: choice.value
        for name, choice in _choices(form).items()
        # what is as the preferences have it follows them when they change
        if name not in usual or choice.value != usual[name]
    }
    chosen["model"] = None if entry is None else str(entry.path)
    chosen["from"] = None if source is None else source.name
    path = settings_path()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(path) as partial:
            partial.write_text(json.dumps(chosen), "utf-8")
    except OSError:
        return


def recall(form: TranslationForm) -> None:
    """Choose what was chosen last, else what the preferences say, as far as it is offered."""
    chosen = {**_usual(), **_stored()}
    for name, choice in _choices(form).items():
        index = choice.findData(chosen[name]) if name in chosen else -1
        if index >= 0:
            choice.setCurrentIndex(index)
    for entry in form.model_choice.entries:
        if str(entry.path) == chosen.get("model"):
            form.model_choice.prefer(entry.path)
    directions = [form.direction_choice.itemText(i) for i in range(form.direction_choice.count())]
    fitting = [i for i, text in enumerate(directions) if text.startswith(f"{chosen.get('from')} →")]
    image, source = form.image, form.direction_choice.source
    if fitting and image is not None and source is not None:
        form.direction_choice.setCurrentIndex(fitting[0])
        form.bring_up_to_date()


def _usual() -> dict[str, Any]:
    return asdict(stored_preferences())


def _stored() -> dict[str, Any]:
    try:
        found = json.loads(settings_path().read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _choices(form: TranslationForm) -> dict[str, OptionChoice]:
    return {
        "device": form.device_choice,
        "statistics": form.statistics_choice,
        "dtype": form.dtype_choice,
        "memory": form.memory_choice,
        "result": form.output.choice,
    }
