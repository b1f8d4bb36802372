"""What a model's file says of it, in lines for people. Needs no torch."""

from napari_unit.models.card import ModelCard, has_statistics
from napari_unit.models.zoo import ModelEntry


def facts_of(entry: ModelEntry) -> tuple[str, ...]:
    """Return who made a model, what it takes images for, and how large its networks are.

    Parameters
    ----------
    entry
        Of the model.

    Returns
    -------
    One line each.
    """
    card, size = entry.card, entry.card.architecture
    networks = (
        f"networks: width {size.width}, {size.n_residual} residual blocks, {size.n_shared} of them "
        "shared"
    )
    signed = (("author", card.author), ("license", card.license))
    stored = "with" if has_statistics(entry.path) else "without"
    return (
        *(f"{what}: {said}" for what, said in signed if said),
        *_domains(card),
        networks,
        f"{stored} statistics of training crops",
        f"written by napari-unit {card.version}",
    )


def _domains(card: ModelCard) -> list[str]:
    lines = []
    for domain in card.domains:
        scaling, window = domain.scaling, domain.typical_window
        lines.append(
            f"{domain.name}: {', '.join(domain.channels)}; intensities by {scaling.kind} "
            f"{scaling.low:g} to {scaling.high:g}, typically {min(window.low):g} to "
            f"{max(window.high):g}"
        )
    return lines
