"""Histories: what some users interacted with, in order of time; the input of fold-in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cofactor.base import checks
from cofactor.base.cached import cached_property
from cofactor.base.errors import ArgumentError
from cofactor.base.offsets import offsets, owners_of, pick_rows, ranges, row_offsets
from cofactor.data import sorting
from cofactor.data.mapped import kept


@dataclass(frozen=True, repr=False)
class Histories:
    """The histories of a batch of users, each in order of time, as rows.

    Parameters
    ----------
    indptr
        int64 [n_users + 1]; user ``u`` owns the positions ``indptr[u]:indptr[u + 1]``.
    item_rows
        int32 [n_events], each user's oldest first; an item may repeat.
    values
        float32 [n_events], or None when the data has no values (each counts as 1).
    times
        int64 [n_events] seconds since 1970 (UTC), or None.
    n_items
        The number of item rows there are.
    kinds
        uint8 [n_events], what kind of event each one is (a click, a purchase), or None.
    """

    indptr: np.ndarray
    item_rows: np.ndarray
    values: np.ndarray | None
    times: np.ndarray | None
    n_items: int
    kinds: np.ndarray | None = None

    @classmethod
    def of(
        cls,
        lists: Sequence[Sequence[int] | np.ndarray],
        n_items: int,
        values: Sequence[Sequence[float] | np.ndarray] | None = None,
    ) -> Histories:
        """Make histories from one list of item rows per user, and one of values if there are
        any.

        Raises
        ------
        ArgumentError
            If a list is none of item rows, or values aren't finite, too large, or not as many.
        """
        lists, values = list(lists), None if values is None else list(values)
        rows = _together(lists, "iu", "item rows")
        _check_rows(rows, n_items)
        lengths = [len(one) for one in lists]
        flat = _together(values, "biuf", "values") if values else None
        if values and [len(one) for one in values] != lengths:
            raise ArgumentError(
                f"histories hold {lengths} items but {[len(one) for one in values]} values."
            )
        flat = None if flat is None else flat.astype(np.float32)
        if flat is not None and not checks.are_small(flat):
            odd = flat[~(np.abs(flat) <= checks.LARGEST_VALUE)][0]
            raise ArgumentError(
                f"the values of a history must be finite numbers up to {checks.LARGEST_VALUE:g},"
                f" whose squares float32 holds, not {odd:g}."
            )
        return cls(offsets(lengths), rows.astype(np.int32), flat, None, n_items)

    def __len__(self) -> int:
        return len(self.indptr) - 1

    def __repr__(self) -> str:
        held = [n for n in ("values", "times", "kinds") if getattr(self, n) is not None]
        sizes = f"{len(self):,} users, {len(self.item_rows):,} events of {self.n_items:,} items"
        return f"Histories({', '.join([sizes, *held])})"

    def checked(self) -> Histories:
        """Return the histories themselves; raise ArgumentError if their arrays don't fit each other
        or hold item rows that don't exist.
        """
        for name in ("indptr", "item_rows"):
            checks.of_kind(getattr(self, name), name, np.ndarray, "an array, as Histories.of makes")
        ends = self.indptr
        if (
            len(ends) == 0
            or ends[0]
            or (ends[1:] < ends[:-1]).any()
            or ends[-1] != len(self.item_rows)
        ):
            raise ArgumentError(
                f"the indptr of histories must rise from 0 to their {len(self.item_rows)} events."
            )
        _check_rows(self.item_rows, self.n_items)
        return self

    @property
    def lengths(self) -> np.ndarray:
        """The number of events of each user, int64 [n_users]."""
        return np.diff(self.indptr)

    def take(self, users: np.ndarray) -> Histories:
        """Return the histories of some users of the batch, in the given order."""
        users = checks.rows(users, "users", len(self))
        indptr, positions = pick_rows(self.indptr, users)
        return self.at(positions, indptr)

    def by_last_event(self) -> np.ndarray:
        """Return the histories that aren't empty, in order of their last event; without times, in
        order of their rows.
        """
        some = np.flatnonzero(self.lengths > 0)
        if self.times is None:
            return some
        return some[np.argsort(self.times[self.indptr[some + 1] - 1], kind="stable")]

    def tail(self, length: int) -> Histories:
        """Return each user's last ``length`` events."""
        keep = np.minimum(self.lengths, checks.integer(length, "length", low=0))
        indptr, positions = ranges(self.indptr[1:] - keep, keep)
        return self.at(positions, indptr)

    def at(self, positions: np.ndarray, indptr: np.ndarray) -> Histories:
        """Return histories of the events at some positions, divided by ``indptr``."""
        values, times = picked(self.values, positions), picked(self.times, positions)
        kinds = picked(self.kinds, positions)
        return Histories(indptr, self.item_rows[positions], values, times, self.n_items, kinds)

    def where(self, keep: np.ndarray) -> Histories:
        """Return the events for which ``keep`` (bool [n_events]) holds; no user is left out."""
        keep = checks.mask(keep, "keep", len(self.item_rows))
        return self.at(np.flatnonzero(keep), offsets(keep)[self.indptr])

    def renumbered(self, users: np.ndarray, new_item: np.ndarray, n_items: int) -> Histories:
        """Return some users' histories with the item row ``new_item[row]`` for each row."""
        kept = self.take(users)
        return replace(kept, item_rows=new_item[kept.item_rows], n_items=n_items)

    @property
    def owners(self) -> np.ndarray:
        """The user of each event, int64 [n_events]."""
        return owners_of(self.lengths)

    @property
    def ages(self) -> np.ndarray:
        """How many events of the same history came after each event, int64 [n_events]."""
        return np.repeat(self.indptr[1:], self.lengths) - 1 - np.arange(len(self.item_rows))

    @cached_property
    def csr(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The same as CSR: indptr int64, item rows int32 ascending and distinct, values float32
        (a repeat's last counts).
        """
        values = np.ones(len(self.item_rows), np.float32) if self.values is None else self.values
        indptr, last = sorting.last_of_pairs(self.owners, self.item_rows, len(self), self.n_items)
        return indptr, self.item_rows[last], values[last]


def _check_rows(rows: np.ndarray, n_items: int) -> None:
    if rows.size and (rows.min() < 0 or rows.max() >= n_items):
        raise ArgumentError(
            f"a history holds item row {rows.max() if rows.min() >= 0 else rows.min()}, and the"
            f" rows run from 0 to {n_items - 1}."
        )


def _together(lists: Sequence[Any], kinds: str, what: str) -> np.ndarray:
    """Lists of numbers of some kinds (NumPy's letters) as one array."""
    arrays = [np.asarray(one) for one in lists]
    for one in arrays:
        if one.ndim != 1 or (one.size and one.dtype.kind not in kinds):
            raise ArgumentError(
                f"histories must be a list of {what} for each user, and one of them is"
                f" {one.dtype} of shape {list(one.shape)}."
            )
    return np.concatenate(arrays) if arrays else np.zeros(0, np.int64)


def picked(array: np.ndarray | None, which: np.ndarray | slice) -> np.ndarray | None:
    """Return the entries at some positions (or under a mask) of an array that may be missing."""
    return None if array is None else kept(array, which)


def in_order(
    user_rows: np.ndarray,
    item_rows: np.ndarray,
    values: np.ndarray | None,
    times: np.ndarray | None,
    n_users: int,
    n_items: int,
) -> Histories:
    """Return every event by user, oldest first; equal times, and events without any, as they
    came.
    """
    order = (
        np.argsort(user_rows, kind="stable") if times is None else np.lexsort((times, user_rows))
    )
    indptr = row_offsets(user_rows, n_users)
    rows = np.ascontiguousarray(item_rows[order], np.int32)
    return Histories(indptr, rows, picked(values, order), picked(times, order), n_items)
