"""`read`: interactions from files, tables, databases and data frames."""

from __future__ import annotations

import os
import time as clock
from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from cofactor.base import checks
from cofactor.base.errors import ArgumentError, DataError
from cofactor.base.names import near, nearest
from cofactor.base.progress import SILENT, Progress
from cofactor.data.events import Events
from cofactor.data.ids import IdMap
from cofactor.data.readers import arrays, frames, rows, sql
from cofactor.data.readers.assemble import assemble
from cofactor.data.readers.columns import Options, refuse_no_text
from cofactor.data.readers.file_formats import ALSO_CALLED, FORMATS, read_entry
from cofactor.data.readers.folder_files import without_copies
from cofactor.data.readers.folders import joined, parts_of_one_table, read_folder, read_parts
from cofactor.data.readers.item_tables import catalogue_of
from cofactor.data.readers.layouts import layout_of
from cofactor.data.readers.rejects import Rejects
from cofactor.data.readers.source_files import Source, SourceFile, is_archive, is_debris, missing
from cofactor.data.readers.sources import (
    STDIN,
    is_several,
    is_url,
    matched,
    refuse_url,
    reopened,
    standard_input,
)
from cofactor.data.readers.unused_options import (
    OF_DATABASES,
    OF_FILES,
    OF_TABLES,
    OF_TEXTS,
    refuse_unused,
)
from cofactor.data.shards import check_shards, is_shards

