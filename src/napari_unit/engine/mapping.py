"""Who carries out many small jobs of one kind: this process, or the workers of a cluster."""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeVar

Item = TypeVar("Item")
Found = TypeVar("Found")


class Mapper(Protocol):
    """Carries out jobs on batches of items, in any order."""

    def run(self, job: Callable[[Sequence[Item]], Found], items: Sequence[Item]) -> Iterator[Found]:
        """Yield what the job finds in each batch of the items, as it is found.

        Parameters
        ----------
        job
            Depends on its items alone; can be pickled.
        items
            Shared out in batches.
        """


class InProcess:
    """Carries out one item after the other, in order."""

    def run(self, job: Callable[[Sequence[Item]], Found], items: Sequence[Item]) -> Iterator[Found]:
        """Yield what the job finds in each item."""
        for item in items:
            yield job((item,))


IN_PROCESS = InProcess()
