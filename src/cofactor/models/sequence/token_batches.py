"""Batches of windows with a budget of places, for models that read histories in PyTorch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from cofactor.base import rng
from cofactor.base.run import Run
from cofactor.data.histories import Histories
from cofactor.data.sequences import Windows, padded_right, plan_batches

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class TokenBatches:
    """Windows in batches of a budget of places, grouped by length again in each epoch.

    Parameters
    ----------
    histories, windows
        The events, and the stretches of them that are read at once.
    tokens
        Places of a batch at most.
    run, name
        What the order of each epoch follows from.
    device
        Where batches are put.
    """

    def __init__(
        self,
        histories: Histories,
        windows: Windows,
        tokens: int,
        run: Run,
        name: str,
        device: torch.device,
    ) -> None:
        self.histories, self.windows, self.device = histories, windows, device
        self.tokens = max(tokens, int(windows.lengths.max()))
        self.seed, self.name = run.seed, name
        # Epochs differ by a batch or two: a bound on their number.
        self.most = len(self._plan(0)) + 1 + len(self._plan(0)) // 50

    def __len__(self) -> int:
        return self.most

    def epoch(self, number: int, start: int = 0) -> Iterator[tuple[Tensor, ...]]:
        """Yield the batches of an epoch, each one tensor int64 [B, T], -1 beyond the end."""
        import torch

        for batch in self._plan(number)[start : self.most]:
            rows = padded_right(self.histories, self.windows, batch)
            yield (torch.from_numpy(rows.astype(np.int64)).to(self.device),)

    def examples(self, batch: tuple[Tensor, ...]) -> int:
        """Return how many events of the windows have one before them."""
        return int((batch[0][:, 1:] >= 0).sum())

    def _plan(self, number: int) -> list[np.ndarray]:
        generator = rng.generator(self.seed, self.name, "batches", number)
        return plan_batches(self.windows.lengths, self.tokens, generator)
