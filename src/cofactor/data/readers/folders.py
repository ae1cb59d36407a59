"""Folders and archives of no known layout: parts of one table, or a table beside its catalogue."""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import PurePath
from typing import Any, NamedTuple

import pyarrow as pa

from cofactor.base.errors import CofactorError, DataError
from cofactor.data.events import Events
from cofactor.data.joins import merged
from cofactor.data.readers.agreement import Agreement, some_have_commas
from cofactor.data.readers.columns import Options
from cofactor.data.readers.layout import appended
from cofactor.data.readers.partitions import partition_of
from cofactor.data.readers.raw import NoRowsError
from cofactor.data.readers.source_files import Source, SourceFile


class Header(NamedTuple):
    """What is known of the header of a text.

    Parameters
    ----------
    width, delimiter
        The number of columns, and what stands between them.
    places
        Options under which files without a header are read as this one is; None if it has none.
    """

    width: int
    delimiter: str
    places: Mapping[str, Any] | None


class FileReaders(NamedTuple):
    """The functions that read a folder's files.

    Parameters
    ----------
    events
        Reads the interactions of a file.
    table
        Reads a catalogue.
    kind
        Returns what a file is by its columns: ``"events"``, ``"items"``, ``"users"`` or
        ``"other"``; and their names.
    header
        Returns what is known of a text's header (`Header`), None for other formats.
    """

    events: Callable[[SourceFile, Options], Events]
    table: Callable[[SourceFile, str | None, str], pa.Table]
    kind: Callable[[SourceFile, Options], tuple[str, tuple[str, ...]]]
    header: Callable[[SourceFile, Options], Header | None]


_PAPERS = (
    *("readme", "licen", "licence", "license", "notice", "citation", "changelog"),
    # What the Hugging Face library writes beside a table.
    *("dataset_info.json", "state.json"),
)
# Beside such files those of data may hold rows that were deleted.
_LOGGED = (
    ("Delta Lake", re.compile(r"/_delta_log/\d+\.json$")),
    ("Iceberg", re.compile(r"/metadata/[^/]*\.metadata\.json$")),
)
_PARTS = tuple(map(re.compile, ("train", r"valid|\b(val|dev)\b", "test")))
_NO_DATA = (".pdf", ".html", ".htm", ".md", ".png", ".jpg", ".py", ".sh", ".ipynb", ".doc", ".docx")


def data_files(place: Source) -> list[SourceFile]:
    """Return the files that may hold data: no readme, licence, page or picture.

    Raises
    ------
    DataError
        If they are those of a table whose log says which of them count.
    """
    paths = ["/" + (entry.member or entry.path.as_posix()) for entry in place.entries]
    logged = [what for what, sign in _LOGGED if any(map(sign.search, paths))]
    if logged or (place.path / ".hoodie").is_dir():
        raise DataError(
            f"this is a table of {(*logged, 'Hudi')[0]}, whose log says which of its files count;"
            " read it with that library and pass the data frame, or export it to Parquet.",
            source=str(place.path),
        )
    return [
        entry
        for entry in place.entries
        if not entry.name.lower().startswith(_PAPERS) and entry.suffix not in _NO_DATA
    ]


def read_parts(
    entries: Sequence[SourceFile], options: Options, readers: FileReaders, source: str
) -> Events:
    """Read several files of one making, one after another.

    Raises
    ------
    DataError
        If one has no values or no times where the others have them.
    """
    entries, copies = without_copies(entries)
    readers = _with_one_header(entries, options, readers)
    entries, parts, empty = _read_all(entries, options, readers)
    if options.decimal is None and some_have_commas(parts):
        # Where one file has 4,5, the 1.000 of another is a thousand.
        if options.rejects is not None:
            options.rejects.clear()
        commas = replace(options, decimal=",")
        before = [part.notes for part in parts]
        parts = [
            readers.events(entry, commas).noted(*notes)
            for entry, notes in zip(entries, before, strict=True)
        ]
    agreement = Agreement()
    for part in parts:
        agreement.add(part, decimal=",")
    whole = joined(parts, source)
    one = [f"{len(entries)} files read as one"] if len(entries) > 1 else []
    return replace(whole, notes=(*one, *copies, *empty, *whole.notes))


