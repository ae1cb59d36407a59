"""Batches: the data lives in tensors on the device, and batches are drawn by index. No Python
loop over rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import torch
from torch import Tensor

from cofactor.base import rng
from cofactor.base.errors import ArgumentError

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


class Batches:
    """Examples in columns, and the batches of an epoch.

    Parameters
    ----------
    columns
        Tensors [n, ...] of one length: users, items, targets, ...
    batch_size
        Examples of a batch; 0 takes all of them (full-batch descent). The last batch of an epoch
        may be smaller.
    seed
        Each epoch's order follows from this seed and the epoch's number alone, so that an
        interrupted run finds its place again without having kept the order.
    shuffle
        Whether to draw a new order each epoch.
    """

    def __init__(
        self, columns: tuple[Tensor, ...], batch_size: int, *, seed: int = 0, shuffle: bool = True
    ) -> None:
        lengths = {len(column) for column in columns}
        if len(lengths) != 1:
            raise ArgumentError(
                f"the columns of a batch must be of one length, not {sorted(lengths)}."
            )
        self.columns, self.n_examples = columns, lengths.pop()
        if self.n_examples == 0:
            raise ArgumentError("there are no examples to train on.")
        self.batch_size = min(batch_size, self.n_examples) or self.n_examples
        self.seed, self.shuffle = seed, shuffle

    def __len__(self) -> int:
        return -(-self.n_examples // self.batch_size)

    def epoch(self, number: int, start: int = 0) -> Iterator[Batch]:
        """Yield the batches of one epoch from the ``start``-th on, each a tuple of columns [<=
        batch_size, ...].
        """
        bounds = range(start * self.batch_size, self.n_examples, self.batch_size)
        if not self.shuffle or len(self) == 1:
            for low in bounds:
                yield tuple(column[low : low + self.batch_size] for column in self.columns)
            return
        order = self._order(number)
        for low in bounds:
            chosen = order[low : low + self.batch_size]
            yield tuple(column.index_select(0, chosen) for column in self.columns)

    def examples(self, batch: Batch) -> int:
        """Return how many examples a batch has."""
        return len(batch[0])

    def _order(self, number: int) -> Tensor:
        device = self.columns[0].device
        generator = torch.Generator(device).manual_seed(
            rng.state64(self.seed, "epoch order", number)
        )
        # 32-bit positions halve what has to be read; index_select takes them.
        dtype = torch.int32 if self.n_examples < 2**31 else torch.int64
        return torch.randperm(self.n_examples, generator=generator, device=device, dtype=dtype)
