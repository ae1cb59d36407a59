"""Ranks of true items and metrics from them, in Numba; see the reference for the definitions.

Nothing is sorted and nothing is copied: a true item's rank is counted, one vectorised pass over its
user's scores, and the few excluded items are taken off again. True items are counted best first, so
that without AUC the work of a user ends with the first one beyond the largest cutoff: about hits +
1 passes."""

from __future__ import annotations

import numpy as np

from cofactor.base.offsets import owners_of
from cofactor.kernels.cpu.jit import helper, kernel, on_parts
from cofactor.kernels.cpu.sampling import advance, below, lower_bound, mix, nth_unowned

# Unsigned indices and 32-bit counts: with a signed index Numba allows for negative ones at each
# step, and a 64-bit count is twice as wide as a score; either alone makes these loops ten times
# slower.


@helper
def _count_above(row, start, stop, level):
    """How many of row[start:stop] are above ``level``."""
    count = np.int32(0)
    for j in range(np.uint64(start), np.uint64(stop)):
        count = np.int32(count + np.int32(row[j] > level))
    return np.int64(count)


@helper
def _count_from(row, start, stop, level):
    """How many of row[start:stop] are at ``level`` or above."""
    count = np.int32(0)
    for j in range(np.uint64(start), np.uint64(stop)):
        count = np.int32(count + np.int32(row[j] >= level))
    return np.int64(count)


@helper
def _count_both(row, start, stop, level):
    """How many of row[start:stop] are above ``level``, and how many at it or above."""
    above, level_or_above = np.int32(0), np.int32(0)
    for j in range(np.uint64(start), np.uint64(stop)):
        above = np.int32(above + np.int32(row[j] > level))
        level_or_above = np.int32(level_or_above + np.int32(row[j] >= level))
    return np.int64(above), np.int64(level_or_above)


@helper
def _level(score):
    """A score with NaN as low as can be."""
    return score if score == score else np.float32(-np.inf)


@helper
def _best_first(row, truth):
    """The order of a user's true items: highest score first, of equal ones the lower row (truth
    is ascending).
    """
    order = np.empty(truth.size, np.int64)
    for i in range(truth.size):
        level = _level(row[truth[i]])
        at = i
        while at > 0 and _level(row[truth[order[at - 1]]]) < level:
            order[at] = order[at - 1]
            at -= 1
        order[at] = i
    return order


def positive_ranks(
    scores: np.ndarray,
    truth_indptr: np.ndarray,
    truth_items: np.ndarray,
    seen_indptr: np.ndarray,
    seen_items: np.ndarray,
    limit: int,
    with_auc: bool,
) -> tuple[np.ndarray, np.ndarray]:
    """Rank each true item among all items that are not excluded; see the reference."""
    ranks = np.full(truth_items.size, -1, np.int32)
    auc_shares = np.full(truth_items.size if with_auc else 0, np.nan)

    def part(first: int, end: int) -> None:
        truth, seen = truth_indptr[first : end + 1], seen_indptr[first : end + 1]
        _positive_ranks(
            scores[first:end],
            truth,
            truth_items,
            seen,
            seen_items,
            limit,
            with_auc,
            ranks,
            auc_shares,
        )

    on_parts(part, scores.shape[0])
    return ranks, auc_shares


@kernel(allocates=True)
def _positive_ranks(
    scores, truth_indptr, truth_items, seen_indptr, seen_items, limit, with_auc, ranks, auc_shares
) -> None:
    n_users, n_items = scores.shape
    for u in range(n_users):
        row = scores[u]
        first = truth_indptr[u]
        truth = truth_items[first : truth_indptr[u + 1]]
        seen = seen_items[seen_indptr[u] : seen_indptr[u + 1]]
        n_negatives = n_items - seen.size - truth.size
        order = _best_first(row, truth)
        for i in range(truth.size):
            item = np.int64(truth[order[i]])
            level = _level(row[item])
            # rank = |{j < item: s_j >= s_item}| + |{j > item: s_j > s_item}|
            if with_auc:
                above_low, from_low = _count_both(row, 0, item, level)
                above_high, from_high = _count_both(row, item + 1, n_items, level)
            else:
                from_low = _count_from(row, 0, item, level)
                above_high = _count_above(row, item + 1, n_items, level)
                above_low, from_high = 0, 0
            rank, above = from_low + above_high, above_low + above_high
            level_or_above = from_low + from_high
            for e in seen:
                if row[e] > level or (row[e] == level and e < item):
                    rank -= 1
                if row[e] > level:
                    above -= 1
                if row[e] >= level:
                    level_or_above -= 1
            if level > -np.inf and rank < limit:
                ranks[first + order[i]] = rank
            elif not with_auc:
                break
            if with_auc and n_negatives > 0:
                for other in truth:
                    if other != item:
                        if row[other] > level:
                            above -= 1
                        if row[other] >= level:
                            level_or_above -= 1
                if level == -np.inf:  # NaN compares as unequal, and stands as low as -inf
                    level_or_above = n_negatives
                auc_shares[first + order[i]] = min(
                    1.0, 0.5 * (2 * n_negatives - above - level_or_above) / n_negatives
                )


def list_ranks(
    rows: np.ndarray, count: np.ndarray, truth_indptr: np.ndarray, truth_items: np.ndarray
) -> np.ndarray:
    """Find each true item's place in a given list; see the reference."""
    ranks = np.full(truth_items.size, -1, np.int32)
    _list_ranks(rows, count, truth_indptr, truth_items, ranks)
    return ranks