def _with_one_header(
    entries: Sequence[SourceFile], options: Options, readers: FileReaders
) -> FileReaders:
    """The functions, of which the first reads files that go on without a header (``split -l`` makes
    such) by that of another one.
    """
    if options.header is not None or options.user is not None or options.item is not None:
        return readers
    found = {}
    for entry in entries:
        with suppress(CofactorError):
            found[entry] = readers.header(entry, options)
    headed = next(((e, h) for e, h in found.items() if h is not None and h.places), None)
    bare = {e: h.width for e, h in found.items() if h is not None and h.places is None}
    if headed is None or not bare:
        return readers
    (first, header), read_events = headed, readers.events

    def events(entry: SourceFile, options: Options) -> Events:
        if entry not in bare:
            return read_events(entry, options)
        if bare[entry] != header.width:
            raise DataError(
                f"it has no header, as {first.name} has, and {bare[entry]} columns, not"
                f" {header.width}; read it alone, or take it out.",
                source=entry.shown,
            )
        part = read_events(entry, replace(options, **(header.places or {})))
        said = f"{entry.name} is read by the header of {first.name}"
        return replace(part, notes=(*part.notes[1:], said))

    return readers._replace(events=events)


def _read_all(
    entries: Sequence[SourceFile], options: Options, readers: FileReaders
) -> tuple[list[SourceFile], list[Events], list[str]]:
    """The files that have rows, their events, and notes on the others: what writes tables in parts
    also writes empty ones.
    """
    parts, notes, nothing = {}, [], None
    for n, entry in enumerate(entries):
        try:
            parts[n] = readers.events(entry, options)
        except NoRowsError as error:
            nothing = error
            notes.append(f"left out {entry.name}: {error.message}")
    if nothing is not None and not parts:
        raise nothing
    return [entries[n] for n in parts], list(parts.values()), notes


def without_copies(entries: Sequence[SourceFile]) -> tuple[list[SourceFile], list[str]]:
    """Return the files without those that are another's copy, such as a second download's
    ``a (1).csv``, and notes on them.
    """
    first: dict[bytes, SourceFile] = {}
    sizes = Counter(entry.packed_bytes for entry in entries)
    # A file and its packed copy beside it.
    names = Counter((entry.path.parent, entry.name) for entry in entries)
    kept, notes = [], []
    for entry in entries:
        if sizes[entry.packed_bytes] < 2 and names[entry.path.parent, entry.name] < 2:
            kept.append(entry)
            continue
        digest = hashlib.sha256(repr(sorted(partition_of(entry).items())).encode())
        for block in entry.blocks():
            digest.update(block)
        other = first.setdefault(digest.digest(), entry)
        if other is entry:
            kept.append(entry)
        else:
            notes.append(f"left out {entry.name}, which is the same as {other.name}")
    return kept, notes


def joined(parts: Sequence[Events], source: str) -> Events:
    """Return the events of several sources as one, in their order, with what each knows of items
    and users; of an item that several know, the later source's cells count.

    Raises
    ------
    DataError
        If one has no values or no times where the others have them.
    """
    for what in ("values", "times"):
        with_them = [getattr(part, what) is not None for part in parts]
        if any(with_them) and not all(with_them):
            lacking = parts[with_them.index(False)].source
            raise DataError(
                f"{lacking} has no {what}, and other files have; name the columns, or leave them"
                f" out with {what[:-1]}=False.",
                source=source,
            )
    notes = tuple(dict.fromkeys(note for part in parts for note in part.notes))
    return replace(
        appended(*parts),
        item_table=merged([part.item_table for part in parts], "item_id"),
        user_table=merged([part.user_table for part in parts], "user_id"),
        source=source,
        notes=notes,
    )


def read_folder(place: Source, options: Options, readers: FileReaders) -> Events:
    """Read a folder or archive of no known layout.

    Raises
    ------
    DataError
        If its files are neither parts of one table nor a table beside its catalogue.
    """
    entries = sorted(data_files(place), key=partial(_training_first, place))
    return _of_entries(entries, options, readers, str(place.path))


