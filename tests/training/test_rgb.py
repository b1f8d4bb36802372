import torch

from napari_unit_training.rgb import to_rgb


def test_gray_two_three_and_more_channels() -> None:
    values = torch.tensor([-1.0, 0.0, 1.0, 0.5, -2.0, 2.0]).view(1, 6, 1, 1).expand(2, 6, 4, 5)
    levels = [0, 128, 255, 191, 0, 255]
    for channels, shown in ((1, [0, 0, 0]), (2, [0, 128, 0]), (3, levels[:3]), (6, levels[:3])):
        made = to_rgb(values[:, :channels])
        assert made.shape == (2, 4, 5, 3)
        assert made.dtype == "uint8"
        assert (made == shown).all()
    assert (to_rgb(values[:, 4:5]) == 0).all()
    assert (to_rgb(values[:, 5:6]) == 255).all()
