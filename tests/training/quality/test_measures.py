import itertools
from dataclasses import replace

import pytest
import torch
from scipy import ndimage
from torch import nn

from napari_unit.domains import Domain, IntensityScaling
from napari_unit.models.architecture import Architecture
from napari_unit.models.model import TranslationModel
from napari_unit_training.quality.measures import measure_quality
from napari_unit_training.quality.paired import compare_pairs

RANGE = IntensityScaling("range", 0, 255)


class Known(TranslationModel):
    """Translates by known maps: from a to b as told, back by its inverse or not at all."""

    def __init__(self, forth: object, back: object, channels: tuple[int, int] = (1, 1)) -> None:
        names = ["abc"[:n] for n in channels]
        a, b = (Domain(name, tuple(c), RANGE) for name, c in zip("ab", names, strict=True))
        super().__init__(a, b, Architecture(1, 1, 1))
        self.maps = {("a", "b"): forth, ("b", "a"): back}

    def translate(self, image: torch.Tensor, source: str, target: str) -> torch.Tensor:
        return self.maps[source, target](image)  # type: ignore[operator]


def textures(n: int, sigma: float, seed: int) -> torch.Tensor:
    noise = torch.randn(n, 1, 64, 64, generator=torch.Generator().manual_seed(seed)).numpy()
    smooth = torch.from_numpy(ndimage.gaussian_filter(noise, (0, 0, sigma, sigma)))
    return (smooth / smooth.std() * 0.3).clamp(-1, 1)


def same(image: torch.Tensor) -> torch.Tensor:
    return image


CROPS = (textures(40, 2.0, 0), textures(40, 1.0, 1))


def test_a_model_that_does_nothing_is_as_far_as_untranslated_images() -> None:
    forth, back = measure_quality(Known(same, same), CROPS)
    assert (forth.source, forth.target, back.source) == ("a", "b", "b")
    assert forth.distance == pytest.approx(forth.untranslated)
    assert (forth.cycle_error, forth.content_agreement) == (0, pytest.approx(1, abs=5e-3))
    assert forth.real < forth.distance / 1.5
    assert forth.sharpness < 0.6 < 1.5 < back.sharpness, "textures of b are finer"


def test_translations_like_the_target_are_near_it() -> None:
    fresh = itertools.cycle(textures(40, 1.0, 2).split(8))
    forth, _ = measure_quality(Known(lambda _: next(fresh), same), CROPS)
    assert forth.distance < 1.5 * forth.real
    assert forth.distance < forth.untranslated / 1.5
    assert forth.sharpness == pytest.approx(1, abs=0.05)
    # and where they have nothing to do with their images, that is seen
    assert abs(forth.content_agreement) < 0.2
    assert forth.cycle_error > 0.2


def test_a_negative_is_told() -> None:
    forth, back = measure_quality(Known(torch.neg, torch.neg), CROPS)
    assert forth.content_agreement == pytest.approx(-1, abs=1e-2)
    assert (forth.cycle_error, back.cycle_error) == (0, 0)


def test_domains_of_other_channels_have_no_untranslated_distance() -> None:
    colour = CROPS[1].expand(-1, 3, -1, -1)
    model = Known(lambda x: x.expand(-1, 3, -1, -1), lambda x: x[:, :1], (1, 3))
    forth, back = measure_quality(model, (CROPS[0], colour))
    assert forth.untranslated is None
    assert back.untranslated is None
    assert forth.distance > forth.real


def test_pairs_and_inception_are_measured_where_they_are_asked_for_alone() -> None:
    forth, _ = measure_quality(Known(same, same), CROPS)
    assert (forth.paired, forth.inception) == (None, None)

    class Means(nn.Module):
        def forward(self, images: torch.Tensor) -> tuple[torch.Tensor]:
            return (images.float().flatten(2).mean(2),)

    a, b = CROPS[0], -CROPS[0]
    model = Known(torch.neg, same)  # right in one direction, wrong in the other
    found = measure_quality(model, (a, b), paired=True, inception=Means())
    forth, back = found
    assert forth.paired == compare_pairs(b, b)
    assert back.paired == compare_pairs(b, a)
    assert forth.inception.fid == pytest.approx(0, abs=1e-6)
    assert back.inception.fid > 1
    plain = measure_quality(model, (a, b))
    assert tuple(replace(q, paired=None, inception=None) for q in found) == plain
