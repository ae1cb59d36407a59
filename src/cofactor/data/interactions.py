"""Interactions: int32 rows in CSR order; the only thing that models are fitted on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any, Self

import numpy as np
import pyarrow as pa

from cofactor.base import checks
from cofactor.base.cached import cached_property
from cofactor.base.offsets import kept_offsets, offsets, pick_rows, places_of, row_counts
from cofactor.data import sorting
from cofactor.data.catalogue import Catalogue
from cofactor.data.event_rows import rows_of
from cofactor.data.events import Events
from cofactor.data.fingerprints import fingerprint_of
from cofactor.data.guards import (
    check_events,
    checked_seconds,
    checked_values,
    id_map,
    refuse_written_dates,
    same_length,
    summed,
)
from cofactor.data.histories import Histories, in_order, picked
from cofactor.data.ids import IdMap
from cofactor.data.joins import aligned, join_notes, listed_items, taken, with_listed_items
from cofactor.data.mapped import is_mapped, kept, moved

REPEATS = sorting.REPEATS
KEEP = "keep"


@dataclass(frozen=True, eq=False)
class Interactions:
    """A sparse matrix of users by items, with ids, values, times, order and catalogue.

    Each pair of user and item is stored once; a user's entries are sorted by item row (CSR). If
    repeats are kept, `log` also holds every event, for the models that read them in order.

    Parameters
    ----------
    users, items
        The id maps; a user or an item may have no interaction at all.
    indptr
        int64 [n_users + 1].
    item_rows
        int32 [n], ascending and distinct within each user.
    values
        float32 [n] or None (implicit feedback without weights).
    times
        int64 [n], seconds since 1970 (UTC), or None.
    source_order
        int64 [n]: the position of each interaction in its source, or None for 0 to n - 1 (sorted
        files are common, and at 25 million interactions it takes 200 MB); see `order`.
    catalogue, profiles
        What is known of items and of users, aligned to their rows.
    source
        Where the data came from.
    notes
        What was done to it on the way: columns found, lines dropped, repeats merged.
    log
        Every event of each user, oldest first, repeats too, or None where repeats were merged.
    """

    users: IdMap
    items: IdMap
    indptr: np.ndarray
    item_rows: np.ndarray
    values: np.ndarray | None
    times: np.ndarray | None
    source_order: np.ndarray | None
    catalogue: Catalogue
    profiles: Catalogue
    source: str = "interactions"
    notes: tuple[str, ...] = ()
    log: Histories | None = None

    @classmethod
    def build(
        cls,
        events: Any,
        *,
        repeats: str = "last",
        users: IdMap | None = None,
        items: IdMap | None = None,
        keep_catalogue_items: bool = False,
    ) -> Interactions:
        """Turn events into interactions.

        Parameters
        ----------
        events
            What `cofactor.read` returned, or what it takes by itself (a data frame, tuples, a
            path); also a SciPy sparse matrix (see `from_matrix`) or a folder of shards.
        repeats
            What becomes of several events of one user with one item: ``"last"`` keeps the one
            latest in time (by position among equal times), ``"sum"``, ``"mean"`` and ``"max"``
            combine the values (1 each where there are none) and keep the latest time; ``"keep"``
            merges as ``"last"`` and keeps every event in `log` besides.
        users, items
            Id maps to use instead of those of the events; events with other ids are refused.
        keep_catalogue_items
            Whether items that stand in the catalogue but in no event get rows too.

        Raises
        ------
        ArgumentError
            If ``events`` is nothing that can be read, or an option is of no use to it.
        DataError
            If there are no events, or something in them is wrong.
        UnknownIdError
            If a given id map lacks an id.
        """
        checks.choice(repeats, "repeats", (*REPEATS, KEEP))
        checks.boolean(keep_catalogue_items, "keep_catalogue_items")
        if not isinstance(events, Events):
            # By its name, since readers make interactions themselves.
            built = import_module("cofactor.data.conversion").built
            return built(events, repeats, keep_catalogue_items, users=users, items=items)
        check_events(events)
        listed = listed_items(events.item_table) if keep_catalogue_items else None
        users = IdMap.of(events.users) if users is None else id_map(users, "users")
        held = [events.items] if listed is None else [events.items, listed]
        items = IdMap.of(*held) if items is None else id_map(items, "items")
        rows = (rows_of(users, events.users, "user"), rows_of(items, events.items, "item"))
        given = (*rows, events.values, events.times)
        keep, shape = repeats == KEEP, (len(users), len(items))
        columns = sorting.columns(*given, shape, "last" if keep else repeats)
        merged = columns.pop("notes")
        return cls(
            users=users,
            items=items,
            **columns,
            catalogue=aligned(items, events.item_table, "item_id"),
            profiles=aligned(users, events.user_table, "user_id"),
            source=events.source,
            notes=tuple(map(str, events.notes))
            + (() if keep else merged)
            + join_notes(items, events.item_table, "item")
            + join_notes(users, events.user_table, "user"),
            log=in_order(*given, *shape) if keep else None,
        )

    @classmethod
    def from_rows(
        cls,
        user_rows: np.ndarray,
        item_rows: np.ndarray,
        values: np.ndarray | None = None,
        times: np.ndarray | None = None,
        *,
        users: IdMap | int,
        items: IdMap | int,
        repeats: str = "last",
        source: str = "rows",
    ) -> Interactions:
        """Make interactions from rows that are known already; ``users`` and ``items`` may be
        counts (ids 0, 1, ...).

        Raises
        ------
        ArgumentError
            If rows are out of range, or the columns differ in length.
        DataError
            If a value is NaN, infinite or complex, or a time can't be a second since 1970.
        """
        checks.choice(repeats, "repeats", REPEATS)
        users, items = id_map(users, "users"), id_map(items, "items")
        user_rows = checks.rows(user_rows, "user_rows", len(users))
        item_rows = checks.rows(item_rows, "item_rows", len(items))
        same_length(source, user_rows=user_rows, item_rows=item_rows, values=values, times=times)
        values = None if values is None else checked_values(values, source)
        times = None if times is None else checked_seconds(times, source)
        if times is not None:
            refuse_written_dates(times, source)
        given = (user_rows, item_rows, values, times)
        columns = sorting.columns(*given, (len(users), len(items)), repeats)
        # What was sorted already is taken as it is, and a caller may go on writing into its arrays.
        for name, array in (("item_rows", item_rows), ("values", values), ("times", times)):
            if array is not None and np.may_share_memory(columns[name], array):
                columns[name] = columns[name].copy()
        return cls(
            users=users,
            items=items,
            **columns,
            catalogue=Catalogue.nothing(len(items)),
            profiles=Catalogue.nothing(len(users)),
            source=source,
        )

    @classmethod
    def from_matrix(
        cls, matrix: Any, *, users: IdMap | None = None, items: IdMap | None = None
    ) -> Interactions:
        """Make interactions from a SciPy sparse matrix of users by items; stored zeros are
        interactions of value 0, and entries that repeat are added up, as SciPy takes them.

        Raises
        ------
        DataError
            If an entry is NaN, infinite or complex.
        ArgumentError
            If it isn't a sparse matrix.
        """
        coo = summed(matrix)
        n_users, n_items = coo.shape
        return cls.from_rows(
            coo.row,
            coo.col,
            coo.data,
            users=users if users is not None else n_users,
            items=items if items is not None else n_items,
            source="matrix",
        )

    def __len__(self) -> int:
        return len(self.item_rows)

    def __repr__(self) -> str:
        return (
            f"Interactions({self.n_users:,} users × {self.n_items:,} items, {len(self):,}"
            " interactions, "
            f"density {self.density:.3%}{', values' if self.values is not None else ''}"
            f"{', times' if self.times is not None else ''})"
        )

    def _repr_html_(self) -> str:
        from cofactor.data.data_html import interactions_html

        return interactions_html(self)

    @property
    def n_users(self) -> int:
        """The number of user rows."""
        return len(self.users)

    @property
    def n_items(self) -> int:
        """The number of item rows."""
        return len(self.items)

    @property
    def density(self) -> float:
        """The share of all user-item pairs that are interactions."""
        return len(self) / max(1, self.n_users * self.n_items)

    @property
    def weights(self) -> np.ndarray:
        """The values, or ones where the data has none, float32 [n]."""
        return np.ones(len(self), np.float32) if self.values is None else self.values

    @cached_property
    def order(self) -> np.ndarray:
        """The position of each interaction in its source, int64 [n].

        Equal times are ordered by it, and without times it is the order of time.
        """
        return np.arange(len(self)) if self.source_order is None else self.source_order

    @cached_property
    def user_rows(self) -> np.ndarray:
        """The user row of each interaction, int32 [n], ascending."""
        return np.repeat(np.arange(self.n_users, dtype=np.int32), np.diff(self.indptr))

    @cached_property
    def by_item(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The transposed matrix: indptr int64 [n_items + 1], user rows int32 ascending, positions
        int64 in this order.

        ``self.values[positions]`` are the values in the transposed order.
        """
        indptr, rows, positions = sorting.by_item(self.indptr, self.item_rows, self.n_items)
        if is_mapped(self.item_rows):
            return indptr, moved(rows), moved(positions)
        return indptr, rows, positions

    @cached_property
    def user_counts(self) -> np.ndarray:
        """The number of interactions of each user, int64 [n_users]."""
        return np.diff(self.indptr)

    @cached_property
    def item_counts(self) -> np.ndarray:
        """The number of interactions of each item, int64 [n_items]."""
        return row_counts(self.item_rows, self.n_items)

    @cached_property
    def chronological(self) -> np.ndarray:
        """The positions of all interactions, by user and within a user oldest first, int64 [n].

        Equal times are ordered by their position in the source; without times that position alone
        is the order."""
        return sorting.chronological(self.indptr, self.source_order, self.times)

    @cached_property
    def fingerprint(self) -> str:
        """A SHA-256 (hex) of the ids, pairs, values, times and, where it stands for time, of the
        order.
        """
        # Where there are no times, each user's order in the source is the order of time (its
        # numbers as such mean nothing).
        in_order = self.item_rows[self.chronological] if self.times is None else None
        log = () if self.log is None else (self.log.indptr, self.log.item_rows)
        arrays = (self.indptr, self.item_rows, self.values, self.times, in_order, *log)
        return fingerprint_of(self.users, self.items, arrays)

    def histories(self, user_rows: np.ndarray | None = None) -> Histories:
        """Return the users' histories in order of time (all users if None), with their repeats
        where those are kept.
        """
        if self.log is not None:
            return self.log if user_rows is None else self.log.take(user_rows)
        indptr, positions = self.indptr, self.chronological
        if user_rows is not None:
            user_rows = checks.rows(user_rows, "user_rows", self.n_users)
            indptr, places = pick_rows(indptr, user_rows)
            positions = positions[places]
        values, times = picked(self.values, positions), picked(self.times, positions)
        return Histories(indptr, self.item_rows[positions], values, times, self.n_items)

    def items_of(self, user_row: int) -> np.ndarray:
        """Return the item rows of a user's interactions, int32 ascending."""
        user_row = checks.integer(user_row, "user_row", low=0, high=self.n_users - 1)
        return self.item_rows[self.indptr[user_row] : self.indptr[user_row + 1]]

    def catalogue_titles(self, item_rows: Any) -> list[str]:
        """Return the titles of some items, or their ids where there is no title."""
        titles = self.catalogue.titles(item_rows)
        pairs = zip(self.items.ids(item_rows), titles, strict=True)
        return [str(i) if t is None else t for i, t in pairs]

    def matrix(self) -> Any:
        """Return a SciPy CSR matrix of float32 (users × items) that shares this data; values or
        ones.
        """
        return sorting.sparse_rows(self.indptr, self.item_rows, self.n_items, self.weights)

    def where(self, keep: np.ndarray, *notes: str) -> Self:
        """Return the interactions for which ``keep`` (bool [n]) holds, with the same id maps and
        so the same rows.
        """
        keep = checks.mask(keep, "keep", len(self))
        log = self.log
        if log is not None:  # the events of the kept pairs
            pairs = self.user_rows.astype(np.int64) * self.n_items + self.item_rows
            log = log.where(keep[np.searchsorted(pairs, log.owners * self.n_items + log.item_rows)])
        return replace(
            self,
            indptr=kept_offsets(self.indptr, keep),
            **self.at(keep),
            notes=self.notes + notes,
            log=log,
        )

    def at(self, which: np.ndarray) -> dict[str, Any]:
        """Return the columns of the interactions at some positions, or under a mask."""
        return {
            "item_rows": kept(self.item_rows, which),
            "source_order": kept(self.order, which),
            "values": picked(self.values, which),
            "times": picked(self.times, which),
        }

    def with_catalogue_items(self, table: pa.Table) -> Self:
        """Return the same interactions with a row for each item of a catalogue too, including those
        without interactions.

        Parameters
        ----------
        table
            With a column ``item_id``; it becomes the catalogue.
        """
        made: Self = with_listed_items(self, table)
        return made

    def compact(self) -> Self:
        """Return the same interactions without the users and items that have none; rows are
        numbered again.
        """
        users, items = np.flatnonzero(self.user_counts), np.flatnonzero(self.item_counts)
        if len(users) == self.n_users and len(items) == self.n_items:
            return self
        new_item = places_of(items, self.n_items)
        return replace(
            self,
            users=IdMap(self.users.take(users)),
            items=IdMap(self.items.take(items)),
            indptr=offsets(self.user_counts[users]),
            item_rows=new_item[self.item_rows],
            catalogue=taken(self.catalogue, items),
            profiles=taken(self.profiles, users),
            log=self.log and self.log.renumbered(users, new_item, len(items)),
        )
