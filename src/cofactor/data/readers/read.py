"""`read`: interactions from whatever holds them."""

from __future__ import annotations

import os
import time as clock
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from cofactor.base import checks
from cofactor.base.errors import ArgumentError, DataError
from cofactor.base.progress import SILENT, Progress
from cofactor.data.events import Events
from cofactor.data.readers import frames, jsonl, parquet, reviews, sql
from cofactor.data.readers.assemble import Raw, assemble
from cofactor.data.readers.columns import USUAL, Options, folded
from cofactor.data.readers.delimited import dialect_of, read_delimited, read_text_table
from cofactor.data.readers.layout import typed
from cofactor.data.readers.layouts import layout_of
from cofactor.data.readers.lists import read_lists
from cofactor.data.readers.places import Entry, Place, is_zip

_RAW: Mapping[str, Callable[[Entry, Options], Raw]] = {
    "delimited": read_delimited,
    "jsonl": jsonl.read_jsonl,
    "parquet": parquet.read_parquet,
}
FORMATS = (*_RAW, "lists")
_SUFFIXES = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".json": "jsonl",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
}


def read(
    source: Any,
    *,
    format: str | None = None,
    user: str | int | None = None,
    item: str | int | None = None,
    value: str | int | bool | None = None,
    time: str | int | bool | None = None,
    delimiter: str | None = None,
    header: bool | None = None,
    encoding: str | None = None,
    quote: bool | None = None,
    escape: str | None = None,
    time_unit: str | None = None,
    items: Any = None,
    item_id: str | None = None,
    member: str | None = None,
    table: str | None = None,
    query: str | None = None,
    on_bad: str = "error",
    now: float | None = None,
    progress: Progress = SILENT,
) -> Events:
    """Read interactions.

    Parameters
    ----------
    source
        A file (csv, tsv, dat, txt, parquet, jsonl; any of them gzipped or in a zip), a folder or
        zip of a known layout (MovieLens, Book-Crossing ...), the name of a public dataset that is
        there (`cofactor.data.datasets`), ``sqlite:///file.db``, an event store (also
        ``postgresql://``), a data frame (pandas, polars, duckdb, Arrow), a SciPy sparse matrix of
        users by items, or an iterable of tuples ``(user, item[, value[, time]])``.
    format
        ``"delimited"``, ``"parquet"``, ``"jsonl"`` or ``"lists"`` (a line per user: ``user item
        item ...``); None to tell it from the name and the content.
    user, item, value, time
        The column of each, by name or by position from 0; None to find it by the usual names
        (``userId``, ``reviewerID``, ``asin``, ``overall``, ``unixReviewTime`` ...). False leaves
        ``value`` or ``time`` out, True insists on it.
    delimiter, header, encoding, quote, escape
        How text is written, None to tell it from the file: the text between fields (of any length),
        whether the first line names the columns, the encoding, whether ``"`` encloses fields, and
        the character before a quote that is none.
    time_unit
        ``"s"``, ``"ms"``, ``"us"`` or ``"ns"`` for times that are bare numbers; None to tell it
        from their size.
    items
        The catalogue: a file or a data frame with a column of item ids; it replaces what the source
        itself knows of items.
    item_id
        The id column of ``items``; None to find it.
    member
        Which file of a zip or a folder; None if there is only one, or if the layout is known.
    table, query
        Of a database: the table, or the SELECT, to read.
    on_bad
        ``"error"``: bad rows are refused, with their lines; ``"skip"``: they are left out, and the
        notes say how many.
    now
        Seconds since 1970: times more than a day later are bad; None for the clock's.
    progress
        Where to report to.

    Returns
    -------
    Events
        In the order of the source; its notes say which columns were taken and what was left out.

    Raises
    ------
    DataError
        If there is nothing in it, a column is missing, or rows are bad: with the file, the lines
        and the cure.
    UnknownNameError
        If a column, a format or a dataset doesn't exist; the nearest names are offered.
    """
    checks.choice(on_bad, "on_bad", ("error", "skip"))
    if format is not None:
        checks.choice(format, "format", FORMATS)
    options = Options(
        user=user,
        item=item,
        value=value,
        time=time,
        delimiter=delimiter,
        header=header,
        encoding=encoding,
        quote=quote,
        escape=escape,
        on_bad=on_bad,
        now=clock.time() if now is None else checks.real(now, "now"),
        time_unit=time_unit,
        progress=progress,
    )
    events = _events(source, options, format=format, member=member, table=table, query=query)
    if items is not None:
        events = replace(events, item_table=read_table(items, id_column=item_id, encoding=encoding))
    return events


