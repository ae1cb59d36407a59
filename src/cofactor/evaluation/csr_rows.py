"""Row operations on sparse matrices that the evaluator needs: select, restrict, merge."""

from __future__ import annotations

import numpy as np

from cofactor.base.offsets import among, owners_of, pick_rows, places_of, row_offsets
from cofactor.data.interactions import Interactions
from cofactor.retrieval.topk import Exclusions


def take_rows(indptr: np.ndarray, items: np.ndarray, rows: np.ndarray) -> Exclusions:
    """Return some rows of a CSR, in the given order."""
    taken, positions = pick_rows(indptr, rows)
    return taken, items[positions]


def contains(data: Interactions, user_rows: np.ndarray, item_rows: np.ndarray) -> np.ndarray:
    """Return for each pair whether the data contains it, bool [n]."""
    held = data.user_rows.astype(np.int64) * data.n_items + data.item_rows
    return among(held, user_rows.astype(np.int64) * data.n_items + item_rows)


def narrowed(csr: Exclusions, candidates: np.ndarray, n_items: int) -> Exclusions:
    """Return a CSR of items as positions among the ``candidates`` (ascending); other items are
    dropped.
    """
    indptr, items = csr
    places = places_of(candidates, n_items)[items]
    owners = owners_of(np.diff(indptr))
    return row_offsets(owners[places >= 0], len(indptr) - 1), places[places >= 0]


def united(first: Exclusions, second: Exclusions) -> Exclusions:
    """Return the union of two disjoint CSRs, ascending within a row."""
    owners = [owners_of(np.diff(indptr)) for indptr, _ in (first, second)]
    owner, item = np.concatenate(owners), np.concatenate([first[1], second[1]])
    order = np.lexsort((item, owner))
    return first[0] + second[0], item[order].astype(np.int32, copy=False)
