"""Networks through which gradients go, but which do not learn from them."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def frozen(networks: nn.Module) -> Iterator[None]:
    """Let gradients through the networks but not into their weights, or into their state.

    Spectral norms would refine their singular vectors, which is for the pass that trains them:
    once per update, as in algorithm 1 of Miyato et al. 2018.
    """
    was_training = networks.training
    networks.eval()
    parameters = [p for p in networks.parameters() if p.requires_grad]
    for parameter in parameters:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad_(True)
        networks.train(was_training)
