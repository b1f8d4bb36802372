import pytest

from napari_unit.models.architecture import Architecture


def test_defaults_are_the_papers() -> None:
    assert Architecture() == Architecture(width=64, n_residual=4, n_shared=1)
    assert Architecture(width=16).latent_channels == 64


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("width", 0, "width is 0; it must be a whole number from 1 to 256"),
        ("width", True, "width is True"),
        ("width", 1.5, "width is 1.5"),
        ("n_residual", 17, "n_residual is 17; it must be a whole number from 1 to 16"),
        ("n_shared", 5, "n_shared is 5; it must be a whole number from 0 to 4"),
        ("n_shared", -1, "n_shared is -1"),
    ],
)
def test_a_size_out_of_bounds_is_refused(field: str, value: object, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Architecture(**{field: value})  # type: ignore[arg-type]
