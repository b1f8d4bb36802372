"""The translation model: two domains, their networks, and the whole-image passes through them."""

from torch import Tensor, nn

from napari_unit.domains import Domain
from napari_unit.geometry.tiling import padded_length
from napari_unit.models.architecture import Architecture
from napari_unit.models.networks import Decoder, Encoder, ResidualBlock, Step


class TranslationModel(nn.Module):
    """Two auto-encoders over one shared latent space (UNIT, Liu et al. 2017, section 3).

    Parameters
    ----------
    domain_a, domain_b
        The two kinds of image; their names differ.
    architecture
        Sizes of the networks.

    Raises
    ------
    ValueError
        If the two domains have the same name.
    """

    def __init__(self, domain_a: Domain, domain_b: Domain, architecture: Architecture) -> None:
        super().__init__()
        if domain_a.name == domain_b.name:
            raise ValueError(f"Both domains are called {domain_a.name!r}; give them two names.")
        self.domains = (domain_a, domain_b)
        self.architecture = architecture
        latent, n_shared = architecture.latent_channels, architecture.n_shared
        last = tuple(ResidualBlock(latent) for _ in range(n_shared))
        first = tuple(ResidualBlock(latent) for _ in range(n_shared))
        self.encoders = nn.ModuleList(
            Encoder(d.n_channels, architecture, last) for d in self.domains
        )
        self.decoders = nn.ModuleList(
            Decoder(d.n_channels, architecture, first) for d in self.domains
        )

    def index_of(self, domain: str) -> int:
        """Return 0 or 1 for a domain's name.

        Raises
        ------
        ValueError
            If the model has no such domain.
        """
        names = [d.name for d in self.domains]
        if domain not in names:
            raise ValueError(
                f"The model has no domain {domain!r}; it has {names[0]!r} and {names[1]!r}."
            )
        return names.index(domain)

    def encode(self, image: Tensor, domain: str) -> Tensor:
        """Return the latent mean (B, 4 width, H/4, W/4) of image (B, C, H, W) in [-1, 1]."""
        latent: Tensor = self.encoders[self.index_of(domain)](image)
        return latent

    def decode(self, latent: Tensor, domain: str) -> Tensor:
        """Return the image (B, C, H, W) in [-1, 1] of a latent code (B, 4 width, H/4, W/4)."""
        image: Tensor = self.decoders[self.index_of(domain)](latent)
        return image

    def steps(self, source: str, target: str) -> tuple[Step, ...]:
        """Return the convolutions of a translation in order, encoder then decoder."""
        encoder, decoder = (
            self.encoders[self.index_of(source)],
            self.decoders[self.index_of(target)],
        )
        assert isinstance(encoder, Encoder)
        assert isinstance(decoder, Decoder)
        return encoder.steps() + decoder.steps()

    def translate(self, image: Tensor, source: str, target: str) -> Tensor:
        """Translate in one piece: the definition that tiled translation must equal.

        Sizes that are no multiple of the networks' stride are reflected at the far end, and
        the result is cropped back.

        Parameters
        ----------
        image
            Shape (B, C, H, W) in [-1, 1], H and W at least `architecture.MIN_SIZE_PX`.
        source, target
            Domain names.

        Returns
        -------
        Shape (B, C_target, H, W) in [-1, 1].
        """
        height, width = image.shape[2:]
        geometry = [step.block.geometry for step in self.steps(source, target)]
        far = (
            0,
            padded_length(width, geometry) - width,
            0,
            padded_length(height, geometry) - height,
        )
        whole = nn.functional.pad(image, far, mode="reflect")
        translated = self.decode(self.encode(whole, source), target)
        return translated[:, :, :height, :width]
