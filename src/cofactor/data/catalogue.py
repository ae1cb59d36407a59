"""The catalogue: titles and columns that travel with the items (or with the users), aligned to
rows.
"""

from __future__ import annotations

import re
import unicodedata
from functools import reduce
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cofactor.base import checks
from cofactor.base.cached import cached_property
from cofactor.base.errors import ArgumentError, DataError
from cofactor.base.names import unknown_name
from cofactor.data.ids import IdMap
from cofactor.data.records import python_cells
from cofactor.data.title_names import DESCRIPTION_NAMES, TITLE_NAMES, letters_of

# Letters that what a table calls descriptions has at most, if they are its titles.
_LONGEST_TITLE = 80
_UNSPACED = 0x2E80  # Chinese, Japanese, Korean characters begin here


class Catalogue:
    """A table with one line per row of an id map; nulls where nothing is known of an item.

    Parameters
    ----------
    table
        Arrow table with as many lines as there are rows, in row order.
    title
        The column that names an item to people, or None.
    """

    def __init__(self, table: pa.Table, title: str | None = None) -> None:
        checks.of_kind(table, "table", pa.Table, "an Arrow table")
        if title is not None and title not in table.column_names:
            raise unknown_name("column of the catalogue", title, table.column_names)
        self.table = table
        self.title_column = title if title is not None else title_column(table)

    @classmethod
    def aligned(
        cls, ids: IdMap, table: pa.Table, id_column: str, title: str | None = None
    ) -> Catalogue:
        """Align a table of any order to the rows of an id map; of an id that repeats, the first
        line counts.

        Raises
        ------
        UnknownNameError
            If ``id_column`` isn't a column of the table.
        """
        if id_column not in table.column_names:
            raise unknown_name("column of the catalogue", id_column, table.column_names)
        rows = ids.find(table.column(id_column))
        lines = np.full(len(ids), -1, np.int64)
        known = np.flatnonzero(rows >= 0)
        # Written backwards, so that the first line of a repeated id is the one that stays.
        lines[rows[known[::-1]]] = known[::-1]
        index = pa.array(lines, mask=lines < 0)
        rest = table.drop_columns([id_column])
        if WITHOUT_ID in (rest.schema.metadata or {}):
            rest = rest.replace_schema_metadata(None)
        # Arrow can't take from a table without columns: the count of lines would be lost.
        return cls(rest.take(index) if rest.num_columns else _empty(len(ids)), title)

    def realigned(self, old: IdMap, new: IdMap) -> Catalogue:
        """Return the catalogue of the rows of ``old`` aligned to those of another id map."""
        if not self.column_names:
            return Catalogue.nothing(len(new))
        table = self.table.append_column(_OLD, old.arrow)
        return Catalogue.aligned(new, table, _OLD, self.title_column)

    @classmethod
    def nothing(cls, n_rows: int) -> Catalogue:
        """Return a catalogue without columns: nothing is known of any item."""
        return cls(_empty(n_rows))

    def __len__(self) -> int:
        return self.table.num_rows

    def __repr__(self) -> str:
        named = f", titles in {self.title_column!r}" if self.title_column else ""
        return f"Catalogue({len(self)} rows, columns {self.column_names}{named})"

    def _repr_html_(self) -> str:
        from cofactor.data.data_html import catalogue_html

        return catalogue_html(self)

    @property
    def column_names(self) -> list[str]:
        """The names of the columns."""
        return [name for name in self.table.column_names if name != FILLER]

    def titles(self, rows: Any) -> list[str | None]:
        """Return the titles of some rows; None where there is none."""
        wanted = checks.rows(rows, "rows", len(self))
        if self.title_column is None:
            return [None] * len(wanted)
        return [
            None if t is None else str(t)
            for t in self.table.column(self.title_column).take(pa.array(wanted)).to_pylist()
        ]

    def row(self, row: int) -> dict[str, Any]:
        """Return one row's columns as a dictionary, without the missing ones."""
        row = checks.integer(row, "row", low=0, high=len(self) - 1)
        line = self.table.slice(row, 1)
        cells = {name: python_cells(line.column(name))[0] for name in self.column_names}
        return {name: value for name, value in cells.items() if value is not None}

    def search(self, words: str, limit: int = 10) -> np.ndarray:
        """Return the rows whose titles hold all of the words, the best first, int64.

        Case, accents and punctuation don't matter; each word may be the beginning of one in the
        title, and in scripts without spaces any part of it. Titles that equal the words come first,
        then those that begin with them, then shorter before longer, then by row."""
        if self.title_column is None:
            raise ArgumentError(
                "these items have no titles to search; ask by id, or read the data with a"
                " catalogue."
            )
        checks.of_kind(words, "words", str, "a text")
        limit = checks.integer(limit, "limit", low=0)
        wanted = folded(words)
        rows = self.rows_holding(wanted)
        texts = self.folded_titles.take(pa.array(rows)).to_pylist()

        def rank(hit: tuple[str, int]) -> tuple[bool, bool, int, int]:
            return *title_order(hit[0], wanted), len(hit[0]), hit[1]

        best = sorted(zip(texts, rows, strict=True), key=rank)[:limit]
        return np.array([row for _, row in best], np.int64)

    def rows_holding(self, wanted: str) -> np.ndarray:
        """Return the rows whose titles hold all words of a `folded` text, int64 ascending; none for
        no words. In scripts without spaces a word may stand anywhere in a title.
        """
        held = [pc.match_substring(self.folded_titles, needle) for needle in needles_of(wanted)]
        every = reduce(pc.and_, held) if held else pa.array([], pa.bool_())
        return np.flatnonzero(every.to_numpy(zero_copy_only=False))

    def with_rows(self, table: pa.Table) -> Catalogue:
        """Return a catalogue with more lines at its end; columns that one side lacks are null
        there.
        """
        try:
            joined = pa.concat_tables([self.table, table], promote_options="permissive")
        except pa.ArrowInvalid as error:
            raise DataError(f"the new items' columns don't fit the catalogue's: {error}") from None
        return Catalogue(joined, self.title_column)

    @cached_property
    def folded_titles(self) -> pa.Array:
        """The titles as `folded`, each after a space, so that words begin with one."""
        titles = self.titles(np.arange(len(self)))
        return pa.array([" " + folded(title or "") for title in titles], pa.large_string())


