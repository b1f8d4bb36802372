from dataclasses import replace

from napari_unit.domains import Domain, IntensityScaling
from napari_unit.models.describing import facts_of
from napari_unit.models.relabeling import with_card
from napari_unit.models.zoo import find_model


def test_a_model_is_described_in_lines(save_tiny_model):
    scaling = IntensityScaling("range", 0.0, 255.0)
    domains = Domain("H&E", ("red", "green", "blue"), scaling), Domain("dapi", ("dna",), scaling)
    path = save_tiny_model("m", *domains)
    facts = facts_of(find_model(path))
    assert facts[0].startswith("H&E: red, green, blue; intensities by range 0 to 255, typically ")
    assert facts[1].startswith("dapi: dna; ")
    assert facts[2].startswith("networks: width ")
    assert facts[3] == "without statistics of training crops"
    with_card(path, replace(find_model(path).card, author="Ada", license="CC-BY-4.0"), path)
    assert facts_of(find_model(path))[:2] == ("author: Ada", "license: CC-BY-4.0")
