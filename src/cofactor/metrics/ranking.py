"""Ranking metrics: from the ranks of the true items to one number per user."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from cofactor.base.offsets import owners_of


class Sums(NamedTuple):
    """The kernel's sums within a cutoff, float64 [n_users] each."""

    hits: np.ndarray
    ndcg: np.ndarray
    average_precision: np.ndarray
    reciprocal_rank: np.ndarray


@dataclass(frozen=True)
class Ranks:
    """Where the true items of some users are ranked.

    Parameters
    ----------
    indptr
        int64 [n_users + 1]: the true items of user u are the positions ``indptr[u]:indptr[u + 1]``.
    ranks
        int32 [n_truth], from 0; -1 for an item that isn't in the list or the ranking.
    auc_shares
        For ``"auc"`` and ``"auc_sampled@n"`` the share of negatives below each true item, float64
        [n_truth].
    """

    indptr: np.ndarray
    ranks: np.ndarray
    auc_shares: Mapping[str, np.ndarray] = field(default_factory=dict)
    _sums: dict[int, Sums] = field(default_factory=dict, repr=False, compare=False)

    @property
    def sizes(self) -> np.ndarray:
        """The number of true items of each user, int64 [n_users]."""
        return np.diff(self.indptr)

    def prepare(self, cutoffs: tuple[int, ...]) -> None:
        """Compute the sums of several cutoffs in one pass over the ranks."""
        from cofactor.kernels.cpu.ranking import rank_metrics

        wanted = sorted(set(cutoffs) - set(self._sums))
        if wanted:
            columns = rank_metrics(self.indptr, self.ranks, np.array(wanted, np.int64))
            for c, k in enumerate(wanted):
                self._sums[k] = Sums(*(np.ascontiguousarray(column[:, c]) for column in columns))

    def within(self, k: int) -> Sums:
        """Return the sums within the first k places."""
        self.prepare((k,))
        return self._sums[k]


def discount(rank: np.ndarray) -> np.ndarray:
    """Return the gain of a true item at a rank (from 0) in nDCG, ``1 / log2(rank + 2)``."""
    return 1 / np.log2(rank + 2)


def reciprocal(rank: np.ndarray) -> np.ndarray:
    """Return one over the place of a rank from 0."""
    return 1 / (rank + 1)


def ndcg(ranks: Ranks, k: int) -> np.ndarray:
    """Normalised discounted cumulative gain, binary relevance (Järvelin and Kekäläinen 2002)."""
    return ranks.within(k).ndcg


def recall(ranks: Ranks, k: int) -> np.ndarray:
    """The share of the true items that are within the first k places."""
    return ranks.within(k).hits / ranks.sizes


def precision(ranks: Ranks, k: int) -> np.ndarray:
    """The share of the first k places that hold true items."""
    return ranks.within(k).hits / k


def average_precision(ranks: Ranks, k: int) -> np.ndarray:
    """The mean of the precisions at the true items' places, over min(k, n)."""
    return ranks.within(k).average_precision


def reciprocal_rank(ranks: Ranks, k: int) -> np.ndarray:
    """One over the place of the first true item; 0 if there is none within k."""
    return ranks.within(k).reciprocal_rank


def hit(ranks: Ranks, k: int) -> np.ndarray:
    """1 if any true item is within the first k places, else 0; NaN without true items."""
    hits = ranks.within(k).hits
    return np.where(np.isnan(hits), np.nan, hits > 0)


def mean_by_user(indptr: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return the mean over each user's positions, float64 [n_users]; NaN if one is, or none is."""
    return _divide(sum_by_user(indptr, values), np.diff(indptr))


def sum_by_user(indptr: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return the sum over each user's positions, float64 [n_users]."""
    n_users = len(indptr) - 1
    owners = owners_of(np.diff(indptr))
    return np.bincount(owners, weights=values, minlength=n_users)


def _divide(sums: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    return np.divide(sums, sizes, out=np.full(len(sizes), np.nan), where=sizes > 0)