# What a table read as a catalogue says of the lines that were left out for want of an id.
WITHOUT_ID = b"lines without an id"
# What a column's field says of its numbers if all were written with one unit: kg, $.
UNIT = b"unit"
FILLER = "__rows__"
_OLD = "__old_id__"


def _empty(n_rows: int) -> pa.Table:
    return pa.table({FILLER: pa.nulls(n_rows)})


def title_column(table: pa.Table) -> str | None:
    """Return the column of a table that names an item to people, None if there is none."""
    if table.column_names == [FILLER]:
        return None
    # Of "meta.title" and "movie_title:token_seq" a part says it.
    parts = {re.sub(r"^.*\.|:.*$", "", name): name for name in reversed(table.column_names)}
    parts = {part: name for part, name in parts.items() if "title" in part.lower()}
    whole = {name: name for name in reversed(table.column_names)}
    by_fold = {letters_of(part): name for part, name in {**parts, **whole}.items()}
    found = next((by_fold[name] for name in TITLE_NAMES if name in by_fold), None)
    described = next((by_fold[name] for name in DESCRIPTION_NAMES if name in by_fold), None)
    if found is not None or described is None:
        return found
    column = table.column(described)
    if not pa.types.is_string(column.type) and not pa.types.is_large_string(column.type):
        return None
    longest = pc.max(pc.utf8_length(column)).as_py()
    return described if longest is not None and longest <= _LONGEST_TITLE else None


def title_order(title: str, wanted: str) -> tuple[bool, bool]:
    """Return what titles that hold words are sorted by: those that equal them come first, then
    those that begin with them; both `folded`, the title after a space.
    """
    return title[1:] != wanted, not title[1:].startswith(wanted)


def needles_of(wanted: str) -> list[str]:
    """Return what a title must hold of each word of a `folded` text: its beginning, or, in scripts
    without spaces, anything of it; the title after a space.
    """
    return [
        word if any(ord(c) >= _UNSPACED for c in word) else " " + word for word in wanted.split()
    ]


def folded(text: str) -> str:
    """Return text without case, accents and punctuation, its words separated by single spaces."""
    plain = "".join(
        c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c)
    )
    return " ".join(re.findall(r"\w+", plain))
