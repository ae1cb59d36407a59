"""Book-Crossing: the original semicolon files of 2004, and the cleaned subset of
CaseRecommender.
"""

from __future__ import annotations

import html
import re
from dataclasses import replace
from typing import Any

import pyarrow as pa

from cofactor.base.errors import DataError
from cofactor.data.arrow import with_column
from cofactor.data.events import Events
from cofactor.data.notes import Note
from cofactor.data.readers.columns import Options
from cofactor.data.readers.id_columns import canonical
from cofactor.data.readers.layout import (
    Layout,
    begins_with,
    delimited_events,
    text_table,
)
from cofactor.data.readers.source_files import Source, SourceFile
from cofactor.data.readers.text_encoding import lines_of

_BOOK = (
    "item_id",
    "isbn",
    "title",
    "author",
    "year",
    "publisher",
    "image_small",
    "image_medium",
    "image_large",
)
# An entity that lost its semicolon to a tab: "&amp<tab> Company".
_CUT_ENTITY = re.compile(r"&(#\d+|#x[0-9a-f]+|[a-z]+\d*)$", re.IGNORECASE)


def read_original(place: Source, options: Options) -> Events:
    """Read the files of 2004: explicit ratings 1..10, and 0 for a book that was only accessed.

    Zeros aren't ratings: ``value=False`` keeps all rows as implicit feedback; otherwise the rows
    with 0 are left out."""
    writing: dict[str, Any] = {
        "delimiter": ";",
        "encoding": "latin-1",
        "escape": "\\",
        "quote": True,
    }
    events = delimited_events(place.get("BX-Book-Ratings.csv"), options, **writing)
    if events.values is not None and (events.values == 0).any():
        zeros = int((events.values == 0).sum())
        events = events.where(
            events.values != 0,
            Note.counting("left out", zeros, "row", " of value 0: accesses and no ratings"),
        )
    notes: list[str] = []
    books = users = None
    if (entry := place.find("BX-Books.csv")) is not None:
        books, more = text_table(entry, id_column="ISBN", **writing)
        books = books.rename_columns([_BOOK_NAMES.get(name, name) for name in books.column_names])
        notes += more
    if (entry := place.find("BX-Users.csv")) is not None:
        users, more = text_table(entry, id_column="User-ID", **writing)
        users = users.rename_columns({"User-ID": "user_id", "Location": "location", "Age": "age"})
        notes += more
    return replace(events, item_table=books, user_table=users).noted(*notes)


def read_ratings(place: Source, options: Options) -> Events:
    """Read the explicit ratings 1..10 of the cleaned subset."""
    return _with_tables(
        place, delimited_events(place.get("book_ratings.dat"), options, delimiter="\t", header=True)
    )


def read_history(place: Source, options: Options) -> Events:
    """Read the accesses of the cleaned subset, of which the ratings are a part: implicit
    feedback without values.
    """
    options = replace(options, value=False if options.value is None else options.value)
    return _with_tables(
        place, delimited_events(place.get("book_history.dat"), options, delimiter="\t", header=True)
    )


def read_books(entry: SourceFile) -> tuple[pa.Table, int]:
    """Read the subset's books, and how many of its rows had to be repaired.

    Semicolons stand as tabs in the published file, so that a title with ``&amp;`` has a field too
    many. A field that ends in an HTML entity without its semicolon is joined with the next one;
    fields that are still too many are semicolons within a title. Entities are then read as the
    characters they stand for. The tab that ends each line is dropped.

    Raises
    ------
    DataError
        If a row can't be repaired.
    """
    text = entry.read().decode("utf-8")
    rows, repaired, beyond = [], 0, []
    for number, line in enumerate(lines_of(text.rstrip("\r\n"))[1:], start=2):
        fields = line.rstrip("\r").removesuffix("\t").split("\t")
        if len(fields) != len(_BOOK):
            fields = _rejoined(fields)
            repaired += 1
        if len(fields) != len(_BOOK):
            beyond.append((number, line))
        rows.append([html.unescape(field) for field in fields])
    if beyond:
        raise DataError(
            f"{len(beyond)} rows don't have {len(_BOOK)} fields:", source=entry.shown, rows=beyond
        )
    columns = dict(zip(_BOOK, zip(*rows, strict=True), strict=True))
    years = [int(y) if y.isdigit() and int(y) else None for y in columns.pop("year")]
    table = pa.table({name: pa.array(column, pa.string()) for name, column in columns.items()})
    table = with_column(table, "item_id", canonical(table.column("item_id")))
    return table.append_column("year", pa.array(years, pa.int32())), repaired


def _rejoined(fields: list[str]) -> list[str]:
    whole: list[str] = []
    for field in fields:
        if whole and _CUT_ENTITY.search(whole[-1]):
            whole[-1] += ";" + field
        else:
            whole.append(field)
    # What is left over are semicolons within titles; the seven fields after the title have none.
    extra = len(whole) - len(_BOOK)
    return (
        whole if extra <= 0 else [*whole[:2], ";".join(whole[2 : 3 + extra]), *whole[3 + extra :]]
    )


def _with_tables(place: Source, events: Events) -> Events:
    books, repaired = read_books(place.get("items_info.dat"))
    people, more = text_table(
        place.get("users_info.dat"),
        ["user_id", "location", "age", "nothing"],
        id_column="user_id",
        delimiter="\t",
        header=True,
    )
    return replace(events, item_table=books, user_table=people.drop_columns(["nothing"])).noted(
        f"{repaired:,} rows of items_info.dat, cut at semicolons, were rejoined", *more
    )


_BOOK_NAMES = {
    "ISBN": "item_id",
    "Book-Title": "title",
    "Book-Author": "author",
    "Year-Of-Publication": "year",
    "Publisher": "publisher",
    "Image-URL-S": "image_small",
    "Image-URL-M": "image_medium",
    "Image-URL-L": "image_large",
}

LAYOUTS = (
    Layout(
        "Book-Crossing",
        lambda place: begins_with(place, "BX-Book-Ratings.csv", "User-ID", "ISBN"),
        read_original,
    ),
    Layout(
        "Book-Crossing, cleaned subset",
        lambda place: all(
            begins_with(place, name, "\t") for name in ("book_ratings.dat", "items_info.dat")
        ),
        read_ratings,
    ),
)
