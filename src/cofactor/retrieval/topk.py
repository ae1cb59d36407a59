"""The k best items of each row: exact, blocked, with exclusions and a tie-breaking rule.

Of the items that may be recommended, those with the highest scores are returned in descending
order, equal scores by the lower row. Items that are excluded or not allowed, and scores that are
NaN or -inf, are never returned. If fewer than k items are left, fewer are returned (``count``),
without padding."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import numpy as np

from cofactor.base import checks
from cofactor.base.offsets import pick_rows
from cofactor.base.threads import kernel_threads, native_threads

# Exclusions as CSR: indptr int64 [B + 1] and item rows int32, ascending within a row.
Exclusions = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class TopK:
    """The best rows of each of B queries.

    Parameters
    ----------
    rows
        int32 [B, k]; positions from ``count`` on are -1.
    scores
        float32 [B, k], descending; positions from ``count`` on are NaN.
    count
        int32 [B]: how many there are, at most k.
    """

    rows: np.ndarray
    scores: np.ndarray
    count: np.ndarray

    def __len__(self) -> int:
        return len(self.count)

    def of(self, query: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows and scores of one query, without padding."""
        count = self.count[query]
        return self.rows[query, :count], self.scores[query, :count]

    def flat(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Return the lists as four vectors: query (int64), rank from 1 (int32), row (int32), score
        (float32).
        """
        found = np.arange(self.rows.shape[1]) < self.count[:, None]
        question, place = np.nonzero(found)
        return question, (place + 1).astype(np.int32), self.rows[found], self.scores[found]


def best_scores(
    scores: np.ndarray,
    k: int,
    *,
    excluded: Exclusions | None = None,
    allowed: np.ndarray | None = None,
    n_threads: int = 1,
) -> TopK:
    """Return the k best items of each row of a score matrix.

    Parameters
    ----------
    scores
        float32 [B, n_items].
    k
        Number of items, at least 1; if it exceeds the number of items, all are returned.
    excluded
        CSR of items that must not be returned, by row.
    allowed
        bool [n_items]: which items may be returned at all.
    n_threads
        Native threads.
    """
    from cofactor.kernels.cpu.topk import topk_scores

    n_rows, n_items = scores.shape
    k = _at_most(k, n_items)
    indptr, indices = exclusions(excluded, n_rows)
    return TopK(
        *topk_scores(
            np.ascontiguousarray(scores, np.float32),
            k,
            indptr,
            indices,
            allowed_mask(allowed, n_items),
            n_threads,
        )
    )


def best_dots(
    user_vectors: np.ndarray,
    item_vectors: np.ndarray,
    k: int,
    *,
    item_offsets: np.ndarray | None = None,
    excluded: Exclusions | None = None,
    allowed: np.ndarray | None = None,
    n_threads: int = 1,
) -> TopK:
    """Return the k items with the largest ``user_vectors @ item_vectors.T + item_offsets``, without
    holding all scores in memory.

    Parameters
    ----------
    user_vectors
        float32 [B, factors].
    item_vectors
        float32 [n_items, factors].
    item_offsets
        float32 [n_items]; None means zero.
    k, excluded, allowed, n_threads
        As for `best_scores`.
    """
    from cofactor.kernels.cpu.topk import is_pruned, topk_dot

    n_rows, n_items = len(user_vectors), len(item_vectors)
    k = _at_most(k, n_items)
    indptr, indices = exclusions(excluded, n_rows)
    offsets = _offsets(item_offsets, n_items)
    users, items = (np.ascontiguousarray(v, np.float32) for v in (user_vectors, item_vectors))
    order = _kept_order(users, items, offsets, item_offsets) if is_pruned(n_rows, n_items) else None
    # Every thread of the kernel calls BLAS for blocks of its own.
    with native_threads(n_threads, blas=1):
        return TopK(
            *topk_dot(
                users,
                items,
                offsets,
                k=k,
                excluded_indptr=indptr,
                excluded_indices=indices,
                allowed=allowed_mask(allowed, n_items),
                n_threads=n_threads,
                items=order,
            )
        )


# By where vectors and offsets lie: these, so that nothing else comes to lie there, and their order.
_orders: ContextVar[OrderedDict[Any, Any] | None] = ContextVar("item_orders", default=None)
_ORDERS = 2  # of a model's items, and of those for users without vectors


@contextmanager
def items_unchanged() -> Iterator[None]:
    """While open, nobody changes item vectors: many users' searches sort them once, not once for
    each call of `best_dots`.
    """
    if _orders.get() is not None:
        yield
        return
    token = _orders.set(OrderedDict())
    try:
        yield
    finally:
        _orders.reset(token)


def _kept_order(
    users: np.ndarray, items: np.ndarray, offsets: np.ndarray, given: np.ndarray | None
) -> Any:
    """The order of items, computed once within `items_unchanged`; else None."""
    from cofactor.kernels.cpu.topk import ordered_items

    kept = _orders.get()
    if kept is None:
        return None
    key = (items.ctypes.data, items.shape, None if given is None else offsets.ctypes.data)
    if key not in kept:
        kept[key] = (items, offsets, ordered_items(users, items, offsets))
    kept.move_to_end(key)
    if len(kept) > _ORDERS:
        kept.popitem(last=False)
    return kept[key][2]


def best_dots_or(
    user_vectors: np.ndarray,
    item_vectors: np.ndarray,
    k: int,
    *,
    without: np.ndarray,
    scores: np.ndarray,
    excluded: Exclusions | None = None,
    **how: Any,
) -> TopK:
    """Return the k best items as `best_dots` does; for some users, those with the highest given
    scores.

    Parameters
    ----------
    user_vectors, item_vectors, k, excluded, how
        As for `best_dots`.
    without
        bool [B]: users for whom ``scores`` count instead of their vectors.
    scores
        float32 [n_items]: the scores for these users.
    """
    n_users, n_items = len(user_vectors), len(item_vectors)
    indptr, indices = exclusions(excluded, n_users)
    # An inner product of zero factors, so that their scores aren't all held in memory either.
    nothing = np.zeros((n_users, 1), np.float32), np.zeros((n_items, 1), np.float32)
    k = _at_most(k, n_items)
    rows, scored = np.empty((n_users, k), np.int32), np.empty((n_users, k), np.float32)
    found = TopK(rows, scored, np.empty(n_users, np.int32))
    for mask, vectors, offsets in (
        (~without, (user_vectors, item_vectors), how.pop("item_offsets", None)),
        (without, nothing, scores),
    ):
        users = np.flatnonzero(mask)
        own, places = pick_rows(indptr, users)
        best = best_dots(
            vectors[0][users],
            vectors[1],
            k,
            item_offsets=offsets,
            excluded=(own, indices[places]),
            **how,
        )
        rows[users], scored[users], found.count[users] = best.rows, best.scores, best.count
    return found


def unit_length(vectors: np.ndarray) -> np.ndarray:
    """Return the vectors, float32 [n, f], each divided by its length; a zero vector stays zero."""
    with np.errstate(over="ignore"):
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    units = np.divide(
        vectors, lengths, out=np.zeros_like(vectors, dtype=np.float32), where=lengths > 0
    )
    # In float32 the squares of such numbers vanish, or are infinite.
    odd = np.flatnonzero((lengths < 1e-15) | (lengths > 1e15))
    if odd.size and (exact := np.asarray(vectors[odd], np.float64)).any():
        lengths = np.linalg.norm(exact, axis=1, keepdims=True)
        units[odd] = np.divide(exact, lengths, out=np.zeros_like(exact), where=lengths > 0)
    return units


def nearest(
    units: np.ndarray,
    queries: np.ndarray,
    k: int,
    *,
    allowed: np.ndarray | None = None,
    n_threads: int = 1,
) -> TopK:
    """Return the k rows with the largest cosine to each query row, without the row itself.

    Parameters
    ----------
    units
        float32 [n, f]: vectors of length 1. Zero vectors stand for unknown rows, which have no
        neighbours and are nobody's.
    queries
        Rows, int32 [B].
    k, allowed, n_threads
        As for `best_scores`.
    """
    known = np.asarray(units.any(axis=1))
    eligible = known if allowed is None else known & allowed
    itself = one_each(queries)
    best = best_dots(
        units[queries], units, k, excluded=itself, allowed=eligible, n_threads=n_threads
    )
    count = np.where(known[queries], best.count, 0).astype(np.int32)
    return TopK(best.rows, best.scores, count)


def best_others(
    scores: np.ndarray,
    queries: np.ndarray,
    k: int,
    *,
    allowed: np.ndarray | None = None,
    n_threads: int = 1,
) -> TopK:
    """Return the k rows with the highest scores above 0 for each query row, without the row itself.

    Parameters
    ----------
    scores
        float32 [B, n]; changed in place.
    queries
        Rows, int32 [B].
    k, allowed, n_threads
        As for `best_scores`.
    """
    scores[scores <= 0] = -np.inf
    own = one_each(queries)
    return best_scores(scores, k, excluded=own, allowed=allowed, n_threads=n_threads)


def one_each(rows: np.ndarray) -> Exclusions:
    """Return a CSR with one item per row."""
    return np.arange(len(rows) + 1, dtype=np.int64), np.asarray(rows, np.int32)


def exclusions(excluded: Exclusions | None, n_rows: int) -> Exclusions:
    """Return exclusions in the form that kernels take; None excludes nothing."""
    if excluded is None:
        return np.zeros(n_rows + 1, np.int64), np.zeros(0, np.int32)
    return np.ascontiguousarray(excluded[0], np.int64), np.ascontiguousarray(excluded[1], np.int32)


def _at_most(k: int, n_items: int) -> int:
    return min(checks.integer(k, "k", low=1), max(1, n_items))


def _offsets(given: np.ndarray | None, n_items: int) -> np.ndarray:
    if given is None:
        return np.zeros(n_items, np.float32)
    return np.ascontiguousarray(given, np.float32)


def allowed_mask(allowed: np.ndarray | None, n_items: int) -> np.ndarray:
    """Return the mask in the form that kernels take; None allows everything.

    Raises
    ------
    ArgumentError
        If it isn't a bool for each item.
    """
    if allowed is None:
        return np.ones(n_items, np.bool_)
    return np.ascontiguousarray(checks.mask(allowed, "allowed", n_items))


class OrderedItems:
    """Items prepared once, for services that answer one or few users at a time.

    Parameters
    ----------
    item_vectors
        float32 [n_items, factors]; kept, not copied.
    item_offsets
        float32 [n_items]; None means zero.

    Notes
    -----
    A second copy is ordered by an upper bound of the items' scores and packed into 8 bits per
    number. A search reads the copy, computes exact scores only of items that may be among the best,
    and ends when no remaining item can reach the k-th best. The result equals that of an exhaustive
    search, with at most a quarter of the memory traffic.
    """

    def __init__(self, item_vectors: np.ndarray, item_offsets: np.ndarray | None = None) -> None:
        from cofactor.kernels.cpu.topk_prepared import prepare_items

        offsets = _offsets(item_offsets, len(item_vectors))
        self._prepared = prepare_items(np.ascontiguousarray(item_vectors, np.float32), offsets)

    def in_order(self, mask: np.ndarray) -> np.ndarray:
        """Return a mask over item rows, bool [n_items], in the order of these items."""
        return np.asarray(mask[self._prepared[2]])

    def best(
        self,
        user_vectors: np.ndarray,
        k: int,
        *,
        allowed: np.ndarray,
        excluded: Exclusions | None = None,
        n_threads: int = 1,
    ) -> TopK:
        """Return the k best items of each user, as `best_dots`; ``allowed`` comes from
        `in_order`.
        """
        from cofactor.kernels.cpu.topk_prepared import topk_prepared

        n_items = len(self._prepared[1])
        k = _at_most(k, n_items)
        indptr, indices = exclusions(excluded, len(user_vectors))
        users = np.ascontiguousarray(user_vectors, np.float32)
        with kernel_threads(n_threads):
            return TopK(
                *topk_prepared(
                    users,
                    self._prepared,
                    k,
                    excluded_indptr=indptr,
                    excluded_indices=indices,
                    allowed=allowed,
                    n_threads=n_threads,
                )
            )
