"""Processes that train one model together, each on its share of every batch.

Plain ``torch.distributed``, and neither ``DistributedDataParallel`` nor Lightning Fabric, which
wraps modules in it: both want one forward pass through the wrapped module for each backward pass,
and average gradients as soon as they are there. A step of UNIT calls encoders and decoders
several times in an order of its own, sends gradients through discriminators that are not to learn
from them, and updates two halves in turn. Here gradients are summed once after each backward pass.

One process leads: it decides, reports and writes. The others follow its orders. All start from the
same seed and apply the same sums to the same weights, so that their networks stay equal.
"""

import enum
import io
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor, nn

from napari_unit_training.errors import TrainingError
from napari_unit_training.share import Share

LEADER = 0
_COMPLAINT_BYTES = 2048


class Kind(enum.IntEnum):
    """What the leader can order."""

    STEP = 1
    STATE = 2
    IDLE = 3
    END = 4


class Order(NamedTuple):
    """What all processes do next; `images_seen`, `images_total`, `returns` are the session's."""

    kind: Kind
    images_seen: int = 0
    images_total: int = 0
    returns: int = 0


class Team:
    """The processes that train together, as one of them sees it; by default it is alone.

    Collective methods raise a `TrainingError` where another process has ended.

    Parameters
    ----------
    rank
        Of this process; 0 leads.
    n_processes
        How many there are; above 1 torch's default process group is theirs.
    n_sharing
        How many of them share this process's device and its memory.
    """

    def __init__(self, rank: int = LEADER, n_processes: int = 1, n_sharing: int = 1) -> None:
        self.rank = rank
        self.n_processes = n_processes
        self.n_sharing = n_sharing

    @property
    def is_alone(self) -> bool:
        """Whether there is one process only."""
        return self.n_processes == 1

    @property
    def leads(self) -> bool:
        """Whether this process decides, reports and writes."""
        return self.rank == LEADER

    def share(self, batch_size: int) -> Share:
        """Return this process's share of a batch."""
        return Share.of(batch_size, self.rank, self.n_processes)

    def give(self, order: Order) -> None:
        """Tell the others what comes next, as the leader; else nothing, see `next_order`."""
        if self.leads and not self.is_alone:
            with _in_touch():
                dist.broadcast(torch.tensor(order, dtype=torch.int64), LEADER)

    def next_order(self) -> Order:
        """Wait for the leader."""
        numbers = torch.zeros(len(Order._fields), dtype=torch.int64)
        with _in_touch():
            dist.broadcast(numbers, LEADER)
        kind, *rest = numbers.tolist()
        return Order(Kind(kind), *rest)

    def send(self, values: Mapping[str, Any]) -> None:
        """Send plain JSON values to the others, as the leader; see `receive`."""
        if not self.is_alone:
            self._send_bytes(json.dumps(values).encode())

    def receive(self) -> dict[str, Any]:
        """Wait for what the leader sends."""
        values: dict[str, Any] = json.loads(self._receive_bytes())
        return values

    def send_state(self, state: Mapping[str, Any]) -> None:
        """Order the others to go on from a session's state, and send it, as the leader."""
        if self.is_alone or not self.leads:
            return
        self.give(Order(Kind.STATE))
        file = io.BytesIO()
        torch.save(dict(state), file)
        self._send_bytes(file.getvalue())

    def receive_state(self, device: torch.device) -> dict[str, Any]:
        """Return the state that the leader sends after its order; nothing in it is executed."""
        file = io.BytesIO(self._receive_bytes())
        state: dict[str, Any] = torch.load(file, map_location=device, weights_only=True)
        return state

    def _send_bytes(self, content: bytes) -> None:
        with _in_touch():
            dist.broadcast(torch.tensor([len(content)], dtype=torch.int64), LEADER)
            dist.broadcast(torch.frombuffer(bytearray(content), dtype=torch.uint8), LEADER)

    def _receive_bytes(self) -> bytes:
        size = torch.zeros(1, dtype=torch.int64)
        with _in_touch():
            dist.broadcast(size, LEADER)
            content = torch.empty(int(size), dtype=torch.uint8)
            dist.broadcast(content, LEADER)
        return content.numpy().tobytes()

    def agree(self, complaint: str = "") -> None:
        """Wait for all, and raise what the first of them complains of.

        Raises
        ------
        TrainingError
            With the complaint.
        """
        if self.is_alone:
            said = [complaint]
        else:
            own = torch.zeros(_COMPLAINT_BYTES, dtype=torch.uint8)
            content = complaint.encode()[:_COMPLAINT_BYTES]
            own[: len(content)] = torch.tensor(list(content), dtype=torch.uint8)
            every = [torch.empty_like(own) for _ in range(self.n_processes)]
            with _in_touch():
                dist.all_gather(every, own)
            said = [bytes(e.tolist()).rstrip(b"\0").decode(errors="ignore") for e in every]
        for text in said:
            if text:
                raise TrainingError(text)

    def sum_gradients(self, networks: nn.Module) -> None:
        """Replace the gradients of all weights by their sums over the processes."""
        if self.is_alone:
            return
        gradients = [p.grad for p in networks.parameters() if p.grad is not None]
        flat = torch.cat([g.reshape(-1) for g in gradients])
        with _in_touch():
            dist.all_reduce(flat)
        parts = flat.split([g.numel() for g in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view(gradient.shape))

    def mean_losses(self, losses: Mapping[str, Tensor], weight: float) -> dict[str, Tensor]:
        """Return losses over the whole batch.

        Parameters
        ----------
        losses
            Means over this process's share, scalars by name; the same names everywhere.
        weight
            See `Share.weight`.
        """
        if self.is_alone:
            return dict(losses)
        stacked = weight * torch.stack([value.float() for value in losses.values()])
        with _in_touch():
            dist.all_reduce(stacked)
        return dict(zip(losses, stacked.unbind(), strict=True))


ALONE = Team()


@contextmanager
def _in_touch() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        raise TrainingError(
            "A process that trains along has ended, or cannot be reached; what it said is above. "
            f"The same command goes on from the last checkpoint. ({str(error).splitlines()[0]})"
        ) from error