def _of_entries(
    entries: list[SourceFile], options: Options, readers: FileReaders, source: str
) -> Events:
    if len(entries) == 1:
        return readers.events(entries[0], options)
    found = [_kind(entry, options, readers) for entry in entries]
    empty = [entry for entry, (kind, _) in zip(entries, found, strict=True) if kind == "empty"]
    if empty and len(empty) < len(entries):
        entries = [entry for entry in entries if entry not in empty]
        events = _of_entries(entries, options, readers, source)
        return events.noted(_left_out(empty))
    if _is_one_table(found) or _goes_on(entries, options, readers):
        return read_parts(entries, options, readers, source)
    tables, items, users = (
        [entry for entry, (kind, _) in zip(entries, found, strict=True) if kind == which]
        for which in ("events", "items", "users")
    )
    known = len(tables) + len(items) + len(users) == len(entries)
    if known and len(tables) == 1 and len(items) < 2 and len(users) < 2:
        events = readers.events(tables[0], options)
        note = f"{tables[0].name} read"
        if items:
            events = replace(events, item_table=readers.table(items[0], None, "item_id"))
            note += f", with {items[0].name} as the catalogue"
        if users:
            events = replace(events, user_table=readers.table(users[0], None, "user_id"))
            note += f", with {users[0].name} as the table of users"
        return replace(events, source=source).noted(note)
    if len({columns for _, columns in found}) == 1 and found[0][1]:
        readers.events(entries[0], options)  # says which column they all lack
    names = ", ".join(entry.name for entry in entries[:8]) + (" ..." if len(entries) > 8 else "")
    raise DataError(
        f"it holds {len(entries)} files ({names or 'none'}) of no known layout; name one of them"
        " with member=.",
        source=source,
    )


def parts_of_one_table(
    place: Source, options: Options, readers: FileReaders
) -> tuple[list[SourceFile], list[str]]:
    """Return the files of a folder that are parts of one table, in their order, and notes on the
    others, in which there is nothing; no file if they aren't.
    """
    found = {
        entry: _kind(entry, options, readers)
        for entry in sorted(data_files(place), key=partial(_training_first, place))
    }
    empty = [entry for entry, (kind, _) in found.items() if kind == "empty"]
    parts = [entry for entry in found if entry not in empty]
    if not _is_one_table([found[entry] for entry in parts]):
        return [], []
    return parts, [_left_out(empty)] if empty else []


def _left_out(empty: Sequence[SourceFile]) -> str:
    return f"left out {', '.join(entry.name for entry in empty)}: nothing in it"


def _is_one_table(found: Sequence[tuple[str, tuple[str, ...]]]) -> bool:
    return {kind for kind, _ in found} == {"events"} and len({names for _, names in found}) == 1


def _goes_on(entries: Sequence[SourceFile], options: Options, readers: FileReaders) -> bool:
    """Whether files are texts of one making, of which only some have a header."""
    heads = []
    for entry in entries:
        with suppress(CofactorError):
            heads.append(readers.header(entry, options))
    made = {(head.width, head.delimiter) for head in heads if head is not None}
    some = {bool(head.places) for head in heads if head is not None}
    return len(made) == 1 and len(some) == 2 and None not in heads and len(heads) == len(entries)


def _training_first(place: Source, entry: SourceFile) -> int:
    """Training comes before test, whatever the order of their names, or of their folders'."""
    inner = entry.member or os.path.relpath(entry.path, place.path)
    names = (entry.name.lower(), *reversed(PurePath(inner.lower()).parts[:-1]))
    found = (n for name in names for n, word in enumerate(_PARTS, 1) if word.search(name))
    return next(found, 0)


def _kind(entry: SourceFile, options: Options, readers: FileReaders) -> tuple[str, tuple[str, ...]]:
    try:
        return readers.kind(entry, options)
    except NoRowsError:
        return "empty", ()
    except CofactorError:
        return "other", ()
