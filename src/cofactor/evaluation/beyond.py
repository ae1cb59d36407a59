"""What lists are like apart from being right: coverage, novelty, concentration, popularity."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from cofactor.evaluation.ranking import Metric

# The most popular fifth of the items is the "head".
HEAD_SHARE = 0.2


class Lists:
    """Adds up the recommended lists of all users, block by block.

    Parameters
    ----------
    metrics
        Metrics of the family "beyond".
    item_counts
        int64 [n_items], each item's training interactions.
    n_users
        The number of users the counts come from.
    candidates
        How many items may be recommended at all.

    Notes
    -----
    With R_u the first k places of user u's list, c_i the number of lists that item i is in, and n
    the items that may be recommended::

        coverage@k   = |{i: c_i > 0}| / n
        novelty@k    = mean over i in R_u of -log2 p(i),  p(i) = (count_i + 1) / (n_users + 1)
        gini@k       = sum_{j=1..n} (2j - n - 1) c_(j) / (n sum c),  c_(1) <= ... <= c_(n)
        popularity@k = the share of places in R_u that go to the head, the most popular 20 % of the
        items

    Novelty is the mean self-information (Zhou et al. 2010), with 1 added so that an item nobody
    took has a finite one. Gini is 0 when all items are recommended equally often and goes to 1 when
    one takes all."""

    def __init__(
        self, metrics: Iterable[Metric], item_counts: np.ndarray, n_users: int, candidates: int
    ) -> None:
        self.metrics = tuple(metrics)
        self.n_candidates = candidates
        self.surprise = -np.log2((item_counts + 1.0) / (n_users + 1.0))
        by_popularity = np.lexsort((np.arange(len(item_counts)), -item_counts))
        self.head = np.zeros(len(item_counts), bool)
        self.head[by_popularity[: max(1, round(HEAD_SHARE * len(item_counts)))]] = True
        self.taken = {m.places: np.zeros(len(item_counts), np.int64) for m in self.metrics}
        self.values: dict[str, list[np.ndarray]] = {
            str(m): [] for m in self.metrics if not _corpus(m)
        }

    @property
    def longest(self) -> int:
        """The longest list that is needed; 0 when none is."""
        return max((m.places for m in self.metrics), default=0)

    def add(self, rows: np.ndarray, count: np.ndarray) -> None:
        """Take in the lists of some users: int32 [B, k] item rows, and int32 [B] how many there
        are.
        """
        for k, taken in self.taken.items():
            listed = np.arange(rows.shape[1]) < np.minimum(count, k)[:, None]
            taken += np.bincount(rows[listed], minlength=len(taken))
        for metric in self.metrics:
            if not _corpus(metric):
                of_item = (
                    self.surprise if metric.kind == "novelty" else self.head.astype(np.float64)
                )
                self.values[str(metric)].append(
                    _list_means(rows, np.minimum(count, metric.places), of_item)
                )

    def per_user(self) -> dict[str, np.ndarray]:
        """Return novelty and popularity of each user, float64 [n_users]; NaN for an empty list."""
        return {
            name: np.concatenate(parts) if parts else np.zeros(0)
            for name, parts in self.values.items()
        }

    def overall(self) -> dict[str, float]:
        """Return coverage and Gini, which only all lists together have."""
        found: dict[str, float] = {}
        for metric in self.metrics:
            if metric.kind == "coverage":
                found[str(metric)] = np.count_nonzero(self.taken[metric.places]) / max(
                    1, self.n_candidates
                )
            elif metric.kind == "gini":
                found[str(metric)] = gini(self.taken[metric.places], self.n_candidates)
        return found


def gini(counts: np.ndarray, n: int | None = None) -> float:
    """Return the Gini index of how often items were recommended; NaN if nothing was.

    Parameters
    ----------
    counts
        int64 [n_items].
    n
        Over how many items, when ``counts`` holds some that can't be recommended (they have 0).
    """
    ordered = np.sort(counts)
    ordered = ordered if n is None else ordered[len(ordered) - n :]
    n = len(ordered)
    total = ordered.sum()
    if total == 0:
        return float("nan")
    return float(((2.0 * np.arange(1, n + 1) - n - 1) * ordered).sum() / (n * total))


def _corpus(metric: Metric) -> bool:
    return metric.kind in ("coverage", "gini")


def _list_means(rows: np.ndarray, count: np.ndarray, of_item: np.ndarray) -> np.ndarray:
    """The mean of an item's property over the first ``count`` places, float64 [B]; NaN for empty
    lists.
    """
    listed = np.arange(rows.shape[1]) < count[:, None]
    sums = np.where(listed, of_item[np.where(listed, rows, 0)], 0.0).sum(axis=1)
    return np.divide(sums, count, out=np.full(len(count), np.nan), where=count > 0)
