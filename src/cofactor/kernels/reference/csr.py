"""Putting pairs of rows into CSR order, and CSR into time order or columns: the definitions."""

from __future__ import annotations

import numpy as np

from cofactor.base.offsets import owners_of, row_offsets

LAST, SUM, MEAN, MAX = 0, 1, 2, 3


def csr_order(
    user_rows: np.ndarray, item_rows: np.ndarray, n_users: int
) -> tuple[np.ndarray, np.ndarray]:
    """Sort pairs by user, then item, then position.

    Parameters
    ----------
    user_rows, item_rows
        int32 [n].
    n_users
        The number of user rows.

    Returns
    -------
    indptr
        int64 [n_users + 1]: where each user's pairs begin, repeats counted.
    order
        int64 [n]: the positions in sorted order.
    """
    indptr = row_offsets(user_rows, n_users)
    return indptr, np.lexsort((np.arange(len(user_rows)), item_rows, user_rows)).astype(np.int64)


def indptr_if_sorted(user_rows: np.ndarray, item_rows: np.ndarray, n_users: int) -> np.ndarray:
    """Return where each user's pairs begin, if they are in CSR order already.

    Parameters
    ----------
    user_rows, item_rows
        int32 [n].
    n_users
        The number of user rows.

    Returns
    -------
    int64 [n_users + 1]; of length 0 if any pair isn't after the one before it, by user and then by
    item (repeats aren't).
    """
    pairs = (user_rows.astype(np.int64) << 32) + item_rows
    if not (np.diff(pairs) > 0).all():
        return np.zeros(0, np.int64)
    return np.searchsorted(user_rows, np.arange(n_users + 1)).astype(np.int64)


def merge_repeats(
    indptr: np.ndarray,
    order: np.ndarray,
    item_rows: np.ndarray,
    values: np.ndarray,
    times: np.ndarray,
    how: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Let one event stand for each pair of user and item.

    Parameters
    ----------
    indptr, order
        As `csr_order` gives them.
    item_rows
        int32 [n], by position.
    values
        float32 [n], by position; empty where there are none (each counts as 1).
    times
        int64 [n], by position; empty where the position alone is the order of time.
    how
        LAST: the value of the latest; SUM, MEAN, MAX: of all of a pair's, summed in float64.

    Returns
    -------
    kept_indptr
        int64 [n_users + 1].
    keep
        int64 [n_pairs]: the position of each pair's latest event, the later position among equal
        times.
    merged
        float32 [n_pairs].
    """
    kept_indptr = np.zeros(len(indptr), np.int64)
    keep, merged = [], []
    for user in range(len(indptr) - 1):
        mine = order[indptr[user] : indptr[user + 1]]
        for item in np.unique(item_rows[mine]):
            run = mine[item_rows[mine] == item]
            latest = run[np.lexsort((run, times[run]))[-1]] if len(times) else run.max()
            worth = values[run].astype(np.float64) if len(values) else np.ones(len(run))
            own = float(values[latest]) if len(values) else 1.0
            keep.append(latest)
            merged.append((own, worth.sum(), worth.mean(), worth.max())[how])
        kept_indptr[user + 1] = len(keep)
    return kept_indptr, np.array(keep, np.int64), np.array(merged, np.float32)


def transpose(
    indptr: np.ndarray, item_rows: np.ndarray, n_items: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return a CSR matrix by columns.

    Returns
    -------
    by_item
        int64 [n_items + 1].
    user_rows
        int32 [n], ascending within each item.
    positions
        int64 [n]: where each entry stands in the given order.
    """
    positions = np.argsort(item_rows, kind="stable").astype(np.int64)
    by_item = row_offsets(item_rows, n_items)
    owners = np.repeat(np.arange(len(indptr) - 1, dtype=np.int32), np.diff(indptr))
    return by_item, owners[positions], positions


def spread(
    indptr: np.ndarray,
    item_rows: np.ndarray,
    begins: np.ndarray,
    first: int,
    user_rows: np.ndarray,
    positions: np.ndarray,
) -> None:
    """Write the entries of some columns of a CSR matrix into the matrix by columns; of all of them
    together this makes what `transpose` returns.

    Parameters
    ----------
    indptr, item_rows
        The matrix by rows, int64 [n_users + 1] and int32 [n].
    begins
        int64 [n_columns + 1]: where the entries of the columns ``first``, ``first + 1``, ... begin.
    first
        The first of the columns.
    user_rows, positions
        int32 and int64 [n]; written from ``begins[0]`` to ``begins[-1]``.
    """
    mine = np.flatnonzero((item_rows >= first) & (item_rows < first + len(begins) - 1))
    found = mine[np.argsort(item_rows[mine], kind="stable")]
    positions[begins[0] : begins[-1]] = found
    user_rows[begins[0] : begins[-1]] = np.searchsorted(indptr, found, side="right") - 1


def count(rows: np.ndarray, counts: np.ndarray) -> None:
    """Add to ``counts`` (int64 [n_rows]) how often each row (int32 [n]) occurs."""
    counts += np.bincount(rows, minlength=len(counts))


def deal(events: np.ndarray, cuts: np.ndarray, dealt: np.ndarray, ends: np.ndarray) -> None:
    """Put events by shards of users, and otherwise as they came.

    Parameters
    ----------
    events
        int32 [n, width]; the first of each is the user's row.
    cuts
        int64 [n_shards + 1], ascending: where each shard's users begin; the first is 0, the last
        the number of users.
    dealt
        int32 [n, width]; all are written.
    ends
        int64 [n_shards + 1], zeros; afterwards where each shard's events begin in ``dealt``.
    """
    owners = np.searchsorted(cuts, events[:, 0], side="right") - 1
    dealt[:] = events[np.argsort(owners, kind="stable")]
    ends[1:] = np.cumsum(np.bincount(owners, minlength=len(cuts) - 1))


def chronological(indptr: np.ndarray, order: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Return the positions of all entries by user, and within a user by time and then by ``order``,
    int64 [n].

    Parameters
    ----------
    indptr
        int64 [n_users + 1].
    order
        int64 [n], all different: which of two entries of equal time came first; empty where they
        stand in that order.
    times
        int64 [n]; empty where ``order`` alone is the order of time.
    """
    owners = owners_of(np.diff(indptr))
    keys = tuple(key for key in (order, times) if len(key))
    return np.lexsort((*keys, owners)).astype(np.int64)
