"""Metrics of recommended lists other than accuracy: coverage, Gini, novelty, popularity.

An item metric of a list is the mean over its items; a corpus metric is one number for all lists."""

from __future__ import annotations

import numpy as np

# The most popular fifth of the items is the "head".
HEAD_SHARE = 0.2


def surprise(item_counts: np.ndarray, n_users: int) -> np.ndarray:
    """Return each item's self-information, float64 [n_items]: ``-log2 p(i)``, of which novelty is
    the mean (Zhou et al. 2010).

    ``p(i) = (count_i + 1) / (n_users + 1)``; the 1 keeps it finite for items without interactions.
    """
    return -np.log2((item_counts + 1.0) / (n_users + 1.0))


def in_head(item_counts: np.ndarray, n_users: int) -> np.ndarray:
    """Return 1 for the most popular 20 % of the items and 0 for the others, float64 [n_items]."""
    by_popularity = np.lexsort((np.arange(len(item_counts)), -item_counts))
    head = np.zeros(len(item_counts))
    head[by_popularity[: max(1, round(HEAD_SHARE * len(item_counts)))]] = 1.0
    return head


def coverage(list_counts: np.ndarray, n_candidates: int) -> float:
    """Return the share of the items that may be recommended that are in any list.

    Parameters
    ----------
    list_counts
        int64 [n_items], the number of lists that each item is in.
    n_candidates
        How many items may be recommended at all.
    """
    return np.count_nonzero(list_counts) / max(1, n_candidates)


def gini(list_counts: np.ndarray, n_candidates: int | None = None) -> float:
    """Return the Gini index of how often items were recommended; NaN if nothing was.

    ``sum_{j=1..n} (2j - n - 1) c_(j) / (n sum c)`` with ``c_(1) <= ... <= c_(n)``: 0 if all items
    are recommended equally often, near 1 if one item fills all lists.

    Parameters
    ----------
    list_counts
        int64 [n_items].
    n_candidates
        The number of items that can be recommended, if the counts include others (whose counts are
        0).
    """
    ordered = np.sort(list_counts)
    ordered = ordered if n_candidates is None else ordered[len(ordered) - n_candidates :]
    n, total = len(ordered), ordered.sum()
    if total == 0:
        return float("nan")
    return float(((2.0 * np.arange(1, n + 1) - n - 1) * ordered).sum() / (n * total))


def list_means(rows: np.ndarray, count: np.ndarray, of_item: np.ndarray) -> np.ndarray:
    """Return the mean of an item's property over each list, float64 [B]; NaN for empty lists.

    Parameters
    ----------
    rows
        int32 [B, k] item rows.
    count
        int [B]: how many of them count.
    of_item
        float64 [n_items].
    """
    listed = np.arange(rows.shape[1]) < count[:, None]
    sums = np.where(listed, of_item[np.where(listed, rows, 0)], 0.0).sum(axis=1)
    return np.divide(sums, count, out=np.full(len(count), np.nan), where=count > 0)
