"""Where the true items stand in a ranking, and what ranking metrics make of it: the definition.

The order: a higher score stands first, and of equal scores the lower item row. NaN and -inf
mean "never recommended". Everything that a ranking metric asks follows from the ranks of the true
items, so that the kernels come in two steps: scores (or lists) to ranks, ranks to metrics."""

from __future__ import annotations

import numpy as np

from cofactor.kernels.reference.sampling import MASK, advance, below, mix


def positive_ranks(
    scores: np.ndarray,
    truth_indptr: np.ndarray,
    truth_items: np.ndarray,
    seen_indptr: np.ndarray,
    seen_items: np.ndarray,
    limit: int,
    with_auc: bool,
) -> tuple[np.ndarray, np.ndarray]:
    """Rank each true item among all items that are not excluded.

    Parameters
    ----------
    scores
        float32 [n_users, n_items].
    truth_indptr, truth_items
        The true items of each user, CSR, ascending, none of them excluded.
    seen_indptr, seen_items
        The excluded items of each user, CSR, ascending.
    limit
        Ranks from here on are not distinguished (they become -1).
    with_auc
        Whether the share of negatives ranked below is wanted.

    Returns
    -------
    ranks
        int32 [n_truth]: how many candidates stand before the true item (0 is the top); -1 from
        ``limit`` on and for an item that is never recommended.
    auc_shares
        float64 [n_truth]: the share of negatives (candidates that are not true) with a lower score,
        those with an equal one counted half, where NaN is as low as -inf; NaN without negatives.
        Empty if not wanted.

    Notes
    -----
    The mean of ``auc_shares`` over a user's true items is the area under the ROC curve (Hanley and
    McNeil 1982; the Mann-Whitney statistic over the number of pairs).
    """
    n_users, n_items = scores.shape
    ranks = np.full(len(truth_items), -1, np.int32)
    auc_shares = np.full(len(truth_items) if with_auc else 0, np.nan)
    for u in range(n_users):
        truth = truth_items[truth_indptr[u] : truth_indptr[u + 1]]
        level = np.where(np.isnan(scores[u]), -np.inf, scores[u])
        candidate = np.ones(n_items, bool)
        candidate[seen_items[seen_indptr[u] : seen_indptr[u + 1]]] = False
        rows = np.flatnonzero(candidate)
        order = rows[np.lexsort((rows, -level[rows]))]
        negative = candidate.copy()
        negative[truth] = False
        against = level[negative]
        for position, item in enumerate(truth, truth_indptr[u]):
            rank = int(np.flatnonzero(order == item)[0])
            if rank < limit and level[item] > -np.inf:
                ranks[position] = rank
            if with_auc and len(against):
                won = np.count_nonzero(against < level[item]) + 0.5 * np.count_nonzero(
                    against == level[item]
                )
                auc_shares[position] = won / len(against)
    return ranks, auc_shares


def list_ranks(
    rows: np.ndarray, count: np.ndarray, truth_indptr: np.ndarray, truth_items: np.ndarray
) -> np.ndarray:
    """Find each true item's place in a given list.

    Parameters
    ----------
    rows
        int32 [n_users, k], the best first.
    count
        int32 [n_users], how many of them there are; what stands behind is ignored.
    truth_indptr, truth_items
        The true items of each user, CSR, ascending.

    Returns
    -------
    int32 [n_truth]: the place from 0 (the first one, if an item repeats), or -1.
    """
    ranks = np.full(len(truth_items), -1, np.int32)
    for u in range(len(count)):
        listed = rows[u, : count[u]]
        for position in range(truth_indptr[u], truth_indptr[u + 1]):
            places = np.flatnonzero(listed == truth_items[position])
            if len(places):
                ranks[position] = places[0]
    return ranks


