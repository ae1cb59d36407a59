"""The users of a request as batches: by id, by history, by profile."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from cofactor.base.errors import ArgumentError
from cofactor.data.histories import Histories
from cofactor.data.id_queries import outside, queries
from cofactor.data.ids import IdMap, as_ids
from cofactor.data.records import table_of
from cofactor.models.answering.descriptions import check_described, descriptions
from cofactor.models.answering.fold_in import read_histories
from cofactor.models.model import Model
from cofactor.models.user_batch import UserBatch

# This many users are scored at a time: 4 MiB of scores for each thousand items, where scores
# are held at all.
BLOCK = 1024

# Users as a column, and the batches of their blocks with where each begins.
Requested = tuple[pa.Array, Iterator[tuple[int, UserBatch]]]


def rows_of(ids: IdMap, given: Any, what: str) -> np.ndarray:
    """Return the row of each id of a request, int32.

    Parameters
    ----------
    ids
        The known users or items.
    given
        One id or several.
    what
        What they are, for messages: ``"user"`` or ``"item"``.

    Raises
    ------
    UnknownIdError
        For unknown ids.
    ArgumentError
        If there is none.
    """
    return ids.rows(_some(given, what), what=what)


def _some(given: Any, what: str) -> Any:
    asked = queries(given)
    if not len(asked):
        raise ArgumentError(f"the list of {what}s is empty; give at least one id.")
    return asked


def user_batches(model: Model[Any], users: Any, history: Any, unknown: str) -> Requested:
    """Return the users (or the numbers of the histories) of a request, and their batches."""
    ids = model.data.users
    if history is not None:
        policy = "skip" if unknown == "fallback" else "error"
        histories = read_histories(history, model.data.items, unknown=policy)
        spans = _spans(len(histories))
        return pa.array(np.arange(len(histories))), (
            (s, model.fold_in(histories.take(rows))) for s, rows in spans
        )
    if users is None:
        return ids.arrow, ((s, model.user_batch(rows)) for s, rows in _spans(len(ids)))
    if unknown == "error":
        known = rows_of(ids, users, "user")
        return ids.take(known), (
            (s, model.user_batch(known[span])) for s, span in _spans(len(known))
        )
    asked = _some(users, "user")
    found = ids.find(asked)
    shown = _shown(ids, asked, found)
    if (found < 0).any():
        # Unseen users are folded in with an empty history, one by one: their states and trained
        # users' can't be mixed in a batch.
        unseen = Histories.of([[]], model.data.n_items)
        each = (
            model.user_batch(found[n : n + 1]) if found[n] >= 0 else model.fold_in(unseen)
            for n in range(len(found))
        )
        return shown, enumerate(each)
    return shown, ((s, model.user_batch(found[span])) for s, span in _spans(len(found)))


def _shown(ids: IdMap, asked: Any, rows: np.ndarray) -> pa.Array:
    """Users' ids as the data has them, or as they were asked for."""
    if not len(rows) or (rows >= 0).all():
        return ids.take(rows)
    known = ids.ids(np.maximum(rows, 0))
    each = zip(known, asked, rows.tolist(), strict=True)
    return as_ids([one if row >= 0 else outside(given) for one, given, row in each])


def profiled(model: Model[Any], history: Any, features: Any, unknown: str) -> Requested:
    """Return the numbers of users known by a profile, and perhaps a history, and their batch."""
    profiles = descriptions(features)
    if not profiles or not all(isinstance(one, Mapping) for one in profiles):
        raise ArgumentError(
            "features must be a mapping of the profiles' columns ({'age': 31}), or a list of them."
        )
    policy = "skip" if unknown == "fallback" else "error"
    histories = Histories.of([[]] * len(profiles), model.data.n_items)
    if history is not None:
        histories = read_histories(history, model.data.items, unknown=policy)
    if len(histories) != len(profiles):
        raise ArgumentError(
            f"features and history must be of the same number of users: {len(profiles)} and"
            f" {len(histories)}."
        )
    states = model._fold_in_profiles(histories, table_of(profiles))
    # What reads no profiles has said so.
    if columns := model.data.profiles.column_names:
        check_described(profiles, columns, "features", "the profiles")
    indptr, item_rows, values = histories.csr
    batch = UserBatch(
        states,
        np.zeros(len(profiles), bool),
        (indptr, item_rows),
        None if histories.values is None else values,
    )
    return pa.array(np.arange(len(profiles))), iter([(0, batch)])


def _spans(count: int) -> Iterator[tuple[int, np.ndarray]]:
    for start in range(0, count, BLOCK):
        yield start, np.arange(start, min(start + BLOCK, count))
