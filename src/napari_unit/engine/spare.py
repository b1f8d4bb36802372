"""Memory of large maps, used again.

A system gives memory page by page when it is first written to, which can take longer than what is
computed in it. So a map that is needed no more gives its memory to the next one.
"""

import numpy as np
import torch
from torch import Tensor

_NUMPY = {torch.float32: np.float32, torch.float64: np.float64}


class SpareMemory:
    """Keeps the memory of maps that are needed no more."""

    def __init__(self) -> None:
        self._spare: list[Tensor] = []

    def take(self, shape: tuple[int, int, int, int], like: Tensor) -> Tensor:
        """Return a map without values, channels last in memory.

        Parameters
        ----------
        shape
            (1, C, H, W).
        like
            Of the dtype and on the device wanted.
        """
        n = shape[1] * shape[2] * shape[3]
        fits = [s for s in self._spare if s.numel() >= n and s.dtype == like.dtype]
        if fits:
            flat = min(fits, key=Tensor.numel)
            self._spare = [s for s in self._spare if s is not flat]
        elif like.device.type == "cpu" and like.dtype in _NUMPY:
            # numpy asks the system for large pages, of which there are fewer
            flat = torch.from_numpy(np.empty(n, _NUMPY[like.dtype]))
        else:
            flat = torch.empty(n, dtype=like.dtype, device=like.device)
        _, channels, height, width = shape
        return flat[:n].view(1, height, width, channels).permute(0, 3, 1, 2)

    def give(self, values: Tensor, *used: Tensor) -> None:
        """Take a map back, unless its memory is in use.

        Parameters
        ----------
        values
            Needed no more; whoever has it must let go of it.
        used
            Maps that are needed.
        """
        storage = values.untyped_storage()
        if any(storage.data_ptr() == other.untyped_storage().data_ptr() for other in used):
            return
        n = storage.nbytes() // values.element_size()
        self._spare.append(torch.empty(0, dtype=values.dtype, device=values.device).set_(
            storage, 0, (n,), (1,)
        ))  # fmt: skip
