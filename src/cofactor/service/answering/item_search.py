"""Finding items by words of their titles, or by their ids."""

from __future__ import annotations

import difflib
import threading
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from cofactor.data.catalogue import folded, needles_of, title_order
from cofactor.data.interactions import Interactions

_SPELLED = 30_000  # titles up to which misspelled words are looked for
_COMPARED = 300_000  # words of titles that a search compares with its own by their letters
_HITS_RANKED = 5_000


class SearchedItems(Protocol):
    """What a search needs of the items: their data, and what the store says of them."""

    data: Interactions
    live: Any
    visible: np.ndarray
    renamed: dict[int, str | None]

    def ids(self, rows: np.ndarray) -> list[Any]:
        """Return outside ids of item rows."""

    def titles(self, rows: np.ndarray) -> list[str | None]:
        """Return titles of item rows, None where there is none."""


class ItemSearch:
    """A search over the items of one model as they stand now.

    Parameters
    ----------
    view
        The items.
    """

    def __init__(self, view: SearchedItems) -> None:
        self._view = view
        self._folding = threading.Lock()
        self._words: list[str] | None = None

    def find(self, words: str, limit: int) -> list[tuple[Any, str, int]]:
        """Return ids, titles and rows (-1: the model doesn't know it) of visible items whose
        titles hold all words, the best first; before them the item that has them as its id. Where
        no title holds them, words that are spelled alike count, if those are few.
        """
        found = self._titled(folded(words), limit) or self._titled(self._respelled(words), limit)
        row = self._view.data.items.find_one(words.strip()) if words.strip() else -1
        if row < 0 or not self._view.visible[row]:
            return found
        at = np.array([row])
        named = (self._view.ids(at)[0], self._view.titles(at)[0] or "", row)
        return [named, *(one for one in found if one[2] != row)][:limit]

    def _respelled(self, words: str) -> str:
        """The words, each replaced by the most similar one of a title; empty without any."""
        texts = self._folded_titles()
        if texts is None or len(texts) > _SPELLED:
            return ""
        if self._words is None:
            self._words = sorted({word for text in texts.to_pylist() for word in text.split()})
        wanted = folded(words).split()
        if len(wanted) * len(self._words) > max(_COMPARED, len(self._words)):
            return ""
        each = [difflib.get_close_matches(w, self._words, 1, 0.7) for w in wanted]
        return " ".join(one[0] for one in each) if all(each) else ""

    def _titled(self, wanted: str, limit: int) -> list[tuple[Any, str, int]]:
        if not wanted:
            return []
        hits = self._base_hits(wanted) + self._stored_hits(wanted)
        counts = self._view.data.item_counts

        def rank(hit: tuple[str, Any]) -> tuple[bool, bool, int, int, str]:
            known = isinstance(hit[1], int)
            return (
                *title_order(hit[0], wanted),
                -int(counts[hit[1]]) if known else 0,
                len(hit[0]),
                str(hit[1]),
            )

        best = [key for _, key in sorted(hits, key=rank)[:limit]]
        rows = np.array([key for key in best if isinstance(key, int)], np.int64)
        shown = {
            int(r): (i, t or "")
            for r, i, t in zip(rows, self._view.ids(rows), self._view.titles(rows), strict=True)
        }
        return [
            (
                (*shown[key], key)
                if isinstance(key, int)
                else (key, self._view.live.described[key].title or "", -1)
            )
            for key in best
        ]

    def _stored_hits(self, wanted: str) -> list[tuple[str, Any]]:
        """Folded titles of the hits that the store names, with their rows, or ids without one."""
        hits: list[tuple[str, Any]] = []
        needles = needles_of(wanted)
        folded_titles = self._view.live.folded
        for item_id, item in list(self._view.live.described.items()):
            if item.state != "visible" or item.title is None:
                continue
            known = folded_titles.get(item_id)
            if known is None or known[0] != item.title:
                known = folded_titles[item_id] = (item.title, " " + folded(item.title))
            if all(needle in known[1] for needle in needles):
                row = self._view.data.items.find_one(item_id)
                hits.append((known[1], row if row >= 0 else item_id))
        return hits

    def _base_hits(self, wanted: str) -> list[tuple[str, Any]]:
        """Folded titles and rows of the catalogue's own hits, without those that the store
        renamed.
        """
        texts = self._folded_titles()
        if texts is None:
            return []
        rows = self._view.data.catalogue.rows_holding(wanted)
        rows = rows[self._view.visible[rows]]
        if len(rows) > _HITS_RANKED:
            rows = rows[
                np.argsort(-self._view.data.item_counts[rows], kind="stable")[:_HITS_RANKED]
            ]
        kept = [row for row in rows.tolist() if row not in self._view.renamed]
        return list(zip(texts.take(pa.array(kept, pa.int64())).to_pylist(), kept, strict=True))

    def _folded_titles(self) -> pa.Array | None:
        """The catalogue's folded titles, made by one thread, at the first search."""
        catalogue = self._view.data.catalogue
        if catalogue.title_column is None:
            return None
        with self._folding:
            return catalogue.folded_titles