_OPTIONS = frozenset(one.name for one in fields(Options))


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
    time_format: str | None = None,
    decimal: str | None = None,
    kinds: Mapping[str, float] | str | None = None,
    rejects: str | os.PathLike[str] | None = None,
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
        A file (csv, tsv, dat, txt, parquet, feather, jsonl, json, xlsx; any of them packed by gzip,
        bzip2, xz or zstd, or in a zip or tar), several files (a list, or a pattern such as
        ``"parts/*.csv"``), a pipe, ``"-"`` for standard input, a folder or archive of parts of one
        table or of a known layout (MovieLens, Book-Crossing ...), the name of a public dataset that
        is available locally (`cofactor.data.datasets`), ``sqlite:///file.db``, an event store (also
        ``postgresql://``), a data frame (pandas, polars, duckdb, Arrow), a SciPy sparse matrix of
        users by items, or an iterable of tuples ``(user, item[, value[, time]])`` or dictionaries.
    format
        ``"delimited"``, ``"parquet"``, ``"feather"``, ``"excel"``, ``"jsonl"``, ``"blocks"``
        (``item:`` and its rows below) or ``"lists"`` (a line per user: ``user item item ...``);
        None to detect it from the content and the name.
    user, item, value, time
        The column of each, by name or by position from 0; None to find it by the usual names
        (``userId``, ``reviewerID``, ``asin``, ``overall``, ``unixReviewTime`` ...). False leaves
        ``value`` or ``time`` out, True insists on it.
    delimiter, header, encoding, quote, escape
        How text is written, None to detect it: the text between fields (of any length), whether the
        first line names the columns, the encoding, whether ``"`` encloses fields, and the character
        that escapes a quote within a field.
    time_unit
        ``"s"``, ``"ms"``, ``"us"`` or ``"ns"`` for times that are bare numbers; None to detect it
        from their size.
    time_format
        How times are written, as for `datetime.strptime` (``"%d/%m/%Y %H:%M"``); None to detect it.
    decimal
        ``","`` or ``"."``: the decimal sign of values, the other one groups thousands; None to
        detect it where the column leaves no doubt.
    kinds
        Weights of the kinds of events (``{"view": 1, "purchase": 5}``), which become the values;
        rows of other kinds are left out. ``"keep"``: events keep their kinds (`Events.kinds`)
        beside values, which may be missing (NaN) then.
    rejects
        A file for the rows that ``on_bad="skip"`` leaves out, as JSON lines.
    items
        The catalogue: files, a table of a database, a data frame or records with item ids, or a
        mapping from id to title; it replaces what the source itself knows of items.
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
        Seconds since 1970: times more than a day later are bad; None for the current time.
    progress
        Where to report to.

    Returns
    -------
    Events
        In the order of the source; its notes say which columns were taken and what was left out.

    Raises
    ------
    DataError
        If the source is empty, a column is missing, or rows are bad: with the file, the lines and
        the cure.
    UnknownNameError
        If a column, a format or a dataset doesn't exist; the nearest names are offered.
    """
    given = locals()
    _check_names(given)
    options = replace(
        Options(**{name: given[name] for name in _OPTIONS & given.keys()}),
        now=clock.time() if now is None else checks.real(now, "now"),
        kinds=_weights(kinds),
        keep_kinds=kinds == "keep",
        rejects=None if rejects is None else Rejects(rejects),
    )
    events = _events(source, options, member=member, table=table, query=query)
    return events if items is None else _with_items(events, items, item_id, options)


def _check_names(given: Mapping[str, Any]) -> None:
    for name in ("item_id", "member", "table", "query"):
        refuse_no_text(given[name], name)
    if given["items"] is None and given["item_id"] is not None:
        raise ArgumentError(
            "item_id must go with the catalogue whose column it names; give items= too."
        )
    if given["format"] is not None:
        checks.choice(given["format"], "format", FORMATS, also=ALSO_CALLED)


def _with_items(events: Events, items: Any, item_id: str | None, options: Options) -> Events:
    table, notes = catalogue_of(lambda: IdMap.of(events.items), items, options, item_id)
    return replace(events, item_table=table).noted(*notes)


def _weights(kinds: Mapping[str, float] | str | None) -> dict[str, float] | None:
    if kinds is None or kinds == "keep":
        return None
    if not isinstance(kinds, Mapping):
        raise ArgumentError(f'kinds must be weights ({{"view": 1}}) or "keep", not {kinds!r}.')
    if not kinds:
        raise ArgumentError("kinds must give at least one kind of event its weight.")
    return {str(kind): checks.real(weight, f"kinds[{kind!r}]") for kind, weight in kinds.items()}


def _events(source: Any, options: Options, **choices: str | None) -> Events:
    if isinstance(source, (str, os.PathLike)):
        return _by_name(source, options, choices)
    if is_several(source):
        if any(is_url(part) for part in source):
            return _from_sources(source, options, choices)
        refuse_unused("several files", ("member", *OF_DATABASES), options, choices)
        return _from_files([Path(path) for path in source], options)
    refuse_unused("rows in memory", (*OF_DATABASES, *OF_FILES, *OF_TEXTS), options, choices)
    if isinstance(source, Events):
        refuse_unused("events, which were read already", OF_TABLES, options, choices)
        return source
    if hasattr(source, "tocoo"):
        refuse_unused("a matrix of users by items", OF_TABLES, options, choices)
        return arrays.from_matrix(source)
    if isinstance(source, np.ndarray):
        source = arrays.of_array(source)
    if isinstance(source, Mapping):
        source = arrays.of_mapping(source)
    if frames.is_pandas(source) or frames.is_frame(source):
        return assemble(frames.read_frame(source, options), options)
    if hasattr(source, "__array__"):
        return _events(arrays.converted(source), options, **choices)
    if isinstance(source, (bytes, bytearray, memoryview)) or hasattr(source, "readline"):
        raise ArgumentError(
            "source must be a path, '-' for standard input, or rows, not bytes or an open file."
        )
    if _is_numbered(source):
        source = [source[n] for n in range(len(source))]
    if isinstance(source, Iterable):
        return assemble(rows.read_tuples(source, options), options)
    raise ArgumentError(
        "source must be a path, a dataset's name, a database URL, a data frame, a sparse matrix or"
        f" an iterable of tuples, not {type(source).__name__}."
    )


def _by_name(
    source: str | os.PathLike[str], options: Options, choices: Mapping[str, str | None]
) -> Events:
    """What a path, a database's URL or a dataset's name stands for."""
    if is_url(source):
        in_sqlite = str(source).startswith("sqlite:")
        what = "a database" if in_sqlite else "an event store, which is read whole"
        unused = (*(() if in_sqlite else OF_DATABASES), *OF_FILES, *OF_TEXTS)
        refuse_unused(what, unused, options, choices)
        return sql.read_database(str(source), options, choices["table"], choices["query"])
    refuse_url(source)
    refuse_unused("files", OF_DATABASES, options, choices)
    return _from_path(source, options, choices)


def _is_numbered(source: Any) -> bool:
    """Whether it has rows by number alone, as a dataset of PyTorch has."""
    numbered = hasattr(source, "__getitem__") and hasattr(source, "__len__")
    return numbered and not isinstance(source, (type, Iterable))


def _from_path(
    source: str | os.PathLike[str], options: Options, choices: Mapping[str, str | None]
) -> Events:
    member = choices["member"]
    checks.path(source, "source")
    if os.fspath(source) == STDIN:
        return _of_stream(standard_input(), options, choices)
    several = matched(os.fspath(source))
    if several is not None:
        refuse_unused("a pattern of files", ("member",), options, choices)
        return _from_files(several, options)
    path = Path(os.path.expanduser(source))
    if is_shards(path):
        check_shards(path)
        raise DataError(
            "it holds shards, which were read already; they are opened by whatever takes data, and"
            " by cofactor.data.shards.open_shards.",
            source=str(source),
        )
    if not os.path.exists(path):  # a name that is too long is none of a file's either
        if os.path.islink(path):
            raise missing(path)
        return _named(source, options, choices)
    copy = reopened(path, options.progress)
    if copy is not None:
        return _of_stream(copy, options, choices)
    entry = SourceFile(path)
    if not path.is_dir() and not is_archive(entry):
        refuse_unused(f"{path.name}, a file by itself", ("member",), options, choices)
        return read_entry(entry, options)
    place = Source(path)
    if member is not None:
        return read_entry(place.get(member), options)
    layout = layout_of(place) if options.format is None else None
    if layout is not None:
        return layout.events(place, options)
    return read_folder(place, options)


def _of_stream(entry: SourceFile, options: Options, choices: Mapping[str, str | None]) -> Events:
    """What came by standard input or a pipe."""
    refuse_unused("a pipe", ("member",), options, choices)
    if is_archive(entry) or entry.head(512)[257:262] == b"ustar":
        raise DataError(
            "an archive can't be read from a pipe; write it to a file, and name that.",
            source=entry.shown,
        )
    return read_entry(entry, options)


def parts_of(source: Any, options: Options) -> tuple[list[Any], tuple[str, ...]]:
    """Return the files that a pattern, or a folder of the parts of one table, stands for, in their
    order, and notes on them; of anything else the source alone.
    """
    if not isinstance(source, (str, os.PathLike)) or os.fspath(source) == STDIN:
        return [source], ()
    path = Path(os.path.expanduser(source))
    notes: list[str] = []
    several = matched(os.fspath(source))
    if several is not None:
        entries = [SourceFile(part) for part in several if not is_debris(part.name)]
    elif path.is_dir() and layout_of(Source(path)) is None:
        entries, notes = parts_of_one_table(Source(path), options)
    else:
        return [source], ()
    if len(entries) < 2:
        return [source], ()
    kept, copies = without_copies(entries)
    return [entry.path for entry in kept], (f"{len(kept)} files read as one", *copies, *notes)


def _from_files(paths: list[Path], options: Options) -> Events:
    if len(paths) == 1:
        return _from_path(paths[0], options, {"member": None})
    folder = next((path for path in paths if path.is_dir()), None)
    if folder is not None:
        what = "holds shards" if is_shards(folder) else "is a folder"
        raise DataError(
            f"it {what}, and several sources have to be files; name it alone.", source=str(folder)
        )
    entries = [SourceFile(path) for path in paths if not is_debris(path.name)]
    here = paths[0].parent == Path()
    source = f"{paths[0].name} and {len(paths) - 1} more" if here else str(paths[0].parent)
    return read_parts(entries, options, source)


def _from_sources(sources: Any, options: Options, choices: Mapping[str, str | None]) -> Events:
    """Files and databases as one: events in the order of the sources."""
    parts = [_events(part, options, **choices) for part in sources]
    counts = [f"{part.source}: {len(part):,} events" for part in parts]
    whole = joined(parts, " and ".join(part.source for part in parts))
    return replace(whole, notes=(*counts, *whole.notes))


def _named(
    source: str | os.PathLike[str], options: Options, choices: Mapping[str, str | None]
) -> Events:
    from cofactor.data import datasets

    text = os.fspath(source)
    if "\n" in text:
        raise ArgumentError("source is a text of several lines; pass the path of a file, or rows.")
    looks_like_path = (
        isinstance(source, os.PathLike)
        or "/" in text
        or "\\" in text
        or (Path(text).suffix and " " not in text)
    )
    if looks_like_path and not datasets.known(text):
        raise missing(text)
    if not datasets.known(text) and not nearest(text, datasets.datasets()) and near(text):
        raise missing(text, "file or folder, and no public dataset of that name")
    refuse_unused("a public dataset", OF_FILES, options, choices)
    return datasets.load(text, options=options)
