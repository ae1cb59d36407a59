"""A source in chunks of events, by the same rules as `read`: for what doesn't fit into memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from cofactor.data.events import Events
from cofactor.data.readers import parquet
from cofactor.data.readers.agreement import Agreement
from cofactor.data.readers.assemble import assemble
from cofactor.data.readers.blocks import is_blocks
from cofactor.data.readers.cell_roles import with_cells
from cofactor.data.readers.clock_columns import PARTS
from cofactor.data.readers.columns import Options, find_roles
from cofactor.data.readers.delimited import read_delimited, roles_of
from cofactor.data.readers.frames import raw_of_table
from cofactor.data.readers.json_text import is_json
from cofactor.data.readers.known_ids import Coder
from cofactor.data.readers.lines import LineBlocks, record_end
from cofactor.data.readers.part import Parts
from cofactor.data.readers.partitions import partition_of, with_partition
from cofactor.data.readers.raw import NoRowsError, Raw
from cofactor.data.readers.sniff import Dialect, dialect_of
from cofactor.data.readers.source_files import HeldFile, SourceFile, is_zip
from cofactor.data.readers.text_encoding import NOT_UTF8
from cofactor.data.readers.wrapped_lines import is_wrapped

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
    path = Path(source).expanduser() if isinstance(source, (str, Path)) else None
    if path is None or not path.is_file() or is_zip(path):
        yield from _parts(whole(source), options, rows, agreement, **done)
        return
    entry = SourceFile(path)
    if entry.suffix in (".parquet", ".pq") or entry.head(4) == b"PAR1":
        if parquet.has_plain_columns(entry):
            yield from _of_parquet(entry, options, rows, agreement, **done)
            return
    elif not _is_read_whole(entry, options):
        yield from _of_text(entry, options, agreement, **done)
        return
    yield from _parts(whole(source), options, rows, agreement, **done)


def _is_read_whole(entry: SourceFile, options: Options) -> bool:
    json = entry.suffix in (".json", ".jsonl", ".ndjson") or is_json(entry.head(4096))
    head = entry.head(4096)
    if json or is_blocks(head) or is_wrapped(head):
        return True
    return dialect_of(entry, options).ragged is not None


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
    entry: SourceFile,
    options: Options,
    rows: int,
    agreement: Agreement,
    start: int = 0,
    known: Mapping[str, Any] | None = None,
) -> Iterator[Chunk]:
    file, parts = parquet.opened_for_parts(entry), Parts(known)
    names, partition = file.schema_arrow.names, partition_of(entry)
    roles = find_roles(names, options, entry.shown, partition=partition)
    with file:
        roles = with_cells(roles, names, options, parquet.cells_of(file), partition)
        taken = [name for name in roles.values() if name in names]
        value = roles.get("value")
        # Numbers are written in neither way.
        plain = value in names and pa.types.is_primitive(file.schema_arrow.field(value).type)
        coder = Coder(rows) if file.metadata.num_rows >= MANY else None
        for batch in parquet.batches(file, entry, rows, taken, start):
            columns = dict(zip(batch.schema.names, batch.columns, strict=True))
            if coder is not None:
                ids = columns.keys() & {roles["user"], roles["item"]}
                columns |= {n: coder.coded(columns[n]) for n in ids}
            table = with_partition(pa.table(columns), partition)
            raw = raw_of_table(table, roles, options, entry.shown)
            before, start = start, start + batch.num_rows
            raw.parts, parts.is_last = parts, start >= file.metadata.num_rows
            for events in _assembled(raw, options, before):
                agreement.add(events, decimal="." if plain else options.decimal)
                yield Chunk(events, {"start": start, "known": parts.facts()})
    parts.refuse_nothing()


class _Reading(NamedTuple):
    """How a file is read, and what the files before it and its own parts were read as."""

    options: Options
    agreement: Agreement
    parts: Parts


def _of_text(
    entry: SourceFile,
    options: Options,
    agreement: Agreement,
    blocks: int = 0,
    known: Mapping[str, Any] | None = None,
) -> Iterator[Chunk]:
    """The chunks of a delimited file."""
    dialect = dialect_of(entry, options)
    parts, lines = Parts(known), LineBlocks(entry, dialect, TEXT_BLOCK)
    reading = _Reading(options, agreement, parts)
    for events, done in _of_blocks(iter(lines), entry, dialect, reading, blocks):
        noted = events.noted(NOT_UTF8) if lines.is_mixed else events
        yield Chunk(noted, {"blocks": done, "known": parts.facts()})
    parts.refuse_nothing()


def _of_blocks(
    file_blocks: Iterator[bytes],
    entry: SourceFile,
    dialect: Dialect,
    reading: _Reading,
    first: int,
) -> Iterator[tuple[Events, int]]:
    """The events of each block from the ``first`` on, and how many blocks have been read."""
    options, agreement, parts = reading
    fixed = _fixed(options, dialect, roles_of(entry, dialect, options))
    header, lines, above = b"", 0, dialect.above
    for number, (block, is_last) in enumerate(_with_last(file_blocks)):
        while above and block:
            # What stands above the header.
            block = block[block.index(b"\n") + 1 :] if b"\n" in block else b""
            above, lines = above - 1, lines + 1
        if not block:
            continue
        if dialect.headed and not header:
            header = block[: record_end(block, 0, dialect.quoted)].rstrip(b"\n") + b"\n"
            part = block
        else:
            part = header + block
        if dialect.headed and part == header:
            continue
        before, lines = lines, lines + block.count(b"\n")
        if number < first:
            continue
        if agreement.commas:
            fixed = replace(fixed, decimal=",")
        raw = read_delimited(HeldFile(entry.path, content=part), fixed)
        raw.parts, parts.is_last = parts, is_last
        # The header that is put before a later part is no line of the file there.
        for events in _assembled(raw, fixed, max(0, before - header.count(b"\n"))):
            agreement.add(events, decimal=fixed.decimal)
            yield events, number + 1


def _with_last(blocks: Iterator[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Yield each block, and whether it is the last one."""
    held = next(blocks, None)
    while held is not None:
        following = next(blocks, None)
        yield held, following is None
        held = following


def _fixed(options: Options, dialect: Dialect, roles: Mapping[str, str]) -> Options:
    """How a text is written, found once for the whole file: a chunk alone might look otherwise."""
    return replace(
        options,
        delimiter=dialect.delimiter,
        header=dialect.headed,
        encoding="utf-8",
        quote=dialect.quoted,
        escape=dialect.escape,
        user=roles["user"],
        item=roles["item"],
        value=roles.get("value", False),
        time=roles.get("time", False),
        time_parts={role: roles[role] for role in PARTS if role in roles},
    )


def _assembled(raw: Raw, options: Options, before: int) -> Iterator[Events]:
    """The events of a chunk, nothing where none of its rows is left; lines in messages are those
    of the whole file.
    """
    inner = raw.locate
    raw.locate = lambda rows: [(line + before, text) for line, text in inner(rows)]
    assert raw.parts is not None
    try:
        events = assemble(raw, options)
    except NoRowsError as error:
        raw.parts.nothing = error
        return
    raw.parts.some = True
    yield events
