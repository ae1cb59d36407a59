"""Windows, padding and reading of histories in models of sequences."""

from __future__ import annotations

import numpy as np
import torch

from cofactor.data.histories import Histories
from cofactor.models.sequence.encoder import last_windows, padded, training_windows

HISTORIES = Histories.of([[0, 1, 2, 3, 4], [], [5], [6, 7, 8], [9, 8]], 10)


def _items(begin: np.ndarray, size: np.ndarray) -> list[list[int]]:
    return [HISTORIES.item_rows[b : b + n].tolist() for b, n in zip(begin, size, strict=True)]


def test_training_windows_hold_each_event_once_and_are_never_too_long() -> None:
    assert _items(*training_windows(HISTORIES.indptr, 2)) == [
        *([0, 1], [2, 3], [4], [5], [6, 7], [8], [9, 8])
    ]
    assert _items(*training_windows(HISTORIES.indptr, 0)) == [
        *([0, 1, 2, 3, 4], [5], [6, 7, 8], [9, 8])
    ]


def test_padding_is_on_the_right_and_stays_within_the_window() -> None:
    begin, size = training_windows(HISTORIES.indptr, 3)
    place, inside = padded(torch.from_numpy(begin), torch.from_numpy(size))
    assert inside.sum(1).tolist() == size.tolist()
    for row, mask, first, n in zip(place, inside, begin, size, strict=True):
        assert mask.tolist() == [True] * n + [False] * (len(mask) - n)
        assert row[mask].tolist() == list(range(first, first + n))
        assert set(row[~mask].tolist()) <= {first}


def test_last_windows_are_the_ends_of_histories_of_like_length_together() -> None:
    read = list(last_windows(HISTORIES, 3, per_batch=2))
    users = np.concatenate([users for users, _ in read])
    assert users.tolist() == [2, 4, 3, 0]
    assert [_items(*window) for _, window in read] == [[[5], [9, 8]], [[6, 7, 8], [2, 3, 4]]]
    assert [window.size.tolist() for _, window in last_windows(HISTORIES, 0, 9)] == [[1, 2, 3, 5]]
