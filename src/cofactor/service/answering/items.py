"""Items as they are now: the model's catalogue, overridden by the store."""

from __future__ import annotations

import itertools
import threading
from collections import OrderedDict
from collections.abc import Iterable
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from cofactor.data.arrow import value_type
from cofactor.data.catalogue import Catalogue
from cofactor.data.ids import EXACT, wire_id
from cofactor.data.interactions import Interactions
from cofactor.retrieval.filters import matches
from cofactor.retrieval.rerank.item_attributes import ItemSide
from cofactor.retrieval.topk import OrderedItems
from cofactor.service.answering.images import CatalogueImages
from cofactor.service.answering.item_search import ItemSearch
from cofactor.store import MAX_BATCH, Store, StoredItem
from cofactor.store.queries import last_change

_FILTERS_KEPT = 64
_HELD = 200_000  # titles up to which a list in memory is cheaper than asking Arrow at each answer


class LiveItems:
    """What the store says of items, in memory, and kept up with every acknowledged change.

    Parameters
    ----------
    store
        Where changes are kept.
    image_hosts
        Hosts whose images may be shown.
    others
        Whether other processes may change items in the same store: workers, replicas.
    """

    def __init__(
        self, store: Store, image_hosts: tuple[str, ...] = (), *, others: bool = False
    ) -> None:
        self._store, self.others = store, others
        self.image_hosts = image_hosts
        self._lock = threading.Lock()
        self._looking = threading.Lock()
        # Items whose change is on disk, or may be, and not yet here.
        self._owed: dict[str, None] = {}
        # Texts stay in the store; titles and features are needed at every answer.
        self.described: dict[str, StoredItem] = {}
        # Item -> title, and the same as searches read it; made at the first search.
        self.folded: dict[str, tuple[str, str]] = {}
        self.views: list[ItemView] = []
        with store.snapshot() as session:
            self._looked_at = last_change(session)
        for item in store.all_items():
            self.described[item.item_id] = _without_text(item)

    def owe(self, item_ids: Iterable[str]) -> None:
        """Note that the store may say something new of some items."""
        with self._lock:
            self._owed.update(dict.fromkeys(item_ids))

    @property
    def owes(self) -> bool:
        """Whether something noted is yet to be taken over."""
        return bool(self._owed)

    def catch_up(self) -> None:
        """Take over the store's word on all items that were noted. Whoever comes last reads the
        latest, so the order of calls doesn't matter; if reading fails they stay noted.
        """
        with self._lock:
            while self._owed:
                item_ids = list(itertools.islice(self._owed, MAX_BATCH))
                found = self._store.items(item_ids)
                for item_id in item_ids:
                    if item_id in found:
                        self.described[item_id] = _without_text(found[item_id])
                for view in self.views:
                    view.update(item_ids)
                for item_id in item_ids:
                    del self._owed[item_id]

    def follow_others(self) -> bool:
        """Take over what other processes have changed; return whether items may have come.

        Raises
        ------
        StoreError
            If the store can't be read.
        """
        grown = False
        with self._looking:
            while changes := self._store.item_changes(self._looked_at):
                self.owe(change.item_id for change in changes)
                self.catch_up()
                self._looked_at = changes[-1].seq
                grown |= any(change.state == "visible" for change in changes)
        return grown

    def view(self, data: Interactions) -> ItemView:
        """Return the items of a model under what the store says."""
        with self._lock:
            made = ItemView(data, self)
            made.update(list(self.described))
            self.views.append(made)
            return made

    def forget(self, view: ItemView) -> None:
        """Stop keeping a view up to date."""
        with self._lock:
            self.views = [one for one in self.views if one is not view]

    def state(self, item_id: str) -> str:
        """Return ``visible``, ``hidden`` or ``deleted``."""
        item = self.described.get(item_id)
        return "visible" if item is None else item.state


