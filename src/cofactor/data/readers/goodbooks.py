"""goodbooks-10k: ratings, books with titles, authors and years, and readers' tags."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from cofactor.data.arrow import with_column
from cofactor.data.events import Events
from cofactor.data.readers.columns import Options
from cofactor.data.readers.layout import (
    Layout,
    begins_with,
    delimited_events,
    joined,
    text_table,
    words_of,
)
from cofactor.data.readers.source_files import Source, SourceFile

_TAGS_KEPT = 20


def read_goodbooks(place: Source, options: Options) -> Events:
    """Read goodbooks-10k: ratings 1..5, and books with title, authors, year, language and their
    most used tags.

    Where the full ``ratings.csv`` is missing, the publisher's sample of 99 rows is read, and the
    notes say so."""
    entry = place.get("ratings.csv")
    events = delimited_events(entry, options, delimiter=",")
    if "samples/" in _path(entry):
        events = events.noted(
            "only the publisher's sample of the ratings is there, not the 5,976,479 ratings: not"
            " for training"
        )
    books, notes = read_books(place)
    return replace(events, item_table=books).noted(*notes)


def read_books(place: Source) -> tuple[pa.Table, list[str]]:
    """Read the books, one line each, with their most used tags where both files of tags are
    there.
    """
    books, notes = text_table(place.get("books.csv"), id_column="book_id")
    books = books.rename_columns({"book_id": "item_id"})
    books = books.append_column(
        "year", books.column("original_publication_year").cast(pa.float64()).cast(pa.int32())
    )
    books = with_column(books, "authors", words_of(books.column("authors"), ", "))
    uses, names = place.find("book_tags.csv"), place.find("tags.csv")
    if uses is not None and names is not None and "samples/" not in _path(uses):
        books = joined(books, _tags(uses, names), "goodreads_book_id")
    return books, notes


def _tags(uses: SourceFile, names: SourceFile) -> pa.Table:
    counted, _ = text_table(uses, id_column="goodreads_book_id")
    words, _ = text_table(names, id_column="tag_id")
    counted = joined(counted, words, "tag_id").drop_null()
    counted = counted.sort_by(
        [("goodreads_book_id", "ascending"), ("count", "descending"), ("tag_id", "ascending")]
    )
    lists = counted.group_by("goodreads_book_id", use_threads=False).aggregate(
        [("tag_name", "list")]
    )
    kept = pc.list_slice(lists.column("tag_name_list"), 0, _TAGS_KEPT)
    return pa.table({"goodreads_book_id": lists.column("goodreads_book_id"), "tags": kept})


def _path(entry: SourceFile) -> str:
    return entry.member if entry.member is not None else entry.path.as_posix()


LAYOUTS = (
    Layout(
        "goodbooks-10k",
        lambda place: (
            begins_with(place, "ratings.csv", "user_id", "book_id")
            and begins_with(place, "books.csv", "book_id")
            and begins_with(place, "tags.csv", "tag_id")
        ),
        read_goodbooks,
    ),
)
