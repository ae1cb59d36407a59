"""The source of batches, a protocol: neither the loop nor a model knows where they come from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from torch import Tensor

Batch = tuple[Tensor, ...]


class BatchSource(Protocol):
    """Examples in batches, the same ones in the same order for the same epoch.

    In memory (`Batches`), in files, or from another process.
    """

    def __len__(self) -> int:
        """Return the number of batches of an epoch."""

    def epoch(self, number: int, start: int = 0) -> Iterator[Batch]:
        """Yield the batches of one epoch from the ``start``-th on, each a tuple of tensors [B, ...]
        on the device of the module.

        The order depends on the epoch's number alone, so that an interrupted run can continue.
        """

    def examples(self, batch: Batch) -> int:
        """Return how many examples the loss of a batch is the mean of."""
