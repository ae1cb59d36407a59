"""Pairs into CSR order, time order and columns: NumPy for what is small, kernels where they pay
for their compilation.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from cofactor.base import checks
from cofactor.base.errors import DataError
from cofactor.base.names import counted
from cofactor.base.offsets import begins, row_offsets

# Below this many events NumPy is done before a kernel is loaded.
LARGE = 3_000_000
REPEATS = ("last", "sum", "mean", "max")


def to_csr(
    user_rows: np.ndarray,
    item_rows: np.ndarray,
    values: np.ndarray | None,
    times: np.ndarray | None,
    shape: tuple[int, int],
    repeats: str,
    *,
    large: bool = False,
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
    """Put events into CSR order, one for each pair of user and item.

    Parameters
    ----------
    user_rows, item_rows
        int32 [n].
    values, times
        float32 and int64 [n], or None.
    shape
        How many users and items there are.
    repeats
        ``"last"``, ``"sum"``, ``"mean"``, ``"max"``: the value of a pair that repeats.
    large
        Whether they are part of large data, so that kernels pay even for these few.

    Returns
    -------
    indptr
        int64 [n_users + 1].
    keep
        int64 [n_pairs], in CSR order: the position of the latest event of each pair, the later one
        of equal times. None for large data where each event stands in its place already.
    merged
        float32 [n_pairs], or None where there are no values and no repeats to count. Where ``keep``
        is None these are the values themselves.
    """
    n_users, n_items = shape
    if large or len(user_rows) >= LARGE:
        return _large(user_rows, item_rows, values, times, n_users, repeats)
    pairs = user_rows.astype(np.int64) * n_items + item_rows
    by_pair = np.argsort(pairs, kind="stable") if times is None else np.lexsort((times, pairs))
    ordered = pairs[by_pair]
    starts = np.flatnonzero(begins(ordered))
    ends = np.append(starts[1:], len(ordered))[: len(starts)]
    keep = by_pair[ends - 1]
    indptr = row_offsets(user_rows[keep], n_users)
    if len(starts) == len(ordered) or repeats == "last":
        return (
            indptr,
            keep,
            None if values is None else np.ascontiguousarray(values[keep], np.float32),
        )
    counted = (
        np.ones(len(ordered), np.float64) if values is None else values[by_pair].astype(np.float64)
    )
    if repeats == "max":
        combined = np.maximum.reduceat(counted, starts)
    else:
        combined = np.add.reduceat(counted, starts)
        if repeats == "mean":
            combined = combined / (ends - starts)
    with np.errstate(over="ignore"):  # what calls it looks
        return indptr, keep, combined.astype(np.float32)


def last_of_pairs(
    user_rows: np.ndarray, item_rows: np.ndarray, n_users: int, n_items: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return pairs in CSR order, of those that repeat the last: their offsets, int64 [n_users + 1],
    and their positions, int64.
    """
    pairs = user_rows.astype(np.int64) * n_items + item_rows
    order = np.argsort(pairs, kind="stable")
    last = order[np.roll(begins(pairs[order]), -1)]
    return row_offsets(user_rows[last], n_users), last


def columns(
    user_rows: np.ndarray,
    item_rows: np.ndarray,
    values: np.ndarray | None,
    times: np.ndarray | None,
    shape: tuple[int, int],
    repeats: str,
) -> dict[str, Any]:
    """Return the columns of `Interactions` by name, from checked events and the numbers of users
    and items; see `to_csr`. What is large and sorted already shares its arrays.
    """
    indptr, keep, merged = to_csr(user_rows, item_rows, values, times, shape, repeats)
    n_repeats = 0 if keep is None else len(user_rows) - len(keep)
    if n_repeats and repeats == "sum" and merged is not None and not checks.are_small(merged):
        raise DataError(
            f"the values of a pair that repeats add up to more than {checks.LARGEST_VALUE:g}, whose"
            " square float32 can't hold; scale the values first, or merge repeats otherwise"
            " (repeats='last', 'mean' or 'max')."
        )
    if keep is not None:
        item_rows, times = item_rows[keep], None if times is None else times[keep]
    return {
        "indptr": indptr,
        "item_rows": np.ascontiguousarray(item_rows, np.int32),
        "values": None if merged is None else np.ascontiguousarray(merged, np.float32),
        "times": None if times is None else np.ascontiguousarray(times, np.int64),
        "source_order": None if keep is None else keep.astype(np.int64, copy=False),
        "notes": (f"{counted(n_repeats, 'repeated pair')} merged ({repeats})",)
        if n_repeats
        else (),
    }


