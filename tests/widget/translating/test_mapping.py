"""Axes and channels are said by a person where they are not known, and never guessed."""

from typing import Any

import numpy as np
import pytest

from napari_unit import translate

pytestmark = pytest.mark.qt


def test_what_fits_needs_no_word_and_stays_folded(samples: Any, desk: Any) -> None:
    at = desk(samples.stack())
    mapping = at.form.mapping
    assert not mapping.isVisibleTo(at.widget)
    at.click(at.form.mapping_fold)
    assert [choice.value for choice in mapping.axis_choices] == ["Z", "Y", "X"]
    assert [choice.currentText() for choice in mapping.channel_choices] == ["channel 0"]
    assert "'synthetic' images have 1 channel (light)." in mapping.expected_label.text()
    assert mapping.axes is None


def test_channels_are_asked_for_where_there_are_more_than_the_model_takes(
    samples: Any, desk: Any, models: Any
) -> None:
    image = samples.pixels(3, 64, 48)
    image[1] //= 2
    layer = samples.image_layer(image, "stains", axis_labels=["c", "y", "x"])
    at = desk(layer)
    mapping = at.form.mapping
    assert mapping.isVisibleTo(at.widget), "it must not be looked for"
    kind, sentence = at.said()
    assert kind == "hint"
    assert "'stains' has 3 channels, and 'synthetic' 1 channel; choose" in sentence
    assert "'light'" in sentence
    assert not at.widget.run_button.isEnabled()
    at.pick(mapping.channel_choices[0], "channel 1")
    assert at.said() == (None, "")
    result = at.run()
    path = models.bundled / "nuclei.safetensors"
    expected = translate(image[1], path, "real", progress=False)
    np.testing.assert_array_equal(np.squeeze(result.data), expected)
    assert result.metadata["napari_unit"]["channels"] == [1]


def test_channels_can_be_exchanged(samples: Any, desk: Any, models: Any) -> None:
    path = models.add("pair", a=("live", 2), b=("fixed", 2))
    image = samples.pixels(2, 64, 48)
    layer = samples.image_layer(image, "stains", axis_labels=["c", "y", "x"])
    at = desk(layer, model=False)
    first, second = at.form.mapping.channel_choices
    assert (first.value, second.value) == (0, 1)
    at.pick(first, "channel 1")
    at.pick(second, "channel 0")
    result = at.run()
    expected = translate(image[::-1], path, "fixed", axes="CYX", progress=False)
    np.testing.assert_array_equal(result.data, expected)


def test_a_gray_layer_can_stand_for_every_channel(samples: Any, desk: Any, models: Any) -> None:
    models.add("colour", a=("H&E", 3), b=("IHC", 3))
    at = desk(samples.gray(), model=False)
    assert "'cells' has 1 channel, and 'H&E' 3 channels" in at.said()[1]
    for choice in at.form.mapping.channel_choices:
        at.pick(choice, "channel 0")
    result = at.run()
    assert result.data.shape == (90, 70, 3)


def test_an_axis_can_be_named_the_channels(samples: Any, desk: Any, models: Any) -> None:
    models.add("pair", a=("live", 2), b=("fixed", 2))
    at = desk(samples.image_layer(samples.pixels(2, 64, 48), "two stains"), model=False)
    assert not at.widget.run_button.isEnabled()
    at.pick(at.form.mapping.axis_choices[0], "channels (C)")
    assert at.said() == (None, "")
    result = at.run()
    assert result is not None, at.said()
    assert result.data.shape == (2, 64, 48)


def test_what_was_said_of_one_layer_is_not_taken_for_the_next(
    samples: Any, desk: Any, models: Any
) -> None:
    models.add("pair", a=("live", 2), b=("fixed", 2))
    stack = samples.image_layer(samples.pixels(2, 64, 48), "two planes")
    at = desk(stack, samples.image_layer(samples.pixels(2, 64, 48), "two stains"), model=False)
    at.pick(at.form.layer_choice, "two stains")
    at.pick(at.form.mapping.axis_choices[0], "channels (C)")
    assert at.widget.run_button.isEnabled()
    at.viewer.layers.remove("two stains")
    assert at.form.layer_choice.currentText() == "two planes"
    assert at.form.mapping.axis_choices[0].currentText() == "depth (Z)"
    assert not at.widget.run_button.isEnabled()


def test_labels_that_leave_it_open_are_asked_for(samples: Any, desk: Any) -> None:
    layer = samples.image_layer(samples.pixels(3, 64, 48), "odd", axis_labels=["q", "y", "w"])
    at = desk(layer)
    assert at.said()[0] == "hint"
    assert "q, y, w, leave open which axis is which; say it under Axes" in at.said()[1]
    assert at.form.mapping.isVisibleTo(at.widget)
    assert [choice.value for choice in at.form.mapping.axis_choices] == [None] * 3
    for choice, text in zip(
        at.form.mapping.axis_choices, ("time (T)", "rows (Y)", "columns (X)"), strict=True
    ):
        at.pick(choice, text)
    assert at.said() == (None, "")
    assert at.run().data.shape == (3, 64, 48)


def test_axes_that_name_no_image_are_refused_in_a_sentence(samples: Any, desk: Any) -> None:
    at = desk(samples.gray())
    at.click(at.form.mapping_fold)
    at.pick(at.form.mapping.axis_choices[0], "columns (X)")
    assert not at.widget.run_button.isEnabled()
    assert at.said()[0] == "hint"
    assert "X twice" in at.said()[1]
