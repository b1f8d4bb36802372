"""Which model translates an image, and from which of its domains to which. Needs no torch."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from napari_unit.domains import Domain, channels_in_words, domain_in_words
from napari_unit.images.source_image import SourceImage
from napari_unit.models.card import ModelFileError
from napari_unit.models.zoo import ModelEntry, find_model, list_models


@dataclass(frozen=True, slots=True)
class Direction:
    """From one domain of a model to the other.

    Parameters
    ----------
    source
        The domain that the image belongs to.
    target
        The domain to translate to.
    """

    source: Domain
    target: Domain


def choose_model(model: str | Path | None, to: str | None, image: SourceImage) -> ModelEntry:
    """Return the model to use.

    Parameters
    ----------
    model
        A name or a path; None for the one that fits the image: a bundled one before the user's.
    to
        Name of the domain to translate to, where it is known.
    image
        What is to be translated.

    Raises
    ------
    ModelFileError
        If there is no such model; or none fits, or several do; the message lists what there is.
    """
    if model is not None:
        return find_model(model)
    entries = list_models()
    fitting = [e for e in entries if list(_fitting(e.card.domains, to, image.n_channels))]
    bundled = [entry for entry in fitting if entry.origin == "bundled"]
    best = bundled or fitting
    if len(best) == 1:
        return best[0]
    channels = channels_in_words(image.n_channels)
    goal = "" if to is None else f" to {to!r}"
    if best:
        raise ModelFileError(
            f"Several models translate images of {channels}{goal}; name one with model=: "
            f"{_listing(best)}."
        )
    if not entries:
        raise ModelFileError(
            "No model is installed; give the path of a .safetensors file as model=, or train one "
            "with 'napari-unit train'."
        )
    raise ModelFileError(
        f"No installed model translates images of {channels}{goal}; there is {_listing(entries)}."
    )


def choose_direction(
    domains: tuple[Domain, Domain], to: str | None, image: SourceImage, model_name: str
) -> Direction:
    """Return the direction in which a model translates an image.

    Parameters
    ----------
    domains
        The model's.
    to
        Name of the one to translate to; None where the number of channels leaves only one.
    image
        What is to be translated.
    model_name
        For messages.

    Raises
    ------
    ValueError
        If the model has no such domain, the image has another number of channels, or `to` is
        needed.
    """
    names = [domain.name for domain in domains]
    if to is not None and to not in names:
        raise ValueError(
            f"The model {model_name!r} has no domain {to!r}; it has {names[0]!r} and {names[1]!r}."
        )
    fitting = list(_fitting(domains, to, image.n_channels))
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise ValueError(
            f"The model {model_name!r} translates both ways; say where to: "
            f"to={names[0]!r} or to={names[1]!r}."
        )
    sources = [domain for domain in domains if domain.name != to]
    raise ValueError(_misfit(image, sources, model_name))


def _fitting(
    domains: tuple[Domain, Domain], to: str | None, n_channels: int
) -> Iterator[Direction]:
    for source, target in (domains, domains[::-1]):
        if source.n_channels == n_channels and to in (None, target.name):
            yield Direction(source, target)


def _misfit(image: SourceImage, sources: Sequence[Domain], model_name: str) -> str:
    wanted = " or ".join(f"{source.name!r} with {domain_in_words(source)}" for source in sources)
    told = f"The image has {channels_in_words(image.n_channels)}, but {model_name!r} takes {wanted}"
    letters = image.axes.letters
    if "C" in letters:
        planes = letters.replace("C", "Q")
        return f"{told}; if its axis C counts planes instead, say so: axes={planes!r}."
    if image.axes.channel is None and len(letters) > 2:
        channels = "C" + letters[1:]
        return f"{told}; if one of its axes {letters} is the channels, say so: axes={channels!r}."
    return f"{told}; choose another image or model."


def _listing(entries: Sequence[ModelEntry]) -> str:
    told = []
    for entry in entries:
        a, b = (f"{d.name} of {channels_in_words(d.n_channels)}" for d in entry.card.domains)
        told.append(f"{entry.name!r} ({a} ↔ {b})")
    return ", ".join(told)
