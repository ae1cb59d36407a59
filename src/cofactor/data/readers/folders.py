"""Folders and archives of no known layout: parts of one table, or a table beside its catalogue."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from cofactor.base.errors import CofactorError, DataError
from cofactor.data.events import Events
from cofactor.data.joins import merged
from cofactor.data.readers.agreement import Agreement, some_have_commas
from cofactor.data.readers.assemble import assemble
from cofactor.data.readers.columns import Options
from cofactor.data.readers.delimited import read_delimited
from cofactor.data.readers.file_formats import columns_of, dialect_of_table, read_entry
from cofactor.data.readers.folder_files import data_files, without_copies
from cofactor.data.readers.item_tables import table_of_entry
from cofactor.data.readers.kinds import notes_of_all
from cofactor.data.readers.layout import appended
from cofactor.data.readers.part import Parts
from cofactor.data.readers.part_doubts import doubts_of_parts
from cofactor.data.readers.raw import NoKindError, NoRowsError
from cofactor.data.readers.sniff import Dialect
from cofactor.data.readers.source_files import Source, SourceFile

# What a file is by its columns, and their names; see `columns_of`.
_Kind = tuple[str, tuple[str, ...]]


def read_parts(entries: Sequence[SourceFile], options: Options, source: str) -> Events:
    """Read several files of one making, one after another.

    Raises
    ------
    DataError
        If one has no values or no times where the others have them.
    """
    entries, copies = without_copies(entries)
    read_part = _with_one_header(entries, options)
    entries, parts, empty = _read_all(entries, options, read_part)
    if options.decimal is None and some_have_commas(parts):
        # Where one file has 4,5, the 1.000 of another is a thousand.
        if options.rejects is not None:
            options.rejects.clear()
        commas = replace(options, decimal=",")
        before = [part.notes for part in parts]
        parts = [
            read_part(entry, commas).noted(*notes)
            for entry, notes in zip(entries, before, strict=True)
        ]
    agreement, ids = Agreement(), Parts()
    for part in parts:
        agreement.add(part, decimal=",")
        ids.add_ids(part.notes, part.source)
    whole = joined(parts, source)
    one = [f"{len(entries)} files read as one"] if len(entries) > 1 else []
    doubts = doubts_of_parts(entries, parts)
    return replace(whole, notes=(*one, *copies, *empty, *whole.notes, *doubts))


def _texts(entries: Iterable[SourceFile], options: Options) -> dict[SourceFile, Dialect]:
    """How those files are written that are texts of fields."""
    found = {}
    for entry in entries:
        with suppress(CofactorError):
            found[entry] = dialect_of_table(entry, options)
    return {entry: dialect for entry, dialect in found.items() if dialect is not None}


def _with_one_header(
    entries: Sequence[SourceFile], options: Options
) -> Callable[[SourceFile, Options], Events]:
    """What reads each file: those that go on without a header (``split -l`` makes such) by that of
    another one.
    """
    if options.header is not None or options.user is not None or options.item is not None:
        return read_entry
    texts = _texts(entries, options)
    first = next((entry for entry, dialect in texts.items() if dialect.named), None)
    if first is None:
        return read_entry

    def read_part(entry: SourceFile, options: Options) -> Events:
        own, header = texts.get(entry), texts[first]
        if own is None or own.named:
            return read_entry(entry, options)
        if len(own.names) != len(header.names):
            raise DataError(
                f"it has no header, as {first.name} has, and {len(own.names)} columns, not"
                f" {len(header.names)}; read it alone, or take it out.",
                source=entry.shown,
            )
        named = replace(own, names=header.names, named=True, sample=header.sample)
        part = assemble(read_delimited(entry, options, named), options)
        return part.noted(f"{entry.name} is read by the header of {first.name}")

    return read_part


def _read_all(
    entries: Sequence[SourceFile],
    options: Options,
    read_part: Callable[[SourceFile, Options], Events],
) -> tuple[list[SourceFile], list[Events], list[str]]:
    """The files that have rows, their events, and notes on the others: what writes tables in parts
    also writes empty ones.
    """
    parts, notes, nothing = {}, [], None
    for entry in entries:
        try:
            parts[entry] = read_part(entry, options)
        except NoRowsError as error:
            nothing = error
            of_others = isinstance(error, NoKindError)
            why = (
                "none of its events is of a kind that has a weight" if of_others else error.message
            )
            notes.append(f"left out {entry.name}: {why}")
    if nothing is not None and not parts:
        raise nothing
    return list(parts), list(parts.values()), notes


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
    whole = appended(*parts)
    return replace(
        whole,
        item_table=merged([part.item_table for part in parts], "item_id"),
        user_table=merged([part.user_table for part in parts], "user_id"),
        source=source,
        notes=tuple(notes_of_all(parts, whole.kinds)),
    )


def read_folder(place: Source, options: Options) -> Events:
    """Read a folder or archive of no known layout.

    Raises
    ------
    DataError
        If its files are neither parts of one table nor a table beside its catalogue.
    """
    entries = data_files(place)
    if not entries:
        raise NoRowsError(
            "there is no file of data in it (a link in an archive is none).", source=str(place.path)
        )
    if len(entries) == 1:
        return read_entry(entries[0], options)
    found, notes = _kinds(entries, options)
    return _of_kinds(found, options, str(place.path)).noted(*notes)


def _of_kinds(found: Mapping[SourceFile, _Kind], options: Options, source: str) -> Events:
    entries = list(found)
    if len(entries) == 1:
        return read_entry(entries[0], options)
    if _is_one_table(found) or _goes_on(entries, options):
        return read_parts(entries, options, source)
    tables, items, users = (
        [entry for entry, (kind, _) in found.items() if kind == which]
        for which in ("events", "items", "users")
    )
    known = len(tables) + len(items) + len(users) == len(entries)
    if known and len(tables) == 1 and len(items) < 2 and len(users) < 2:
        events = read_entry(tables[0], options)
        note = f"{tables[0].name} read"
        if items:
            table, own = table_of_entry(items[0])
            events = replace(events, item_table=table).noted(*own)
            note += f", with {items[0].name} as the catalogue"
        if users:
            table, own = table_of_entry(users[0], kind="user")
            events = replace(events, user_table=table).noted(*own)
            note += f", with {users[0].name} as the table of users"
        return replace(events, source=source).noted(note)
    if _are_alike(found) and any(names for _, names in found.values()):
        read_entry(entries[0], options)  # says which column they all lack
    names = ", ".join(entry.name for entry in entries[:8]) + (" ..." if len(entries) > 8 else "")
    named = not any(name.startswith("column ") for _, some in found.values() for name in some)
    if named and {kind for kind, _ in found.values()} == {"events"}:
        raise DataError(
            f"it holds {len(entries)} files ({names}) whose columns differ{_odd_column(found)};"
            " name one of them with member=, or give those that belong together as several files.",
            source=source,
        )
    raise DataError(
        f"it holds {len(entries)} files ({names}) of no known layout; name one of them"
        " with member=.",
        source=source,
    )


def _odd_column(found: Mapping[SourceFile, _Kind]) -> str:
    """Which column some files lack, in brackets."""
    for entry, (_, names) in found.items():
        for other, (_, others) in found.items():
            lacking = sorted({*names} - {*others})
            if lacking:
                return f" ({lacking[0]!r} is in {entry.name}, and not in {other.name})"
    return ""


def parts_of_one_table(place: Source, options: Options) -> tuple[list[SourceFile], list[str]]:
    """Return the files of a folder that are parts of one table, in their order, and notes on the
    others, in which there is nothing; no file if they aren't.
    """
    found, notes = _kinds(data_files(place), options)
    return (list(found), notes) if _is_one_table(found) else ([], [])


def _kinds(
    entries: Iterable[SourceFile], options: Options
) -> tuple[dict[SourceFile, _Kind], list[str]]:
    """What files are by their columns, without those in which there is nothing (unless there is
    nothing in any), and notes on these.
    """
    found = {entry: _kind(entry, options) for entry in entries}
    empty = [entry for entry, (kind, _) in found.items() if kind == "empty"]
    if not empty or len(empty) == len(found):
        return found, []
    left_out = f"left out {', '.join(entry.name for entry in empty)}: nothing in it"
    return {entry: kind for entry, kind in found.items() if entry not in empty}, [left_out]


def _kind(entry: SourceFile, options: Options) -> _Kind:
    try:
        return columns_of(entry, options)
    except NoRowsError:
        return "empty", ()
    except CofactorError:
        return "other", ()


def _are_alike(found: Mapping[SourceFile, _Kind]) -> bool:
    return len({names for _, names in found.values()}) == 1


def _is_one_table(found: Mapping[SourceFile, _Kind]) -> bool:
    return {kind for kind, _ in found.values()} == {"events"} and _are_alike(found)


def _goes_on(entries: Sequence[SourceFile], options: Options) -> bool:
    """Whether files are texts of one making, of which only some have a header."""
    texts = _texts(entries, options).values()
    made = {(len(dialect.names), dialect.delimiter) for dialect in texts}
    some = {dialect.named for dialect in texts}
    return len(made) == 1 and len(some) == 2 and len(texts) == len(entries)
