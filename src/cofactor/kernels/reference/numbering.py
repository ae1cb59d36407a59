"""Numbering ids by a table over their range: the definition."""

from __future__ import annotations

import numpy as np


def number(ids: np.ndarray, low: int, table: np.ndarray) -> None:
    """Replace ids by the ranks of the distinct ones in ascending order, in place.

    Parameters
    ----------
    ids
        int32 [n], each from ``low`` to ``low + len(table) - 1``; afterwards from 0 to the number of
        distinct ids less one.
    low
        The least id.
    table
        int32 [span], zeros; afterwards the rank plus one of ``low + place`` at each place, 0 where
        there is no such id.
    """
    distinct, ranks = np.unique(ids, return_inverse=True)
    table[distinct.astype(np.int64) - low] = np.arange(1, len(distinct) + 1)
    ids[:] = ranks


def occurring(rows: np.ndarray, occurs: np.ndarray) -> None:
    """Mark the rows that occur.

    Parameters
    ----------
    rows
        int32 [n], from 0 to ``len(occurs) - 1``.
    occurs
        bool [n_rows]; set to True for each of them, else left as it was.
    """
    occurs[rows] = True
