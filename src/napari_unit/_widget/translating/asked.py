"""What a form asks for: which images are translated, and how each of them."""

from dataclasses import replace

from napari.layers import Image

from napari_unit._widget.translating.batch import Item, opener
from napari_unit._widget.translating.fit import misfit
from napari_unit._widget.translating.form import TranslationForm
from napari_unit.images.layers import read_layer
from napari_unit.images.source_image import SourceImage
from napari_unit.request import TranslationRequest


def items_of(form: TranslationForm) -> list[Item]:
    """Return what is to be translated, in order; only where the form has no reason against it.

    Raises
    ------
    ValueError
        If a part that is chosen is not there, or a layer does not fit; the message says why.
    """
    request, kind = form.request(), form.images_fields.kind
    if kind == "folder":
        channels = form.mapping.channels
        return [
            Item(path.name, opener(path, None, channels), _to_file(form, request, path.stem))
            for path in form.images_fields.paths()
        ]
    if kind == "one":
        layer = form.layer_choice.layer
        assert layer is not None
        assert form.image is not None
        part = form.part(layer, form.image)
        return [Item(layer.name, form.image, replace(request, part=part, out=form.output.path))]
    found = []
    for layer in form.images_fields.layers():
        image = _like_first(form, layer)
        made = replace(request, part=form.part(layer, image))
        found.append(Item(layer.name, image, _to_file(form, made, layer.name)))
    return found


def _like_first(form: TranslationForm, layer: Image) -> SourceImage:
    """Read another layer with the axes and channels that were said of the chosen one."""
    assert form.image is not None
    axes = form.mapping.axes if layer.ndim == len(form.mapping.axis_choices) else None
    image = read_layer(layer, axes)
    if form.image.channels is not None:
        image = image.with_channels(form.image.channels)
    source = form.direction_choice.source
    assert source is not None
    wrong = misfit(image, source)
    if wrong:
        raise ValueError(wrong)
    return image


def _to_file(form: TranslationForm, request: TranslationRequest, name: str) -> TranslationRequest:
    return replace(request, out=form.output.path_for(f"{name} {request.to}"))
