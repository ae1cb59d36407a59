"""Putting pairs of rows into CSR order, and CSR into time order or columns: counting sorts, and
short sorts of each row.
"""

from __future__ import annotations

import numpy as np

from cofactor.kernels.cpu.jit import helper, kernel, on_parts, unwritten
from cofactor.kernels.cpu.sorting import sort_integers

LAST, SUM, MEAN, MAX = 0, 1, 2, 3


@kernel(allocates=True)
def _by_user(user_rows, n_users):
    """A stable counting sort: int64 [n_users + 1] and the positions, int64 [n]."""
    n = len(user_rows)
    indptr = np.zeros(n_users + 1, np.int64)
    is_sorted = True
    for p in range(n):
        indptr[user_rows[p] + 1] += 1
        if p > 0 and user_rows[p] < user_rows[p - 1]:
            is_sorted = False
    for u in range(n_users):
        indptr[u + 1] += indptr[u]
    order = np.empty(n, np.int64)
    if is_sorted:
        for p in range(n):
            order[p] = p
        return indptr, order
    place = indptr[:-1].copy()
    for p in range(n):
        u = user_rows[p]
        order[place[u]] = p
        place[u] += 1
    return indptr, order


@kernel(allocates=True)
def indptr_if_sorted(user_rows: np.ndarray, item_rows: np.ndarray, n_users: int) -> np.ndarray:
    """Return where each user's pairs begin, if they are sorted already; see
    `reference.csr.indptr_if_sorted`.
    """
    n = len(user_rows)
    indptr = np.empty(n_users + 1, np.int64)
    user, item = -1, -1
    for p in range(n):
        next_user, next_item = user_rows[p], item_rows[p]
        if next_user != user:
            if next_user < user:
                return np.empty(0, np.int64)
            for u in range(user + 1, next_user + 1):
                indptr[u] = p
        elif next_item <= item:
            return np.empty(0, np.int64)
        user, item = next_user, next_item
    for u in range(user + 1, n_users + 1):
        indptr[u] = n
    return indptr


@kernel(allocates=True)
def _sort_rows(indptr, order, item_rows) -> None:
    """Each user's positions by item and then by position, in place."""
    for u in range(len(indptr) - 1):
        start, end = indptr[u], indptr[u + 1]
        is_sorted = True
        for q in range(start + 1, end):
            if item_rows[order[q]] < item_rows[order[q - 1]]:
                is_sorted = False
                break
        if is_sorted:
            continue
        # The item above the place within the row: keys are all different, so any sort of them is a
        # stable one.
        keys = np.empty(end - start, np.int64)
        mine = order[start:end].copy()
        for q in range(end - start):
            keys[q] = (np.int64(item_rows[mine[q]]) << 32) | q
        sort_integers(keys)
        for q in range(end - start):
            order[start + q] = mine[keys[q] & 0xFFFFFFFF]


def csr_order(
    user_rows: np.ndarray, item_rows: np.ndarray, n_users: int
) -> tuple[np.ndarray, np.ndarray]:
    """Sort pairs by user, then item, then position; see `reference.csr.csr_order`."""
    indptr, order = _by_user(user_rows, n_users)
    on_parts(lambda first, end: _sort_rows(indptr[first : end + 1], order, item_rows), n_users)
    return indptr, order


@kernel
def _distinct(indptr, order, item_rows, counts) -> None:
    for u in range(len(indptr) - 1):
        count = 0
        for q in range(indptr[u], indptr[u + 1]):
            if q == indptr[u] or item_rows[order[q]] != item_rows[order[q - 1]]:
                count += 1
        counts[u] = count


@kernel
def _merge(indptr, order, item_rows, values, times, how, kept_indptr, keep, merged) -> None:
    has_values, has_times = len(values) > 0, len(times) > 0
    for u in range(len(indptr) - 1):
        q, out = indptr[u], kept_indptr[u]
        while q < indptr[u + 1]:
            item = item_rows[order[q]]
            latest = order[q]
            total, greatest, count = 0.0, -np.inf, 0
            while q < indptr[u + 1] and item_rows[order[q]] == item:
                p = order[q]
                worth = np.float64(values[p]) if has_values else 1.0
                total += worth
                greatest = max(greatest, worth)
                count += 1
                # Positions ascend within a run, so among equal times the later position wins.
                if not has_times or times[p] >= times[latest]:
                    latest = p
                q += 1
            keep[out] = latest
            if how == SUM:
                merged[out] = total
            elif how == MEAN:
                merged[out] = total / count
            elif how == MAX:
                merged[out] = greatest
            else:
                merged[out] = values[latest] if has_values else 1.0
            out += 1


