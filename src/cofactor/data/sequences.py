"""Packed sequences: histories cut into windows, and windows grouped into batches of a token budget.

Nothing is padded here. A window is a span of `Histories.item_rows`, so histories stay packed from
disk to kernel, and only a batch that is being computed may be laid out with padding."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cofactor.base import checks
from cofactor.base.errors import ArgumentError
from cofactor.base.offsets import owners_of
from cofactor.data.histories import Histories

PADDING = -1
"""What fills the unused places of `padded_right`: no item row, so that row 0 is an item."""


class Windows(NamedTuple):
    """Spans of packed histories.

    Parameters
    ----------
    owners
        int64 [n]: the history that each window is of.
    starts, lengths
        int64 [n]: the first event's position in `Histories.item_rows`, and how many events there
        are.
    """

    owners: np.ndarray
    starts: np.ndarray
    lengths: np.ndarray


def cut_windows(histories: Histories, max_length: int, *, last: int = 0) -> Windows:
    """Cut histories into windows, counted from the end, so that the oldest one is the short one.

    Windows of one history share an event, so that every event but the first is a target once.

    Parameters
    ----------
    histories
        Each user's events, oldest first.
    max_length
        The most events of a window, from 2. A window of L events has L - 1 inputs, each with the
        next event as its target.
    last
        Keep only so many windows of each history, the latest; 0 keeps all.

    Returns
    -------
    Windows
        By owner, each owner's oldest first.
    """
    max_length = checks.integer(max_length, "max_length", low=2)
    step = max_length - 1
    lengths = histories.lengths
    counts = np.maximum(1, -(-(lengths - 1) // step))
    if last:
        counts = np.minimum(counts, checks.integer(last, "last", low=1))
    owners = owners_of(counts)
    first = np.cumsum(counts) - counts
    from_last = counts[owners] - 1 - (np.arange(len(owners)) - first[owners])
    ends = histories.indptr[1:][owners] - from_last * step
    starts = np.maximum(ends - max_length, histories.indptr[:-1][owners])
    keep = ends - starts >= 2  # one event has no target
    return Windows(owners[keep], starts[keep], (ends - starts)[keep])


def plan_batches(
    lengths: np.ndarray, tokens: int, generator: np.random.Generator, *, super_batch: int = 32
) -> list[np.ndarray]:
    """Group windows into batches of at most ``tokens`` places, the padding counted.

    Windows are shuffled, taken in super-batches of about ``super_batch`` batches, sorted by length
    within each, and cut where one more window would pass the budget; the batches are shuffled in
    the end. So a batch holds windows of nearly one length, and yet each epoch mixes them again.

    Parameters
    ----------
    lengths
        int64 [n], of the windows; none above ``tokens``.
    tokens
        The places of a batch: its number of windows times its longest one.
    generator
        Of the shuffles.
    super_batch
        How many batches are sorted together, from 1: more pads less and mixes less.

    Returns
    -------
    list
        int64 arrays of window numbers; each window stands in one batch.

    Raises
    ------
    ArgumentError
        If a window is longer than the budget.
    """
    tokens = checks.integer(tokens, "tokens", low=1)
    super_batch = checks.integer(super_batch, "super_batch", low=1)
    lengths = np.asarray(lengths, np.int64)
    if not len(lengths):
        return []
    if lengths.max() > tokens:
        raise ArgumentError(
            f"a window has {lengths.max():,} events and a batch {tokens:,} places; ask for at least"
            " as many tokens as the longest window has."
        )
    shuffled = generator.permutation(len(lengths))
    group = np.cumsum(lengths[shuffled]) // (tokens * super_batch)
    # Sorted by length within each super-batch; equal lengths stay shuffled.
    ordered = shuffled[np.lexsort((lengths[shuffled], group))]
    batches, start = [], 0
    ends = np.flatnonzero(np.append(np.diff(group), 1)) + 1
    for end in ends:
        while start < end:
            # Lengths ascend, so the last window of a batch is its longest.
            sizes = lengths[ordered[start:end]] * np.arange(1, end - start + 1)
            cut = start + max(1, int(np.searchsorted(sizes, tokens, "right")))
            batches.append(ordered[start:cut])
            start = cut
    return [batches[n] for n in generator.permutation(len(batches))]


def padded_right(histories: Histories, windows: Windows, batch: np.ndarray) -> np.ndarray:
    """Return the items of some windows with `PADDING` after them, int32 [len(batch), longest].

    Causal models need no mask for it: no event comes after the padding.
    """
    starts, lengths = windows.starts[batch], windows.lengths[batch]
    longest = int(lengths.max()) if len(batch) else 0
    places = np.arange(longest)
    inside = places < lengths[:, None]
    rows = np.full((len(batch), longest), PADDING, np.int32)
    rows[inside] = histories.item_rows[(starts[:, None] + places)[inside]]
    return rows
