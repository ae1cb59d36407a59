"""What reranking knows about the items: entries of columns, ages, groups, vectors."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cofactor.base.cached import cached_property
from cofactor.base.errors import ArgumentError
from cofactor.base.names import unknown_name
from cofactor.base.offsets import owners_of, pick_rows, row_offsets
from cofactor.base.rng import generator
from cofactor.data.arrow import is_list_type, is_text_type, one_array
from cofactor.data.catalogue import Catalogue
from cofactor.data.interactions import Interactions
from cofactor.retrieval.filters import matches
from cofactor.retrieval.rerank.rules import LONG_TAIL, NEW
from cofactor.retrieval.topk import unit_length

_DAY = 86_400.0
_YEARS = 10_000  # numbers below are years, others seconds since 1970
_TAIL = 0.2  # of the interactions
_WIDTH = 64  # of the projections that stand for the vectors of a model without any
_BLOCK = 65_536


@dataclass(frozen=True)
class Entries:
    """The entries of one column, as CSR over the items.

    Parameters
    ----------
    indptr
        int64 [n_items + 1].
    codes
        int64: the number of each entry, from 0.
    names
        What the numbers stand for.
    """

    indptr: np.ndarray
    codes: np.ndarray
    names: list[str]

    def of(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the entries of some items as pairs: place among ``rows``, and code."""
        indptr, positions = pick_rows(self.indptr, rows)
        return owners_of(np.diff(indptr)), self.codes[positions]


@dataclass(frozen=True)
class ItemSide:
    """The items of a model, as reranking sees them.

    Parameters
    ----------
    data
        What the model was fitted on.
    catalogue
        What is known about the items now; None for the data's own.
    vectors
        Returns the model's item vectors, float32 [n_items, width]; None where it has none: then
        random projections of the items' interactions stand for them, whose cosines are those of the
        interactions within about 1/8 (Achlioptas 2003).
    now
        Seconds since 1970; None for the last training interaction, or the clock without times.
    """

    data: Interactions
    catalogue: Catalogue | None = None
    vectors: Callable[[], np.ndarray] | None = None
    now: float | None = None
    _kept: dict[tuple[str, str], Any] = field(default_factory=dict, repr=False)

    @property
    def table(self) -> Catalogue:
        """The catalogue that counts."""
        return self.data.catalogue if self.catalogue is None else self.catalogue

    @property
    def moment(self) -> float:
        """The time from which ages are measured."""
        if self.now is not None:
            return self.now
        times = self.data.times
        return time.time() if times is None or not len(times) else float(times.max())

    def entries(self, column: str) -> Entries:
        """Return the entries of a column.

        Raises
        ------
        UnknownNameError
            If the catalogue has no such column.
        ArgumentError
            If it holds what has no words, such as records or bytes.
        """
        return self._once("entries", column, lambda: self._entries(column))

    def _entries(self, name: str) -> Entries:
        column = self._column(name)
        try:
            return _entries(column)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            raise ArgumentError(
                f"the column {name!r} holds {column.type}, which has no entries; name one of texts,"
                " numbers, or lists of them."
            ) from None

    def units(self, column: str | None) -> Any:
        """Return what makes items alike, with length 1 or 0: dense float32 [n_items, width], or the
        entries of a column as SciPy CSR.
        """
        if column is None:
            return self._vectors
        return self._once("units", column, lambda: _indicators(self.entries(column)))

    def group(self, name: str) -> np.ndarray:
        """Return which items are ``new``, of the ``long_tail``, or fulfil a condition, bool
        [n_items].
        """
        if name == NEW:
            return np.asarray(self.data.item_counts == 0)
        if name == LONG_TAIL:
            return self._long_tail
        return self._once("group", name, lambda: matches(name, self.table))

    def ages(self, column: str | None) -> np.ndarray:
        """Return the items' ages in days, float64 [n_items]; infinite where nothing is known.

        Raises
        ------
        ArgumentError
            If the column holds no dates, or there are no times.
        """
        return self._once("ages", column or "", lambda: self._ages(column))

    def _ages(self, column: str | None) -> np.ndarray:
        if column is None:
            born = self._first_times()
        else:
            born = _seconds(self._column(column), column)
        return np.where(np.isnan(born), np.inf, np.maximum(0.0, self.moment - born) / _DAY)

    def _first_times(self) -> np.ndarray:
        data = self.data
        if data.times is None:
            raise ArgumentError(
                "fresh without a column goes by the items' first interactions, and the training"
                " data has no times; name a column: fresh=0.2 by released."
            )
        first = np.full(data.n_items, np.inf)
        np.minimum.at(first, data.item_rows, data.times.astype(np.float64))
        # Items without interactions are the freshest.
        return np.where(np.isinf(first), self.moment, first)

    def _column(self, name: str) -> pa.Array:
        names = self.table.column_names
        if name not in names:
            if not names:
                raise ArgumentError(
                    f"rerank names the column {name!r}, and these items have no catalogue; train"
                    " with one (--items)."
                )
            raise unknown_name("column of the catalogue", name, names)
        return one_array(self.table.table.column(name))

    def _once(self, kind: str, name: str, make: Callable[[], Any]) -> Any:
        if (kind, name) not in self._kept:
            self._kept[kind, name] = make()
        return self._kept[kind, name]

    @cached_property
    def _long_tail(self) -> np.ndarray:
        counts = self.data.item_counts
        order = np.argsort(counts, kind="stable")
        below = np.cumsum(counts[order]) <= _TAIL * counts.sum()
        tail = np.zeros(len(counts), bool)
        tail[order[below]] = True
        return tail

    @cached_property
    def _vectors(self) -> np.ndarray:
        if self.vectors is not None:
            return unit_length(np.asarray(self.vectors(), np.float32))
        data = self.data
        made = np.zeros((data.n_items, _WIDTH), np.float32)
        rng = generator(0, "rerank")
        for start in range(0, data.n_users, _BLOCK):
            stop = min(start + _BLOCK, data.n_users)
            signs = rng.choice(np.array([-1, 1], np.float32), (stop - start, _WIDTH))
            span = slice(data.indptr[start], data.indptr[stop])
            made += _counts(data, start, stop).T @ signs if span.stop > span.start else 0
        return unit_length(made)


