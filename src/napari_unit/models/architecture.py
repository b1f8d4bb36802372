"""The shape of a UNIT network pair, as a frozen value that a model file can carry."""

from dataclasses import dataclass

MAX_WIDTH = 256
MAX_RESIDUAL = 16
MIN_SIZE_PX = 8
"""Shortest side of an image that the networks' reflect padding can work on."""


@dataclass(frozen=True, slots=True)
class Architecture:
    """Sizes of the two encoders and the two decoders.

    Parameters
    ----------
    width
        Feature maps after the first convolution; the latent has ``4 * width``. 64 is the paper's.
    n_residual
        Residual blocks at the end of each encoder, and at the start of each decoder.
    n_shared
        How many of them the two domains share: the last ones of the encoders and the first ones
        of the decoders (UNIT, Liu et al. 2017, section 3 "Weight-sharing"). The paper ties one.

    Raises
    ------
    ValueError
        If a value lies outside its bounds.
    """

    width: int = 64
    n_residual: int = 4
    n_shared: int = 1

    def __post_init__(self) -> None:
        """Refuse sizes that no network can have."""
        for name, low, high in (
            ("width", 1, MAX_WIDTH),
            ("n_residual", 1, MAX_RESIDUAL),
            ("n_shared", 0, self.n_residual),
        ):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
                raise ValueError(
                    f"{name} is {value!r}; it must be a whole number from {low} to {high}."
                )

    @property
    def latent_channels(self) -> int:
        """Feature maps of the latent code."""
        return 4 * self.width
