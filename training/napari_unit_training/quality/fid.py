"""FID and KID of two sets of features."""

import warnings
from dataclasses import dataclass

import torch
from torch import Tensor, nn

_MOST = 1000
"""Features in a subset for KID, where there are enough."""
_N_SUBSETS = 100


@dataclass(frozen=True, slots=True)
class InceptionQuality:
    """How far translations are from images of the target, for a network that knows photographs.

    Parameters
    ----------
    fid
        Frechet Inception distance (Heusel et al. 2017, eq. 6), 0 or more. It is too large for
        sets as small as these, and falls with their number: compare equal numbers only.
    kid
        Kernel Inception distance (Binkowski et al. 2018, section 4): its expectation does not
        depend on the numbers, and it can fall below 0 where the two sets are alike. Mean over 100
        subsets.
    kid_deviation
        Standard deviation over the subsets.
    kid_subset
        Crops in a subset: half of those there are, 1000 at most.
    """

    fid: float
    kid: float
    kid_deviation: float
    kid_subset: int


class _AsItIs(nn.Module):
    """Hands features on to torchmetrics, so that two distances need one pass of the network."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.num_features = num_features

    def forward(self, features: Tensor) -> Tensor:
        return features


def inception_distances(translations: Tensor, real: Tensor, seed: int = 0) -> InceptionQuality:
    """Return FID and KID of two sets of features, through torchmetrics.

    Parameters
    ----------
    translations, real
        Shapes (N, F) and (M, F), float64, N and M at least 4.
    seed
        Of the subsets.
    """
    # takes as long to import as torch does
    from torchmetrics.image.fid import FrechetInceptionDistance
    from torchmetrics.image.kid import KernelInceptionDistance

    subset = min(_MOST, min(len(translations), len(real)) // 2)
    network = _AsItIs(real.shape[1])
    fid = FrechetInceptionDistance(network)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Metric `Kernel Inception Distance` will save all")
        kid = KernelInceptionDistance(network, subsets=_N_SUBSETS, subset_size=subset)
    for metric in (fid, kid):
        metric.update(real, real=True)
        metric.update(translations, real=False)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        mean, deviation = kid.compute()
    return InceptionQuality(float(fid.compute()), float(mean), float(deviation), subset)