def by_item(
    indptr: np.ndarray, item_rows: np.ndarray, n_items: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return a CSR matrix by columns: int64 [n_items + 1], user rows int32 [n], positions int64
    [n].
    """
    found: tuple[np.ndarray, np.ndarray, np.ndarray] = _csr(len(item_rows) >= LARGE).transpose(
        indptr, item_rows, n_items
    )
    return found


def deal(events: np.ndarray, cuts: np.ndarray, dealt: np.ndarray, large: bool) -> np.ndarray:
    """Put events by shards of users, and return where each shard's begin; see
    `reference.csr.deal`. ``large`` as in `to_csr`.
    """
    ends = np.zeros(len(cuts), np.int64)
    _csr(large).deal(events, cuts, dealt, ends)
    return ends


def spread(
    indptr: np.ndarray,
    item_rows: np.ndarray,
    begins: np.ndarray,
    first: int,
    user_rows: np.ndarray,
    positions: np.ndarray,
) -> None:
    """Write the entries of some items into a matrix by columns; see `reference.csr.spread`."""
    _csr(len(item_rows) >= LARGE).spread(indptr, item_rows, begins, first, user_rows, positions)


def count(rows: np.ndarray, counts: np.ndarray, large: bool) -> None:
    """Add to ``counts`` (int64) how often each row (int32) occurs; ``large`` as in `to_csr`."""
    _csr(large).count(rows, counts)


def _csr(large: bool) -> Any:
    if large:
        from cofactor.kernels.cpu import csr
    else:
        from cofactor.kernels.reference import csr  # type: ignore[no-redef]
    return csr


def chronological(
    indptr: np.ndarray,
    order: np.ndarray | None,
    times: np.ndarray | None,
    *,
    large: bool = False,
) -> np.ndarray:
    """Return all positions by user, and within a user by time and then by ``order`` (None: as
    they stand), int64 [n]; ``large`` as in `to_csr`.
    """
    csr = _csr(large or bool(indptr[-1] >= LARGE))
    nothing = np.empty(0, np.int64)
    found: np.ndarray = csr.chronological(
        indptr, nothing if order is None else order, nothing if times is None else times
    )
    return found


def mark(rows: np.ndarray, occurs: np.ndarray) -> None:
    """Set ``occurs`` (bool) at the rows (int32) that occur."""
    if len(rows) >= LARGE:
        from cofactor.kernels.cpu import numbering
        from cofactor.kernels.cpu.jit import unwritten

        rows = unwritten(rows)
    else:
        from cofactor.kernels.reference import numbering  # type: ignore[no-redef]
    numbering.occurring(rows, occurs)


def _large(
    user_rows: np.ndarray,
    item_rows: np.ndarray,
    values: np.ndarray | None,
    times: np.ndarray | None,
    n_users: int,
    repeats: str,
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
    from cofactor.kernels.cpu import csr

    indptr = csr.indptr_if_sorted(user_rows, item_rows, n_users)
    if len(indptr):
        return indptr, None, values
    starts, order = csr.csr_order(user_rows, item_rows, n_users)
    worth = np.empty(0, np.float32) if values is None else np.ascontiguousarray(values, np.float32)
    when = np.empty(0, np.int64) if times is None else np.ascontiguousarray(times, np.int64)
    indptr, keep, merged = csr.merge_repeats(
        starts, order, item_rows, worth, when, REPEATS.index(repeats)
    )
    uncounted = values is None and (repeats == "last" or len(keep) == len(user_rows))
    return indptr, keep, None if uncounted else merged


def sparse_rows(
    indptr: np.ndarray, columns: np.ndarray, n_columns: int, values: np.ndarray | None = None
) -> Any:
    """Return rows in CSR as a SciPy matrix; without values float32 ones."""
    from scipy.sparse import csr_matrix

    values = np.ones(len(columns), np.float32) if values is None else values
    return csr_matrix((values, columns, indptr), shape=(len(indptr) - 1, n_columns))