def read_table(
    source: Any, *, id_column: str | None = None, to: str = "item_id", encoding: str | None = None
) -> pa.Table:
    """Read a table of what is known of items or users, such as a catalogue with titles and texts.

    Parameters
    ----------
    source
        A file (csv and the like, Parquet, JSON lines; gzipped too), or a data frame.
    id_column
        The column that holds the ids; None to find it by the usual names.
    to
        What the id column is called in the table returned: ``"item_id"`` or ``"user_id"``.
    encoding
        Of text files; None for UTF-8, or Latin-1 where it isn't.

    Raises
    ------
    DataError
        If no column is named like an id.
    """
    kind = to.removesuffix("_id")
    if isinstance(source, (str, os.PathLike)):
        found, shown = _file_table(Path(source), id_column, kind, encoding), str(source)
    else:
        found, shown = frames.whole_table(source), "the table"
    name = id_column if id_column is not None else _id_name(found.column_names, kind, shown)
    if name not in found.column_names:
        raise DataError(
            f"there is no column {name!r}; the columns are {', '.join(found.column_names)}.",
            source=shown,
        )
    place = found.column_names.index(name)
    column = found.column(name)
    if pa.types.is_dictionary(column.type):
        column = pc.cast(column, column.type.value_type)
    ids = (
        column.cast(pa.int64())
        if pa.types.is_integer(column.type)
        else typed(column.cast(pa.string()))
    )
    return found.set_column(place, to, ids)


def _events(source: Any, options: Options, **asked: str | None) -> Events:
    if isinstance(source, str) and source.startswith("sqlite:"):
        return sql.read_sqlite(source, options, table=asked["table"], query=asked["query"])
    if isinstance(source, str) and source.startswith(("postgresql:", "postgres:")):
        return sql.read_postgres(source, options)
    if isinstance(source, str) and "://" in source:
        raise ArgumentError(
            f"cofactor reads sqlite:/// and postgresql:// URLs and files, not {source!r}; fetch it"
            " first, or pass a data frame."
        )
    if isinstance(source, (str, os.PathLike)):
        return _from_path(source, options, asked["format"], asked["member"])
    if isinstance(source, Events):
        return source
    if hasattr(source, "tocoo"):
        return frames.from_matrix(source)
    if frames.is_frame(source):
        return assemble(frames.read_frame(source, options), options)
    if isinstance(source, Iterable):
        return assemble(frames.read_tuples(source, options), options)
    raise ArgumentError(
        "source must be a path, a dataset's name, a database URL, a data frame, a sparse matrix or"
        f" an iterable of tuples, not {type(source).__name__}."
    )


def _from_path(
    source: str | os.PathLike[str], options: Options, format: str | None, member: str | None
) -> Events:
    path = Path(source).expanduser()
    if not path.exists():
        return _named(source, options)
    if not path.is_dir() and not is_zip(path):
        return read_entry(Entry(path), options, format)
    place = Place(path)
    if member is not None:
        return read_entry(place.get(member), options, format)
    layout = layout_of(place) if format is None else None
    if layout is not None:
        return layout.read(place, options).noted(f"read as {layout.name}")
    data = [
        entry for entry in place.entries if not entry.name.lower().startswith(("readme", "licen"))
    ]
    if len(data) != 1:
        names = ", ".join(entry.name for entry in data[:8]) + (" ..." if len(data) > 8 else "")
        raise DataError(
            f"it holds {len(data)} files ({names or 'none'}) of no known layout; name one of them"
            " with member=.",
            source=str(path),
        )
    return read_entry(data[0], options, format)


def read_entry(entry: Entry, options: Options, format: str | None = None) -> Events:
    """Read one file, whose format is told from its name and content if it isn't given."""
    if format is None and reviews.is_goodreads(entry):
        return reviews.read_goodreads_file(entry, options)
    chosen = format or _SUFFIXES.get(entry.suffix) or _by_content(entry)
    if chosen == "lists":
        return read_lists(entry, options)
    if chosen == "delimited" and format is None and dialect_of(entry, options).ragged:
        return read_lists(entry, options)
    return assemble(_RAW[chosen](entry, options), options)


def _by_content(entry: Entry) -> str:
    head = entry.head(64).lstrip()
    if head[:4] == b"PAR1":
        return "parquet"
    return "jsonl" if head[:1] == b"{" or head[:2] == b"[{" else "delimited"


def _named(source: str | os.PathLike[str], options: Options) -> Events:
    from cofactor.data import datasets

    text = os.fspath(source)
    looks_like_path = (
        isinstance(source, os.PathLike)
        or "/" in text
        or "\\" in text
        or (Path(text).suffix and " " not in text)
    )
    if looks_like_path and not datasets.known(text):
        raise DataError("there is no such file or folder.", source=text)
    return datasets.load(text, options=options)


def _file_table(path: Path, id_column: str | None, kind: str, encoding: str | None) -> pa.Table:
    if not path.exists():
        raise DataError("there is no such file.", source=str(path))
    entry = Place(path).entries[0] if path.is_dir() or is_zip(path) else Entry(path)
    chosen = _SUFFIXES.get(entry.suffix) or _by_content(entry)
    if chosen == "parquet":
        return parquet.whole_table(entry)
    if chosen == "jsonl":
        return jsonl.whole_table(entry)
    options = Options(encoding=encoding)
    names = dialect_of(entry, options).names
    known = id_column if id_column in names else _id_name(names, kind, entry.shown)
    return read_text_table(entry, options, text=[known])[0]


def _id_name(names: Iterable[str], kind: str, source: str) -> str:
    by_fold = {folded(name): name for name in reversed(list(names))}
    usual = (*USUAL[kind], "id")
    found = next((by_fold[name] for name in usual if name in by_fold), None)
    if found is None:
        raise DataError(
            f"no column is named like {kind} ids; the columns are {', '.join(names)}; give"
            " item_id=.",
            source=source,
        )
    return found