def merge_repeats(
    indptr: np.ndarray,
    order: np.ndarray,
    item_rows: np.ndarray,
    values: np.ndarray,
    times: np.ndarray,
    how: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Let one event stand for each pair of user and item; see `reference.csr.merge_repeats`."""
    n_users = len(indptr) - 1
    kept_indptr = np.zeros(n_users + 1, np.int64)
    on_parts(
        lambda u, end: _distinct(
            indptr[u : end + 1], order, item_rows, kept_indptr[u + 1 : end + 1]
        ),
        n_users,
    )
    np.cumsum(kept_indptr, out=kept_indptr)
    keep = np.empty(kept_indptr[-1], np.int64)
    merged = np.empty(kept_indptr[-1], np.float32)
    events = (order, item_rows, unwritten(values), unwritten(times), how)
    on_parts(
        lambda u, end: _merge(indptr[u : end + 1], *events, kept_indptr[u : end + 1], keep, merged),
        n_users,
    )
    return kept_indptr, keep, merged


@kernel
def count(rows: np.ndarray, counts: np.ndarray) -> None:
    """Add how often each row occurs; see `reference.csr.count`."""
    for p in range(len(rows)):
        counts[rows[p]] += 1


@kernel
def _spread(indptr, item_rows, place, first, user_rows, positions) -> None:
    end = len(place)
    # Users come in ascending order, so they are ascending within each item too.
    for u in range(len(indptr) - 1):
        for q in range(indptr[u], indptr[u + 1]):
            i = item_rows[q] - first
            if 0 <= i < end:
                at = place[i]
                user_rows[at] = u
                positions[at] = q
                place[i] = at + 1


def spread(
    indptr: np.ndarray,
    item_rows: np.ndarray,
    begins: np.ndarray,
    first: int,
    user_rows: np.ndarray,
    positions: np.ndarray,
) -> None:
    """Write the entries of some columns into the matrix by columns; see `reference.csr.spread`."""
    _spread(indptr, item_rows, begins[:-1].copy(), first, user_rows, positions)


@kernel(allocates=True)
def deal(events: np.ndarray, cuts: np.ndarray, dealt: np.ndarray, ends: np.ndarray) -> None:
    """Put events by shards of users; see `reference.csr.deal`."""
    n, width = events.shape
    n_shards = len(cuts) - 1
    owners = np.empty(n, np.int32)
    place = np.zeros(n_shards, np.int64)
    for p in range(n):
        user, low, high = events[p, 0], 0, n_shards
        while high - low > 1:
            middle = (low + high) >> 1
            if cuts[middle] <= user:
                low = middle
            else:
                high = middle
        owners[p] = low
        place[low] += 1
    for s in range(n_shards):
        ends[s + 1] = ends[s] + place[s]
        place[s] = ends[s]
    for p in range(n):
        at = place[owners[p]]
        place[owners[p]] = at + 1
        for k in range(width):
            dealt[at, k] = events[p, k]


@kernel(allocates=True)
def transpose(
    indptr: np.ndarray, item_rows: np.ndarray, n_items: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return a CSR matrix by columns; see `reference.csr.transpose`."""
    n = len(item_rows)
    by_item = np.zeros(n_items + 1, np.int64)
    count(item_rows, by_item[1:])
    for i in range(n_items):
        by_item[i + 1] += by_item[i]
    user_rows = np.empty(n, np.int32)
    positions = np.empty(n, np.int64)
    _spread(indptr, item_rows, by_item[:-1].copy(), np.int64(0), user_rows, positions)
    return by_item, user_rows, positions


def chronological(indptr: np.ndarray, order: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Return the positions by user, time and ``order``; see `reference.csr.chronological`."""
    positions = np.empty(indptr[-1], np.int64)
    on_parts(
        lambda first, end: _chronological(indptr[first : end + 1], order, times, positions),
        len(indptr) - 1,
    )
    return positions


@helper
def _ascends(values, start, end):
    """Whether values[start:end] are in ascending order."""
    good = True
    for q in range(start + 1, end):
        good = good and values[q] >= values[q - 1]
    return good


@kernel(allocates=True)
def _chronological(indptr, order, times, positions) -> None:
    for u in range(len(indptr) - 1):
        start, end = indptr[u], indptr[u + 1]
        for q in range(start, end):
            positions[q] = q
        if len(order) > 0 and not _ascends(order, start, end):
            # Never Numba's quicksort: in kept code, that of argsort may bear the name of sort's.
            first = np.argsort(order[start:end], kind="mergesort")
            for q in range(end - start):
                positions[start + q] = start + first[q]
        if len(times) > 0 and end > start:
            before = positions[start:end].copy()
            mine = np.empty(end - start, np.int64)
            for q in range(end - start):
                mine[q] = times[before[q]]
            if not _ascends(mine, 0, end - start):
                # Mergesort is stable: equal times stay in the order of the source.
                then = np.argsort(mine, kind="mergesort")
                for q in range(end - start):
                    positions[start + q] = before[then[q]]
