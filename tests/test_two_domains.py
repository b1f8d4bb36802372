import numpy as np

from napari_unit.simulate import SceneSettings
from napari_unit.simulate.two_domains import absorption, fluorescence, two_domains_sample


def test_the_sample_is_a_layer_of_either_domain_always_the_same() -> None:
    first, second = two_domains_sample(), two_domains_sample()
    assert [fields["name"] for _, fields, _ in first] == ["fluorescence", "absorption"]
    for (image, fields, kind), (again, *_) in zip(first, second, strict=True):
        assert kind == "image"
        assert image.dtype == np.uint8
        assert image.ndim == len(fields["scale"]) == len(fields["units"]) == 2
        np.testing.assert_array_equal(image, again)


def test_the_two_show_different_cells_as_much_of_them_and_stand_side_by_side() -> None:
    (bright, left, _), (dark, right, _) = two_domains_sample()
    # bright cells on dark, and dark ones on bright
    assert np.median(bright) < bright.mean() < 128
    assert np.median(dark) > dark.mean() > 100
    width = bright.shape[1] * left["scale"][1]
    assert right["translate"][1] - left["translate"][1] > width
    # no pixel of one is made from the same pixel of the other
    correlation = np.corrcoef(absorption(bright).ravel(), dark.ravel())[0, 1]
    assert abs(correlation) < 0.1
    covered = [np.mean(image < image.max() / 2) for image in (absorption(bright), dark)]
    assert 0.5 < covered[0] / covered[1] < 2.0


def test_one_is_the_other_by_the_law_of_absorption() -> None:
    image = fluorescence(SceneSettings(shape=(64, 96)), seed=3)
    assert (image.min(), image.max()) == (0, 255)
    found = absorption(image)
    density = -np.log(found.astype(float) / 255)
    np.testing.assert_allclose(density, 3.0 * image / 255, atol=0.05)
