"""What models share that read histories in PyTorch: windows to learn from, padding, and reading
many histories of like length together.

Events stand in arrays of all histories, one after the other (`Histories`); a window is where it
begins there and how long it is. Padding is on the right, and what it holds is never to be read:
`padded` says which places are inside."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from cofactor.base.offsets import ranges
from cofactor.data.histories import Histories


class EncodedWindows(NamedTuple):
    """Stretches of histories that are read at once.

    Parameters
    ----------
    begin
        int64 [n]: the position of the first event.
    size
        int64 [n]: the number of events, at least 1.
    """

    begin: np.ndarray
    size: np.ndarray


def training_windows(indptr: np.ndarray, max_length: int) -> EncodedWindows:
    """Cut histories into windows, each event in one of them.

    Parameters
    ----------
    indptr
        int64 [n_users + 1]: the bounds of the histories.
    max_length
        The longest window; 0 takes each history whole.
    """
    lengths = np.diff(indptr)
    longest = max_length or int(lengths.max())
    pieces = -(-lengths // longest)
    _, nth = ranges(0, pieces)
    begin = np.repeat(indptr[:-1], pieces) + nth * longest
    return EncodedWindows(begin, np.minimum(np.repeat(lengths, pieces) - nth * longest, longest))


class Padded(NamedTuple):
    """Windows side by side.

    Parameters
    ----------
    place
        int64 [B, T]: the position of each event; beyond a window's end that of its first event.
    inside
        bool [B, T]: False beyond the end.
    """

    place: Tensor
    inside: Tensor


def padded(begin: Tensor, size: Tensor) -> Padded:
    """Put windows, int64 [B] begins and sizes, side by side, padded on the right to the longest."""
    nth = torch.arange(int(size.max()), device=begin.device)
    inside = nth[None, :] < size[:, None]
    return Padded(torch.where(inside, begin[:, None] + nth[None, :], begin[:, None]), inside)


def last_windows(
    histories: Histories, max_length: int, per_batch: int
) -> Iterator[tuple[np.ndarray, EncodedWindows]]:
    """Yield the users that have events, those of like length together (then little is padded), and
    the window at the end of each history.

    Parameters
    ----------
    histories
        Those to be read.
    max_length
        The longest window; 0 takes each history whole.
    per_batch
        At most so many users at a time.
    """
    lengths = histories.lengths
    order = np.argsort(lengths, kind="stable")
    order = order[np.count_nonzero(lengths == 0) :]
    for low in range(0, len(order), per_batch):
        users = order[low : low + per_batch]
        size = np.minimum(lengths[users], max_length or lengths.max())
        yield users, EncodedWindows(histories.indptr[users + 1] - size, size)
