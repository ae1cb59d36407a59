"""Batches of windows with a budget of places, for models that read histories in PyTorch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cofactor.base import rng
from cofactor.base.run import Run
from cofactor.data.histories import Histories
from cofactor.data.sequences import PADDING, Windows, padded_right, plan_batches

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class Augmentation(NamedTuple):
    """How windows are changed at random each time that they are read.

    Parameters
    ----------
    event_dropout
        Probability, in [0, 1), of an event to be left out: its neighbours then follow each other.
    reversal
        Probability, in [0, 1], of a window to be read from its end.
    """

    event_dropout: float = 0.0
    reversal: float = 0.0


def augmented(
    rows: np.ndarray, changed: Augmentation, generator: np.random.Generator
) -> np.ndarray:
    """Return windows with events left out and some reversed, int32 [B, at most T].

    Parameters
    ----------
    rows
        int32 [B, T], padded on the right with `PADDING`; each window has two events at least, and
        keeps its last two where fewer would be left.
    """
    lengths = (rows != PADDING).sum(1)
    places = np.arange(rows.shape[1])
    inside = places < lengths[:, None]
    order = np.where(inside, places, rows.shape[1] + places)
    if changed.reversal:
        turned = generator.random(len(rows)) < changed.reversal
        order[turned] = np.where(inside, -places, order)[turned]
    if changed.event_dropout:
        kept = inside & (generator.random(rows.shape) >= changed.event_dropout)
        few = kept.sum(1) < 2
        kept[few] = (inside & (places >= lengths[:, None] - 2))[few]
        order[~kept] = 2 * rows.shape[1]
        rows, lengths = np.where(kept, rows, PADDING), kept.sum(1)
    return np.take_along_axis(rows, order.argsort(1, kind="stable"), 1)[:, : lengths.max()]


def rounded_up(n: int) -> int:
    """Return n or up to an eighth more: one of eight sizes between a power of 2 and the next.

    oneDNN compiles a product for each of its shapes and keeps it: 10 to 20 MiB for each shape of a
    batch in bfloat16.
    """
    step = 1 << max(0, n.bit_length() - 4)
    return -(-n // step) * step


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
    changed
        How windows are changed each time that they are read.
    """

    def __init__(
        self,
        histories: Histories,
        windows: Windows,
        tokens: int,
        run: Run,
        name: str,
        device: torch.device,
        changed: Augmentation = Augmentation(),  # noqa: B008 (immutable)
    ) -> None:
        self.histories, self.windows, self.device = histories, windows, device
        self.tokens = max(tokens, int(windows.lengths.max()))
        self.seed, self.name, self.changed = run.seed, name, changed
        # Epochs differ by a batch or two: a bound on their number.
        self.most = len(self._plan(0)) + 1 + len(self._plan(0)) // 50

    def __len__(self) -> int:
        return self.most

    def epoch(self, number: int, start: int = 0) -> Iterator[tuple[Tensor, ...]]:
        """Yield the batches of an epoch, each one tensor int64 [B, T], -1 beyond the end."""
        import torch

        for step, batch in enumerate(self._plan(number)[start : self.most], start):
            rows = padded_right(self.histories, self.windows, batch)
            if any(self.changed):
                draws = rng.generator(self.seed, self.name, "augmentation", number, step)
                rows = augmented(rows, self.changed, draws)
            yield (torch.from_numpy(rows.astype(np.int64)).to(self.device),)

    def examples(self, batch: tuple[Tensor, ...]) -> int:
        """Return how many events of the windows have one before them."""
        return int((batch[0][:, 1:] >= 0).sum())

    def _plan(self, number: int) -> list[np.ndarray]:
        generator = rng.generator(self.seed, self.name, "batches", number)
        return plan_batches(self.windows.lengths, self.tokens, generator)