def candidate_ranks(
    scores: np.ndarray, owners: np.ndarray, items: np.ndarray, negatives: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Rank each true item among its own few candidates (a sampled protocol).

    Parameters
    ----------
    scores
        float32 [n_users, n_items].
    owners
        int64 [n_queries], the line of ``scores`` that each query belongs to.
    items
        int32 [n_queries], the true items.
    negatives
        int32 [n_queries, n_negatives]; -1 isn't an item, and the true item is passed over.

    Returns
    -------
    ranks
        int32 [n_queries], -1 for a true item that is never recommended.
    auc_shares
        float64 [n_queries], the share of negatives ranked below, ties half; NaN without negatives.
    """
    ranks = np.full(len(items), -1, np.int32)
    auc_shares = np.full(len(items), np.nan)
    for q in range(len(items)):
        others = negatives[q][(negatives[q] >= 0) & (negatives[q] != items[q])]
        level = np.where(np.isnan(scores[owners[q]]), -np.inf, scores[owners[q]])
        own, against = level[items[q]], level[others]
        if own > -np.inf:
            ranks[q] = np.count_nonzero((against > own) | ((against == own) & (others < items[q])))
        if len(others):
            auc_shares[q] = (
                np.count_nonzero(against < own) + 0.5 * np.count_nonzero(against == own)
            ) / len(others)
    return ranks, auc_shares


def rank_metrics(
    indptr: np.ndarray, ranks: np.ndarray, cutoffs: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Turn the ranks of the true items into metrics at cutoffs.

    With y = 1 at the ranks of true items, n of them, and positions i from 1::

        hits@k = sum_{i<=k} y_i
        nDCG@k = sum_{i<=k} y_i / log2(i + 1)  /  sum_{i<=min(k, n)} 1 / log2(i + 1)
        AP@k   = sum_{i<=k} y_i hits@i / i     /  min(k, n)
        RR@k   = 1 / (the first i <= k with y_i = 1), else 0

    Parameters
    ----------
    indptr
        int64 [n_users + 1]: user u owns the ranks ``indptr[u]:indptr[u + 1]``.
    ranks
        int32 [n_truth], from 0, in any order; -1 for a true item that is not in the list.
    cutoffs
        int64 [n_cutoffs], each at least 1.

    Returns
    -------
    hits, ndcg, ap, rr
        float64 [n_users, n_cutoffs] each; NaN for a user without true items.
    """
    shape = (len(indptr) - 1, len(cutoffs))
    hits, ndcg, ap, rr = (np.full(shape, np.nan) for _ in range(4))
    for u in range(shape[0]):
        own = ranks[indptr[u] : indptr[u + 1]]
        if len(own) == 0:
            continue
        found = np.sort(own[own >= 0]).astype(np.int64)
        for c, cutoff in enumerate(cutoffs):
            places = found[found < cutoff] + 1
            ideal = np.arange(1, min(cutoff, len(own)) + 1)
            hits[u, c] = len(places)
            ndcg[u, c] = (1 / np.log2(places + 1)).sum() / (1 / np.log2(ideal + 1)).sum()
            ap[u, c] = (np.arange(1, len(places) + 1) / places).sum() / len(ideal)
            rr[u, c] = 1 / places[0] if len(places) else 0.0
    return hits, ndcg, ap, rr


def draw_negatives(
    indptr: np.ndarray, items: np.ndarray, owners: np.ndarray, n_items: int, count: int, seed: int
) -> np.ndarray:
    """Draw distinct items for each query, uniformly from those its user has nothing to do with.

    Parameters
    ----------
    indptr, items
        The items that may not be drawn for each user, CSR, ascending and distinct.
    owners
        int64 [n_queries], the user of each query.
    n_items
        The number of items there are.
    count
        How many to draw for each query.
    seed
        A uint64; query q draws from its own stream, so the threads don't matter.

    Returns
    -------
    int32 [n_queries, count]; -1 at the end where fewer items are left.

    Notes
    -----
    Floyd's algorithm over the places within the allowed items (Bentley and Floyd 1987), each place
    then turned into an item by a search over the forbidden ones. The generator is SplitMix64
    (Steele, Lea and Flood 2014).
    """
    drawn = np.full((len(owners), count), -1, np.int32)
    for q, user in enumerate(owners):
        forbidden = items[indptr[user] : indptr[user + 1]].astype(np.int64)
        free = n_items - len(forbidden)
        wanted = min(count, free)
        shift = forbidden - np.arange(len(forbidden))
        state = (int(seed) + (q + 1) * 0xD1342543DE82EF95) & MASK
        taken: list[int] = []
        for t in range(free - wanted, free):
            state = advance(state)
            place = mix(state) % (t + 1)
            taken.append(t if place in taken else place)
        for n, place in enumerate(taken):
            drawn[q, n] = place + np.searchsorted(shift, place, side="right")
    return drawn


def resampled_means(values: np.ndarray, resamples: int, seed: int) -> np.ndarray:
    """Draw the lines of a table with replacement, as many as there are, and return the columns'
    means each time.

    Parameters
    ----------
    values
        float64 [n, n_columns].
    resamples
        How often.
    seed
        A uint64; resample r draws from its own stream.

    Returns
    -------
    float64 [resamples, n_columns], the bootstrap distribution of the means (Efron 1979).
    """
    n = len(values)
    means = np.zeros((resamples, values.shape[1]))
    for r in range(resamples):
        state = (int(seed) + (r + 1) * 0xD1342543DE82EF95) & MASK
        for _ in range(n):
            state = advance(state)
            means[r] += values[below(mix(state), n)]
        means[r] /= n
    return means
