"""Metrics of recommended lists other than accuracy, summed block by block."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from cofactor.metrics.lists import list_means
from cofactor.metrics.table import Metric, OfCorpus


class Lists:
    """Adds up the recommended lists of all users, block by block.

    Parameters
    ----------
    metrics
        Metrics of the family "lists".
    item_counts
        int64 [n_items], each item's training interactions.
    n_users
        The number of users the counts come from.
    candidates
        How many items may be recommended at all.
    """

    def __init__(
        self, metrics: Iterable[Metric], item_counts: np.ndarray, n_users: int, candidates: int
    ) -> None:
        metrics = tuple(metrics)
        self.n_candidates = candidates
        self.longest = max((m.places for m in metrics), default=0)
        self.of_corpus = [m for m in metrics if isinstance(m.definition, OfCorpus)]
        self.of_item = {
            m: m.definition.function(item_counts, n_users)
            for m in metrics
            if m not in self.of_corpus
        }
        self.list_counts = {m.places: np.zeros(len(item_counts), np.int64) for m in self.of_corpus}
        self.values: dict[Metric, list[np.ndarray]] = {m: [] for m in self.of_item}

    def add(self, rows: np.ndarray, count: np.ndarray) -> None:
        """Add the lists of some users: int32 [B, k] item rows, and int32 [B] the lists' lengths."""
        for k, counts in self.list_counts.items():
            listed = np.arange(rows.shape[1]) < np.minimum(count, k)[:, None]
            counts += np.bincount(rows[listed], minlength=len(counts))
        for metric, of_item in self.of_item.items():
            self.values[metric].append(list_means(rows, np.minimum(count, metric.places), of_item))

    def merge(self, other: Lists) -> None:
        """Add the sums over the users that follow, from another instance."""
        for k, counts in other.list_counts.items():
            self.list_counts[k] += counts
        for mine, parts in zip(self.values.values(), other.values.values(), strict=True):
            mine.extend(parts)

    def per_user(self) -> dict[str, np.ndarray]:
        """Return each user's metrics of lists, float64 [n_users]; NaN for an empty list."""
        return {
            str(metric): np.concatenate(parts) if parts else np.zeros(0)
            for metric, parts in self.values.items()
        }

    def overall(self) -> dict[str, float]:
        """Return the metrics that are defined for all lists together."""
        return {
            str(m): m.definition.function(self.list_counts[m.places], self.n_candidates)
            for m in self.of_corpus
        }
