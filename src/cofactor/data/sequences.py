"""Sequences: histories as padded arrays, for the models that read them step by step."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from cofactor.base import checks
from cofactor.data.histories import Histories

PADDING = -1
"""What fills the unused places of `Sequences.item_rows`: no item row, so that row 0 is an item."""


@dataclass(frozen=True)
class Sequences:
    """Histories of equal length, padded on the left: the newest event is always in the last column.

    Parameters
    ----------
    owners
        int64 [n_sequences]: which history of the batch each one is of.
    item_rows
        int32 [n_sequences, length]: oldest first; `PADDING` in the unused places.
    targets
        int32 [n_sequences, length]: the item that follows each one; `PADDING` where nothing is to
        be predicted. None where no targets were asked for.
    values
        float32 [n_sequences, length], 0 in the unused places; None when the data has none.
    times
        int64 [n_sequences, length], 0 in the unused places; None when the data has none.
    """

    owners: np.ndarray
    item_rows: np.ndarray
    targets: np.ndarray | None
    values: np.ndarray | None
    times: np.ndarray | None

    def __len__(self) -> int:
        return len(self.item_rows)

    @property
    def length(self) -> int:
        """The number of columns."""
        return int(self.item_rows.shape[1])

    @cached_property
    def mask(self) -> np.ndarray:
        """Where there is an event, bool [n_sequences, length]."""
        mask: np.ndarray = self.item_rows != PADDING
        return mask

    @cached_property
    def lengths(self) -> np.ndarray:
        """The number of events of each sequence, int64 [n_sequences]."""
        return self.mask.sum(axis=1, dtype=np.int64)


def padded(histories: Histories, max_length: int) -> Sequences:
    """Return the last events of each history, what a sequence model reads when it is asked for the
    next one.

    Parameters
    ----------
    histories
        Each user's events in order of time.
    max_length
        The number of columns, from 1; older events are left out.

    Returns
    -------
    Sequences
        One per history, in their order (one of padding alone for an empty history), without
        targets.
    """
    max_length = checks.integer(max_length, "max_length", low=1)
    ends = histories.indptr[1:]
    counts = np.minimum(histories.lengths, max_length)
    return _filled(
        histories, np.arange(len(histories), dtype=np.int64), ends, counts, max_length, shift=0
    )


def next_items(histories: Histories, max_length: int, *, windows: bool = False) -> Sequences:
    """Return training sequences: the events of each history but its last, and beside each the item
    that follows it.

    Parameters
    ----------
    histories
        Each user's events in order of time; those with fewer than two events give no sequence.
    max_length
        The number of columns, from 1.
    windows
        Whether a history of more than ``max_length + 1`` events is cut into several sequences, so
        that every one of its events but the first is a target once; otherwise only its last
        ``max_length`` targets are used.

    Returns
    -------
    Sequences
        By owner; the windows of one history oldest first.
    """
    max_length = checks.integer(max_length, "max_length", low=1)
    n_targets = np.maximum(histories.lengths - 1, 0)
    n_windows = -(-n_targets // max_length) if windows else np.minimum(n_targets, 1)
    owners = np.repeat(np.arange(len(histories), dtype=np.int64), n_windows)
    first = np.cumsum(n_windows) - n_windows
    # Counted from the end, so that the window which is short of events is the oldest.
    from_last = n_windows[owners] - 1 - (np.arange(len(owners)) - first[owners])
    ends = histories.indptr[1:][owners] - 1 - from_last * max_length
    counts = np.minimum(ends - histories.indptr[:-1][owners], max_length)
    return _filled(histories, owners, ends, counts, max_length, shift=1)


def _filled(
    histories: Histories,
    owners: np.ndarray,
    ends: np.ndarray,
    counts: np.ndarray,
    length: int,
    shift: int,
) -> Sequences:
    """The ``counts`` events before ``ends`` of each sequence, right-aligned, and those ``shift``
    later as targets.
    """
    total = int(counts.sum())
    starts = np.cumsum(counts) - counts
    step = np.arange(total, dtype=np.int64) - np.repeat(starts, counts)
    events = np.repeat(ends - counts, counts) + step
    places = (
        np.repeat(np.arange(len(counts), dtype=np.int64) * length + length - counts, counts) + step
    )

    def placed(column: np.ndarray | None, fill: int, ahead: int = 0) -> np.ndarray | None:
        """One column as [n_sequences, length]."""
        if column is None:
            return None
        flat = np.full(len(counts) * length, fill, column.dtype)
        flat[places] = column[events + ahead]
        return flat.reshape(len(counts), length)

    item_rows = placed(histories.item_rows, PADDING)
    assert item_rows is not None
    targets = placed(histories.item_rows, PADDING, shift) if shift else None
    return Sequences(
        owners, item_rows, targets, placed(histories.values, 0), placed(histories.times, 0)
    )
