"""What a training says, fit to be shown."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

# names of folders may hold spaces, but do not end in one: what does is the text between two paths
_FOLDERS = re.compile(r"(?<![\w.…])(?:[A-Za-z]:)?[\\/]{1,2}(?:[^\\/;,:()\n]*[^\\/;,:()\s][\\/])+")

INVERTED_AGREEMENT = -0.5
"""Content agreement below which a translation is taken for the negative of its image."""


def without_folders(text: str) -> str:
    """Take the folders out of absolute paths in a text: what is shown may be shown to others."""
    return _FOLDERS.sub("…/", text)


def inversions(directions: Iterable[Mapping[str, Any]]) -> list[str]:
    """Tell of translations that make dark what was bright: no distance to real images sees it.

    Parameters
    ----------
    directions
        What was measured of each, as in `QualityMeasured.directions`.

    Returns
    -------
    One remark on those whose content agreement is below `INVERTED_AGREEMENT`; none where none is.
    """
    found = ", ".join(
        f"{values.get('source', '?')} → {values.get('target', '?')} {agreement:.2f}"
        for values in directions
        if isinstance(agreement := values.get("content_agreement"), int | float)
        and agreement < INVERTED_AGREEMENT
    )
    said = (
        f"What was bright becomes dark (content agreement: {found}), which the distance does not "
        "see. Where bright should stay bright, train with 'Bright stays bright' (weights.content)."
    )
    return [said] if found else []