@kernel
def _list_ranks(rows, count, truth_indptr, truth_items, ranks) -> None:
    for u in range(count.size):
        first = truth_indptr[u]
        truth = truth_items[first : truth_indptr[u + 1]]
        for place in range(count[u]):
            at = lower_bound(truth, 0, truth.size, rows[u, place])
            if at < truth.size and truth[at] == rows[u, place] and ranks[first + at] < 0:
                ranks[first + at] = place


def candidate_ranks(
    scores: np.ndarray, owners: np.ndarray, items: np.ndarray, negatives: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Rank each true item among its own few candidates; see the reference."""
    ranks = np.full(items.size, -1, np.int32)
    auc_shares = np.full(items.size, np.nan)
    on_parts(
        lambda first, end: _candidate_ranks(
            first, end, scores, owners, items, negatives, ranks, auc_shares
        ),
        items.size,
    )
    return ranks, auc_shares


@kernel
def _candidate_ranks(first, end, scores, owners, items, negatives, ranks, auc_shares) -> None:
    for q in range(first, end):
        row = scores[owners[q]]
        item = items[q]
        level = _level(row[item])
        rank, above, equal, n = 0, 0, 0, 0
        for j in negatives[q]:
            if j < 0 or j == item:
                continue
            other = _level(row[j])
            n += 1
            if other > level:
                above += 1
                rank += 1
            elif other == level:
                equal += 1
                rank += 1 if j < item else 0
        if level > -np.inf:
            ranks[q] = rank
        if n > 0:
            auc_shares[q] = min(1.0, (n - above - 0.5 * equal) / n)


def rank_metrics(
    indptr: np.ndarray, ranks: np.ndarray, cutoffs: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Turn the ranks of the true items into metrics at cutoffs; see the reference."""
    owners = owners_of(np.diff(indptr))
    # Sorted by NumPy: a sort inside a kernel takes a second to compile.
    ascending = ranks[np.lexsort((ranks, owners))]
    return _rank_metrics(indptr, ascending, cutoffs)


@kernel(allocates=True)
def _rank_metrics(indptr, ranks, cutoffs):
    """The same with each user's ranks ascending."""
    n_users, n_cutoffs = indptr.size - 1, cutoffs.size
    hits = np.full((n_users, n_cutoffs), np.nan)
    ndcg = np.full((n_users, n_cutoffs), np.nan)
    ap = np.full((n_users, n_cutoffs), np.nan)
    rr = np.full((n_users, n_cutoffs), np.nan)
    longest = 0
    for u in range(n_users):
        longest = max(longest, indptr[u + 1] - indptr[u])
    ideal = np.zeros(longest + 1)
    for i in range(longest):
        ideal[i + 1] = ideal[i] + 1.0 / np.log2(i + 2.0)
    for u in range(n_users):
        own = ranks[indptr[u] : indptr[u + 1]]
        if own.size == 0:
            continue
        missing = 0
        while missing < own.size and own[missing] < 0:
            missing += 1
        for c in range(n_cutoffs):
            best = min(cutoffs[c], own.size)
            found, gain, precisions = 0, 0.0, 0.0
            for i in range(missing, own.size):
                if own[i] >= cutoffs[c]:
                    break
                found += 1
                gain += 1.0 / np.log2(own[i] + 2.0)
                precisions += found / (own[i] + 1.0)
            hits[u, c] = found
            ndcg[u, c] = gain / ideal[best]
            ap[u, c] = precisions / best
            rr[u, c] = 1.0 / (own[missing] + 1.0) if found > 0 else 0.0
    return hits, ndcg, ap, rr


def draw_negatives(
    indptr: np.ndarray,
    items: np.ndarray,
    owners: np.ndarray,
    n_items: int,
    count: int,
    seed: int | np.uint64,
) -> np.ndarray:
    """Draw distinct items for each query, uniformly from those its user has nothing to do with;
    see the reference.
    """
    drawn = np.full((owners.size, count), -1, np.int32)
    problem = (indptr, items, owners, n_items, np.uint64(seed), drawn)
    on_parts(lambda first, end: _draw_negatives(first, end, *problem), owners.size)
    return drawn


@kernel(allocates=True)
def _draw_negatives(first, end, indptr, items, owners, n_items, seed, drawn) -> None:
    count = drawn.shape[1]
    for q in range(first, end):
        begin, end_of_own = indptr[owners[q]], indptr[owners[q] + 1]
        free = n_items - (end_of_own - begin)
        wanted = min(count, free)
        state = seed + np.uint64(q + 1) * np.uint64(0xD1342543DE82EF95)
        taken = np.empty(wanted, np.int64)
        for n in range(wanted):
            t = free - wanted + n
            state = advance(state)
            place = np.int64(mix(state) % np.uint64(t + 1))
            for m in range(n):
                if taken[m] == place:
                    place = np.int64(t)
                    break
            taken[n] = place
            drawn[q, n] = nth_unowned(items, begin, end_of_own, place)


def resampled_means(values: np.ndarray, resamples: int, seed: int) -> np.ndarray:
    """Draw the lines of a table with replacement and return the columns' means each time; see
    the reference.
    """
    means = np.zeros((resamples, values.shape[1]))
    on_parts(
        lambda first, end: _resampled_means(values, first, end, np.uint64(seed), means), resamples
    )
    return means


@kernel(allocates=True)
def _resampled_means(values, first, end, seed, means) -> None:
    n, n_columns = values.shape
    sums = np.empty(n_columns)
    for r in range(first, end):
        for c in range(n_columns):
            sums[c] = 0.0
        state = np.uint64(seed) + np.uint64(r + 1) * np.uint64(0xD1342543DE82EF95)
        for _ in range(n):
            state = advance(state)
            line = below(mix(state), n)
            for c in range(n_columns):
                sums[c] += values[line, c]
        for c in range(n_columns):
            means[r, c] = sums[c] / n
