"""Weights divided by their largest singular value."""

from typing import Any

import torch
from torch import Tensor, nn

FIRST_ITERATIONS = 15
"""Of the power method, before the training; each use in the training adds one."""
_EPS = 1e-12


class SpectralNorm(nn.Module):
    """A weight over its largest singular value, rows being output channels.

    Source: Miyato et al. 2018, eq. 8 and algorithm 1. State, start and values are those of
    `torch.nn.utils.parametrizations.spectral_norm`, whose gradient takes three times as long.

    Parameters
    ----------
    weight
        As it is at the start; the first singular vectors come from torch's global generator.
    """

    _u: Tensor
    _v: Tensor

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        matrix = weight.detach().flatten(1)
        for name, side in (("_u", 0), ("_v", 1)):
            start = matrix.new_empty(matrix.shape[side]).normal_()
            self.register_buffer(name, nn.functional.normalize(start, dim=0, eps=_EPS))
        for _ in range(FIRST_ITERATIONS):
            self._iterate(matrix)

    def _iterate(self, matrix: Tensor) -> None:
        self._u = nn.functional.normalize(torch.mv(matrix, self._v), dim=0, eps=_EPS)
        self._v = nn.functional.normalize(torch.mv(matrix.T, self._u), dim=0, eps=_EPS)

    def forward(self, weight: Tensor) -> Tensor:
        """Return the weight over its largest singular value; in training with a better estimate."""
        if self.training:
            self._iterate(weight.detach().flatten(1))
        divided: Tensor = _OverLargest.apply(weight, self._u, self._v)  # type: ignore[no-untyped-call]
        return divided


class _OverLargest(torch.autograd.Function):
    """``W / sigma`` with ``sigma = u . W v``, u and v constant.

    With G the gradient of the result, that of W is ``G / sigma - <G, W> / sigma**2 * u v^T``, here
    in two passes over the weights.
    """

    @staticmethod
    def forward(ctx: Any, weight: Tensor, u: Tensor, v: Tensor) -> Tensor:
        scale = 1.0 / torch.dot(u, torch.mv(weight.flatten(1), v))
        ctx.save_for_backward(weight, u, v, scale)
        return weight * scale

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        weight, u, v, scale = ctx.saved_tensors
        along = torch.dot(gradients[0].flatten(), weight.flatten())
        back = gradients[0].flatten(1) * scale
        back.addr_(u * (-along * scale.square()), v)
        return back.view_as(weight), None, None