class ItemView:
    """The items of one model as they stand now.

    Parameters
    ----------
    data
        What the model was fitted on: ids and catalogue.
    live
        What the store says.
    """

    def __init__(self, data: Interactions, live: LiveItems) -> None:
        self.data = data
        self.live = live
        # bool [n_items]: what may be returned at all. Changed in place, element by element.
        self.visible = np.ones(data.n_items, np.bool_)
        self.changes = 0  # how often these items have changed
        self._visible_in_order: tuple[int, np.ndarray] | None = None
        self.renamed: dict[int, str | None] = {}  # the titles that the store gives, by row
        self._changed: dict[int, StoredItem] = {}
        self._masks: OrderedDict[str, np.ndarray] = OrderedDict()
        self._side: tuple[int, ItemSide] | None = None
        self._overlay: tuple[int, Catalogue, np.ndarray] | None = None
        self._search = ItemSearch(self)
        rows = np.arange(data.n_items if data.n_items <= _HELD else 0)
        self._listed = data.catalogue.titles(rows)
        self._numbers = np.asarray(data.items.arrow) if data.items.kind == "int64" else None
        self.images = CatalogueImages(data.catalogue, live.image_hosts)
        self._exact = (
            self._numbers is None
            or not len(self._numbers)
            or (int(self._numbers.min()) >= -EXACT and int(self._numbers.max()) <= EXACT)
        )

    def update(self, item_ids: list[str]) -> None:
        """Take over what the store says of some items."""
        found = self.data.items.find(item_ids)
        for item_id, row in zip(item_ids, found.tolist(), strict=True):
            item = self.live.described.get(item_id)
            # Another spelling of an id (" 50", from an older store) says nothing of the item 50.
            if row < 0 or item is None or str(self.data.items.ids([row])[0]) != item_id:
                continue
            self.visible[row] = item.state == "visible"
            self._changed[row] = item
            if item.title is not None:
                self.renamed[row] = item.title
            else:
                self.renamed.pop(row, None)
        self.changes += 1

    def visible_in_order(self, ordered: OrderedItems) -> np.ndarray:
        """Return `visible` in the order of the model's ordered items; made again after each
        change.
        """
        # The count is read first: what changes meanwhile is then looked at again next time.
        changes = self.changes
        if self._visible_in_order is None or self._visible_in_order[0] != changes:
            self._visible_in_order = (changes, ordered.in_order(self.visible))
        return self._visible_in_order[1]

    def catalogue(self) -> Catalogue:
        """Return what is known of all items now: the catalogue, overridden by the store."""
        base = self.data.catalogue
        overlay, rows = self._described()
        if not len(rows):
            return base
        lines = np.arange(len(base))
        lines[rows] = len(base) + np.arange(len(rows))
        both = pa.concat_tables([base.table, overlay.table])
        return Catalogue(both.take(pa.array(lines)), base.title_column)

    def side(self) -> ItemSide:
        """Return the items as rules and feeds see them, with the columns as they are now."""
        changes = self.changes
        if self._side is None or self._side[0] != changes:
            self._side = (changes, ItemSide(self.data, self.catalogue()))
        return self._side[1]

    def ids(self, rows: np.ndarray) -> list[Any]:
        """Return outside ids of item rows as they go out: integers that readers of JSON would
        round (beyond 2^53) as texts.
        """
        if self._numbers is None:
            return self.data.items.ids(rows)
        found = self._numbers[rows].tolist()
        return found if self._exact else [wire_id(i) for i in found]

    def titles(self, rows: np.ndarray) -> list[str | None]:
        """Return titles of item rows, None where there is none."""
        found = (
            [self._listed[row] for row in rows.tolist()]
            if self._listed
            else self.data.catalogue.titles(rows)
        )
        if self.renamed:
            found = [
                self.renamed.get(row, title)
                for row, title in zip(rows.tolist(), found, strict=True)
            ]
        return found

    def where(self, condition: str) -> np.ndarray:
        """Return the items that may be returned and for which a condition on their attributes
        holds, bool [n_items].
        """
        mask = self._masks.get(condition)
        if mask is None:
            mask = matches(condition, self.data.catalogue)
            self._masks[condition] = mask
            while len(self._masks) > _FILTERS_KEPT:
                self._masks.popitem(last=False)
        result = mask & self.visible
        if self._changed:
            catalogue, rows = self._described()
            if len(rows):
                result[rows] = matches(condition, catalogue) & self.visible[rows]
        return result

    def search(self, words: str, limit: int) -> list[tuple[Any, str, int]]:
        """Return ids, titles and rows (-1: the model doesn't know it) of visible items; see
        `ItemSearch`.
        """
        return self._search.find(words, limit)

    def _described(self) -> tuple[Catalogue, np.ndarray]:
        """The rows with features of their own in the store, as a catalogue of the same columns."""
        # The count of this view's own changes, read first: what changes meanwhile is then looked at
        # again next time. (The store's would be ahead of what this view has taken over.)
        version = self.changes
        overlay = self._overlay
        if overlay is None or overlay[0] != version:
            base = self.data.catalogue
            names = set(base.column_names)
            rows = [
                row
                for row, item in list(self._changed.items())
                if item.features or item.title is not None
            ]
            merged = [
                {**base.row(row), **_columns(self._changed[row], names, base.title_column)}
                for row in rows
            ]
            table = as_table(merged, base.table.schema)
            made = (version, Catalogue(table, base.title_column), np.array(rows, np.int64))
            self._overlay = made
            return made[1], made[2]
        return overlay[1], overlay[2]


def _columns(item: StoredItem, names: set[str], title: str | None) -> dict[str, Any]:
    found = {name: value for name, value in (item.features or {}).items() if name in names}
    if title is not None and item.title is not None:
        found[title] = item.title
    return found


def as_table(rows: list[dict[str, Any]], schema: pa.Schema) -> pa.Table:
    """Rows as a table of a schema; a value that doesn't fit its column counts as missing."""
    return pa.table(
        [_column([row.get(field.name) for row in rows], field.type) for field in schema],
        schema=schema,
    )


def _column(values: list[Any], kind: pa.DataType) -> pa.Array:
    plain = value_type(kind)
    try:
        made = pa.array(values, plain)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        made = pa.concat_arrays([_one(value, plain) for value in values])
    return made.dictionary_encode().cast(kind) if pa.types.is_dictionary(kind) else made


def _one(value: Any, kind: pa.DataType) -> pa.Array:
    if pa.types.is_string(kind) and isinstance(value, list):
        value = "|".join(str(entry) for entry in value)
    try:
        return pa.array([value], kind)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        return pa.nulls(1, kind)


def _without_text(item: StoredItem) -> StoredItem:
    return msgspec.structs.replace(item, text=None)
