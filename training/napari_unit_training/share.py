"""A process's share of a batch, and the random numbers that belong to it."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Share:
    """Which images of a batch a process trains on.

    What is random is drawn for the whole batch by every process, from the same seed, and each
    takes its part: so the images of a batch meet the same numbers however many processes share it.

    Parameters
    ----------
    total
        Images of each domain in the whole batch.
    start, stop
        The share, as a slice of them; never empty.
    counts
        Whether the share counts. In a last batch of fewer images than processes, those that are
        left over repeat the first image without counting.
    """

    total: int
    start: int
    stop: int
    counts: bool = True

    @classmethod
    def of(cls, total: int, rank: int, n_processes: int) -> "Share":
        """Return the share of one of several processes; the first ones have one image more."""
        least, more = divmod(total, n_processes)
        start = rank * least + min(rank, more)
        stop = start + least + (rank < more)
        return cls(total, start, stop) if stop > start else cls(total, 0, 1, counts=False)

    @property
    def weight(self) -> float:
        """What a mean over the share counts in the mean over the batch."""
        if not self.counts:
            return 0.0
        return 1.0 if self.is_whole else (self.stop - self.start) / self.total

    @property
    def is_whole(self) -> bool:
        """Whether there is nothing but this share."""
        return self.stop - self.start == self.total

    def part(self, whole: Tensor) -> Tensor:
        """Return the share of a tensor (B, ...) of the whole batch."""
        return whole if self.is_whole else whole[self.start : self.stop]

    def normal_like(self, own: Tensor) -> Tensor:
        """Draw N(0, I) of the shape (b, C, H, W) and precision of a share's tensor.

        From torch's global generator, as `uniform_for` draws. Which element gets which number does
        not depend on how maps lie in memory.
        """
        total = len(own) if self.is_whole else self.total
        shape = (total, *own.shape[1:])
        return self.part(torch.randn(shape, dtype=own.dtype, device=own.device))

    def uniform_for(self, own: Tensor, *shape: int) -> Tensor:
        """Draw from [0, 1), shape (b, *shape), for a share's tensor (b, ...)."""
        if self.is_whole:
            return torch.rand(len(own), *shape, device=own.device)
        return self.part(torch.rand(self.total, *shape, device=own.device))

    def padded(self, own: Tensor) -> Tensor:
        """Return a share's tensor (b, ...) among zeros (B, ...) in the place of the others'.

        For what draws its own random numbers by the length of a batch.
        """
        if self.is_whole:
            return own
        whole = own.new_zeros((self.total, *own.shape[1:]))
        whole[self.start : self.stop] = own
        return whole


WHOLE = Share(0, 0, 0)
"""All of a batch, however many images it has."""