def _counts(data: Interactions, start: int, stop: int) -> Any:
    """The interactions of a block of users as ones, SciPy CSR."""
    from scipy.sparse import csr_matrix

    indptr = data.indptr[start : stop + 1]
    items = data.item_rows[indptr[0] : indptr[-1]]
    ones = np.ones(len(items), np.float32)
    return csr_matrix((ones, items, indptr - indptr[0]), shape=(stop - start, data.n_items))


def _entries(column: pa.Array) -> Entries:
    kind = column.type
    lists = column if is_list_type(kind) else pc.split_pattern(pc.cast(column, pa.string()), "|")
    owners = np.asarray(pc.list_parent_indices(lists), np.int64)
    texts = pc.utf8_trim_whitespace(pc.cast(lists.flatten(), pa.string()))
    some = np.asarray(pc.fill_null(pc.not_equal(texts, ""), False), bool)
    owners, texts = owners[some], texts.filter(pa.array(some))
    coded = texts.dictionary_encode()
    codes = np.asarray(coded.indices, np.int64)
    names = coded.dictionary.to_pylist()
    # An entry that an item has twice counts once.
    pairs = np.unique(owners * max(1, len(names)) + codes)
    owners, codes = pairs // max(1, len(names)), pairs % max(1, len(names))
    return Entries(row_offsets(owners, len(column)), codes, names)


def _indicators(entries: Entries) -> Any:
    """The entries as rows of length 1."""
    from scipy.sparse import csr_matrix

    sizes = np.diff(entries.indptr)
    values = np.repeat(1.0 / np.sqrt(np.maximum(sizes, 1)), sizes).astype(np.float32)
    shape = (len(sizes), max(1, len(entries.names)))
    return csr_matrix((values, entries.codes, entries.indptr), shape=shape)


def _seconds(column: pa.Array, name: str) -> np.ndarray:
    """Dates as seconds since 1970, float64; NaN where there is none."""
    kind = column.type
    if is_text_type(kind):
        try:
            column = pc.cast(column, pa.timestamp("s"))
        except pa.ArrowInvalid:
            raise ArgumentError(
                f"fresh by {name}: the column holds texts that aren't dates such as 2024-05-31;"
                " name a column of dates, seconds or years."
            ) from None
        kind = column.type
    if pa.types.is_temporal(kind) and not (pa.types.is_time(kind) or pa.types.is_duration(kind)):
        whole = pc.cast(pc.cast(column, pa.timestamp("s"), safe=False), pa.int64())
        return np.asarray(pc.cast(whole, pa.float64()).to_numpy(zero_copy_only=False), np.float64)
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        raise ArgumentError(
            f"fresh by {name}: the column holds {kind}; name a column of dates, seconds or years."
        )
    values = np.asarray(
        pc.cast(column, pa.float64(), safe=False).to_numpy(zero_copy_only=False), np.float64
    )
    if np.nanmax(values, initial=0) < _YEARS:
        return (values - 1970) * 365.25 * _DAY
    return values
