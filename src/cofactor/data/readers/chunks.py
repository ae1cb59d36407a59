"""A source in chunks of events, by the same rules as `read`: for what doesn't fit into memory."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from cofactor.data.events import Events
from cofactor.data.readers import parquet
from cofactor.data.readers.agreement import Agreement
from cofactor.data.readers.assemble import assemble
from cofactor.data.readers.cell_roles import roles_of_columns
from cofactor.data.readers.columns import Options
from cofactor.data.readers.delimited import read_delimited
from cofactor.data.readers.file_formats import format_of
from cofactor.data.readers.frames import raw_of_table
from cofactor.data.readers.known_ids import Coder
from cofactor.data.readers.lines import LineBlocks
from cofactor.data.readers.part import Parts
from cofactor.data.readers.partitions import partition_of, with_partition
from cofactor.data.readers.raw import NoRowsError, Raw
from cofactor.data.readers.sniff import Dialect, dialect_of
from cofactor.data.readers.source_files import HeldFile, SourceFile, is_archive
from cofactor.data.readers.text_encoding import NOT_UTF8

TEXT_BLOCK = 1 << 25  # bytes of text that are read at once
MANY = 1_000_000  # rows from which on kernels pay


class Chunk(NamedTuple):
    """A part of a source.

    Parameters
    ----------
    events
        What is in it, of which something is left.
    done
        What has been read so far, as JSON: `chunks` continues behind it.
    """

    events: Events
    done: dict[str, Any]


def chunks(
    source: Any,
    options: Options,
    rows: int,
    whole: Callable[[Any], Events],
    done: Mapping[str, Any] | None = None,
    agreement: Agreement | None = None,
) -> Iterator[Chunk]:
    """Yield the events of a source in their order, a part at a time.

    Parameters
    ----------
    source
        What `read` takes. Parquet and delimited files come in chunks; everything else is read
        whole first.
    options
        As `read` makes them.
    rows
        About how many events a chunk has.
    whole
        Reads a source that doesn't come in chunks.
    done
        Of the chunk after which to continue, which came with the same ``options`` and ``rows``;
        None from the beginning.
    agreement
        What other sources before it were read as, which it must not contradict.

    Raises
    ------
    DataError
        If it contradicts them, or itself, or is damaged, or has no rows.
    """
    done = done if done is not None else {}
    agreement = agreement if agreement is not None else Agreement()
    path = Path(os.path.expanduser(source)) if isinstance(source, (str, Path)) else None
    entry = None if path is None or not path.is_file() else SourceFile(path)
    format = None if entry is None or is_archive(entry) else format_of(entry)
    if entry is not None and format == "parquet":
        with parquet.opened(entry, in_parts=True) as file:
            if parquet.is_plain(file):
                yield from _of_parquet(file, entry, options, rows, agreement, **done)
                return
    elif entry is not None and format == "delimited":
        dialect = dialect_of(entry, options)
        if dialect.ragged is None:
            yield from _of_text(entry, dialect, options, agreement, **done)
            return
    yield from _parts(whole(source), options, rows, agreement, **done)


def _parts(
    events: Events, options: Options, rows: int, agreement: Agreement, start: int = 0
) -> Iterator[Chunk]:
    agreement.add(events, decimal=options.decimal)
    for first in range(start, len(events), rows):
        span = slice(first, first + rows)
        part = replace(
            events,
            users=events.users.slice(first, rows),
            items=events.items.slice(first, rows),
            values=None if events.values is None else events.values[span],
            times=None if events.times is None else events.times[span],
            kinds=None if events.kinds is None else events.kinds.slice(first, rows),
        )
        yield Chunk(part, {"start": first + rows})


def _of_parquet(
    file: Any,
    entry: SourceFile,
    options: Options,
    rows: int,
    agreement: Agreement,
    start: int = 0,
    known: Mapping[str, Any] | None = None,
) -> Iterator[Chunk]:
    parts, partition = Parts(**known or {}), partition_of(entry)
    names, cells_of = file.schema_arrow.names, parquet.cells_of(file)
    roles = roles_of_columns(names, options, entry.shown, cells_of, partition=partition)
    taken = [name for name in roles.values() if name in names]
    value = roles.get("value")
    # Numbers are written in neither way.
    plain = value in names and pa.types.is_primitive(file.schema_arrow.field(value).type)
    coder = Coder(rows) if file.metadata.num_rows >= MANY else None
    for batch in parquet.batches(file, rows, taken, start):
        columns = dict(zip(batch.schema.names, batch.columns, strict=True))
        if coder is not None:
            ids = columns.keys() & {roles["user"], roles["item"]}
            columns |= {n: coder.coded(columns[n]) for n in ids}
        table = with_partition(pa.table(columns), partition)
        read = partial(raw_of_table, table, roles, options, entry.shown)
        before, start = start, start + batch.num_rows
        parts.is_last = start >= file.metadata.num_rows
        for events in _assembled(read, options, parts, before):
            agreement.add(events, decimal="." if plain else options.decimal)
            yield Chunk(events, {"start": start, "known": parts.facts()})
    parts.refuse_nothing()


def _of_text(
    entry: SourceFile,
    dialect: Dialect,
    options: Options,
    agreement: Agreement,
    blocks: int = 0,
    known: Mapping[str, Any] | None = None,
) -> Iterator[Chunk]:
    """The chunks of a delimited file, from its block of that number on."""
    lines, parts, below = LineBlocks(entry, dialect, TEXT_BLOCK), Parts(**known or {}), 0
    for number, (block, parts.is_last) in enumerate(_with_last(iter(lines))):
        before, below = below, below + block.count(b"\n")
        if number < blocks:
            continue
        above = dialect.above - before
        writing = replace(
            dialect,
            encoding="utf-8",
            bom=0,
            above=max(0, above),
            headed=dialect.headed and above >= 0,
        )
        how = replace(options, decimal=",") if agreement.commas else options
        part = HeldFile(entry.path, content=block)
        for events in _assembled(partial(read_delimited, part, how, writing), how, parts, before):
            agreement.add(events, decimal=how.decimal)
            noted = events.noted(NOT_UTF8) if lines.is_mixed else events
            yield Chunk(noted, {"blocks": number + 1, "known": parts.facts()})
    parts.refuse_nothing()


def _with_last(blocks: Iterator[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Yield each block, and whether it is the last one."""
    held = next(blocks, None)
    while held is not None:
        following = next(blocks, None)
        yield held, following is None
        held = following


def _assembled(
    read: Callable[[], Raw], options: Options, parts: Parts, before: int
) -> Iterator[Events]:
    """The events of a chunk, nothing where none of its rows is left; lines in messages are those
    of the whole file.
    """
    try:
        raw = read()
        inner, raw.parts = raw.locate, parts
        raw.locate = lambda rows: [(line + before, text) for line, text in inner(rows)]
        events = assemble(raw, options)
    except NoRowsError as error:
        parts.nothing = error
        return
    parts.some = True
    yield events
