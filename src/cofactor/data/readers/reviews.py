"""JSON-lines dumps of reviews and shelves: Amazon (2014, 2018, 2023) and Goodreads (UCSD Book
Graph).
"""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa

from cofactor.data.arrow import with_column
from cofactor.data.events import Events
from cofactor.data.notes import Note
from cofactor.data.readers import delimited, jsonl
from cofactor.data.readers.assemble import assemble
from cofactor.data.readers.columns import Options
from cofactor.data.readers.id_columns import canonical
from cofactor.data.readers.layout import Layout
from cofactor.data.readers.source_files import Source, SourceFile

_AMAZON_FACTS = (
    "title",
    "brand",
    "store",
    "main_category",
    "categories",
    "category",
    "description",
    "features",
    "price",
)
_GOODREADS_FACTS = (
    "title",
    "title_without_series",
    "description",
    "publication_year",
    "language_code",
    "num_pages",
    "average_rating",
    "ratings_count",
    "publisher",
    "isbn",
    "work_id",
)


def read_amazon(place: Source, options: Options) -> Events:
    """Read Amazon reviews as events, with titles, brands and categories where a ``meta_`` file
    lies beside them.
    """
    reviews, meta = _amazon_files(place)
    assert reviews is not None
    events = assemble(jsonl.read_jsonl(reviews, options), options)
    if meta is None:
        return events
    about = jsonl.whole_table(meta)
    key = "parent_asin" if "parent_asin" in about.column_names else "asin"
    return replace(events, item_table=_facts(about, key, _AMAZON_FACTS))


def read_goodreads(place: Source, options: Options) -> Events:
    """Read Goodreads interactions; with titles and descriptions where ``goodreads_books*.json``
    lies beside them.
    """
    entry = _goodreads_file(place)
    assert entry is not None
    events = read_goodreads_file(entry, options)
    books = next(
        (e for e in place.entries if e.name.startswith("goodreads_books") and e.suffix == ".json"),
        None,
    )
    return (
        events
        if books is None
        else replace(
            events, item_table=_facts(jsonl.whole_table(books), "book_id", _GOODREADS_FACTS)
        )
    )


def read_goodreads_file(entry: SourceFile, options: Options) -> Events:
    """Read one file of Goodreads interactions.

    A rating of 0 says that a book was shelved or read and not rated: such rows are left out of
    ratings; ``value=False`` keeps all rows as implicit feedback."""
    read = jsonl.read_jsonl if entry.suffix == ".json" else delimited.read_delimited
    events = assemble(read(entry, options), options)
    if events.values is None or not (events.values == 0).any():
        return events
    rated = events.values != 0
    if not rated.any():
        return replace(events, values=None).noted("no row has a rating; read as implicit feedback")
    return events.where(
        rated,
        Note.counting(
            "left out",
            int((~rated).sum()),
            "row",
            " of rating 0: shelved books and no ratings",
        ),
    )


def is_goodreads(entry: SourceFile) -> bool:
    """Return whether a file is one of Goodreads' interactions, by its name."""
    return entry.name.startswith(
        ("goodreads_interactions", "goodreads_reviews")
    ) and entry.suffix in (".json", ".csv")


def _amazon_files(place: Source) -> tuple[SourceFile | None, SourceFile | None]:
    lines = [entry for entry in place.entries if entry.suffix in (".json", ".jsonl")]
    metas = [entry for entry in lines if entry.name.startswith("meta_")]
    reviews = [entry for entry in lines if entry not in metas]
    if len(reviews) != 1 or len(metas) > 1:
        return None, None
    head = reviews[0].head(1 << 14)
    is_review = b'"asin"' in head and (b'"reviewerID"' in head or b'"user_id"' in head)
    return (reviews[0], metas[0] if metas else None) if is_review else (None, None)


def _goodreads_file(place: Source) -> SourceFile | None:
    return next((entry for entry in place.entries if is_goodreads(entry)), None)


def _facts(table: pa.Table, key: str, facts: tuple[str, ...]) -> pa.Table:
    kept = table.select(
        [key, *(name for name in facts if name in table.column_names)]
    ).rename_columns({key: "item_id"})
    return with_column(kept, "item_id", canonical(kept.column("item_id").cast(pa.string())))


LAYOUTS = (
    Layout("Goodreads", lambda place: _goodreads_file(place) is not None, read_goodreads),
    Layout("Amazon reviews", lambda place: _amazon_files(place)[0] is not None, read_amazon),
)
