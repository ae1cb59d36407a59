"""A source in chunks of events, by the same rules as `read`: for what doesn't fit into memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from cofactor.data.events import Events
from cofactor.data.readers import parquet
from cofactor.data.readers.agreement import Agreement
from cofactor.data.readers.assemble import assemble
from cofactor.data.readers.blocks import is_blocks
from cofactor.data.readers.columns import Options, find_roles
from cofactor.data.readers.delimited import read_delimited, roles_of
from cofactor.data.readers.frames import raw_of_table
from cofactor.data.readers.json_text import is_json
from cofactor.data.readers.known_ids import Coder
from cofactor.data.readers.lines import line_blocks, record_end
from cofactor.data.readers.partitions import partition_of, with_partition
from cofactor.data.readers.raw import NoRowsError, Raw
from cofactor.data.readers.sniff import dialect_of
from cofactor.data.readers.source_files import HeldFile, SourceFile, is_zip

TEXT_BLOCK = 1 << 25  # bytes of text that are read at once
MANY = 1_000_000  # rows from which on kernels pay


def chunks(
    source: Any, options: Options, rows: int, whole: Callable[[Any], Events]
) -> Iterator[Events]:
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
    """
    path = Path(source).expanduser() if isinstance(source, (str, Path)) else None
    if path is None or not path.is_file() or is_zip(path):
        yield from _parts(whole(source), rows)
        return
    entry = SourceFile(path)
    if entry.suffix in (".parquet", ".pq") or entry.head(4) == b"PAR1":
        yield from _of_parquet(entry, options, rows)
        return
    json = entry.suffix in (".json", ".jsonl", ".ndjson") or is_json(entry.head(4096))
    if json or is_blocks(entry.head(4096)) or dialect_of(entry, options).ragged:
        yield from _parts(whole(source), rows)
    else:
        yield from _of_text(entry, options)


def _parts(events: Events, rows: int) -> Iterator[Events]:
    for start in range(0, len(events), rows):
        span = slice(start, start + rows)
        yield replace(
            events,
            users=events.users.slice(start, rows),
            items=events.items.slice(start, rows),
            values=None if events.values is None else events.values[span],
            times=None if events.times is None else events.times[span],
            kinds=None if events.kinds is None else events.kinds.slice(start, rows),
        )


def _of_parquet(entry: SourceFile, options: Options, rows: int) -> Iterator[Events]:
    file = parquet.opened_for_parts(entry)
    names, partition = file.schema_arrow.names, partition_of(entry)
    roles = find_roles(names, options, entry.shown, partition=partition)
    done = 0
    with file:
        if file.metadata.num_rows == 0:
            raise NoRowsError("the file has columns but no rows.", source=entry.shown)
        coder = Coder(rows) if file.metadata.num_rows >= MANY else None
        for batch in file.iter_batches(rows, columns=[n for n in roles.values() if n in names]):
            columns = dict(zip(batch.schema.names, batch.columns, strict=True))
            if coder is not None:
                ids = columns.keys() & {roles["user"], roles["item"]}
                columns |= {n: coder.coded(columns[n]) for n in ids}
            raw = raw_of_table(
                with_partition(pa.table(columns), partition), roles, options, entry.shown
            )
            yield from _assembled(raw, options, done)
            done += batch.num_rows


def _of_text(entry: SourceFile, options: Options) -> Iterator[Events]:
    dialect = dialect_of(entry, options)
    roles = roles_of(entry, dialect, options)
    # Found once, for the whole file: a chunk alone might look otherwise.
    fixed = replace(
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
    )
    header, lines, above = b"", 0, dialect.above
    agreement = Agreement()
    for block in line_blocks(entry, dialect, TEXT_BLOCK):
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
        raw = read_delimited(HeldFile(entry.path, content=part), fixed)
        # The header that is put before a later part is no line of the file there.
        for events in _assembled(raw, fixed, max(0, lines - header.count(b"\n"))):
            agreement.add(events, decimal=fixed.decimal)
            yield events
        if agreement.commas:
            fixed = replace(fixed, decimal=",")
        lines += block.count(b"\n")


def _assembled(raw: Raw, options: Options, before: int) -> Iterator[Events]:
    """The events of a chunk, nothing where none of its rows is left; lines in messages are those
    of the whole file.
    """
    inner = raw.locate
    raw.locate = lambda rows: [(line + before, text) for line, text in inner(rows)]
    with suppress(NoRowsError):
        yield assemble(raw, options)
