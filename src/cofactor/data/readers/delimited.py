"""Delimited text of any writing: csv, tsv, dat, txt; gzipped or in a zip. In blocks, on all cores,
by Arrow.

A block is some megabytes that end with a line. Ids become dictionaries of texts at once (so that no
zero in front of an id is ever lost), and only the columns that are used are converted; what stays
in memory is 4 bytes an id."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pyarrow as pa

from cofactor.base.errors import DataError
from cofactor.data.id_text import MISSING_WORDS
from cofactor.data.readers.block_columns import BlockColumns
from cofactor.data.readers.block_parser import WORDS, Unconvertible, parsed
from cofactor.data.readers.cell_roles import with_cells
from cofactor.data.readers.clock_columns import PARTS
from cofactor.data.readers.columns import Options, find_roles, roles_note
from cofactor.data.readers.fields import unpadded
from cofactor.data.readers.headers import LEGACY
from cofactor.data.readers.lines import (
    NotUtf8,
    as_utf8,
    line_blocks,
    located,
)
from cofactor.data.readers.list_cells import explode_lists
from cofactor.data.readers.open_quotes import refuse_swallowed
from cofactor.data.readers.partitions import partition_of
from cofactor.data.readers.plain_numbers import LARGE, Columns, read_plain
from cofactor.data.readers.positions import counting
from cofactor.data.readers.raw import NoRowsError, Raw
from cofactor.data.readers.repeated_headers import without_headers
from cofactor.data.readers.sniff import Dialect, dialect_of
from cofactor.data.readers.source_files import SourceFile, ahead
from cofactor.data.readers.text_encoding import (
    BY_LINE,
    decoder_of,
    latin,
    not_utf8,
    one_line_end,
)
from cofactor.data.readers.values import are_pointed


def read_delimited(entry: SourceFile, options: Options, dialect: Dialect | None = None) -> Raw:
    """Read the four columns of a delimited file; ``dialect`` is how it is written, None to tell it
    from its beginning.

    Raises
    ------
    DataError
        For an empty file, a header alone, missing columns, and lines of another shape (unless they
        are to be skipped).
    """
    dialect = dialect_of(entry, options) if dialect is None else dialect
    roles = roles_of(entry, dialect, options)
    of_hive = dialect.delimiter == "\x01"
    try:
        return explode_lists(_read(entry, options, dialect, roles), of_hive=of_hive)
    except NotUtf8 as stop:
        if options.encoding is not None:
            raise DataError(
                f"the file isn't {options.encoding}: {stop}.", source=entry.shown
            ) from None
        dialect = replace(dialect, encoding=BY_LINE)
        raw = explode_lists(_read(entry, options, dialect, roles), of_hive=of_hive)
        raw.notes.append(not_utf8(entry.blocks()))
        return raw


_NUMBER = re.compile(r"^\s*[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?\s*$")
_WHOLE = re.compile(r"^\s*-?\d+\s*$")


def roles_of(entry: SourceFile, dialect: Dialect, options: Options) -> dict[str, str]:
    """Return the column of each role of a delimited file."""
    beside, cells = partition_of(entry), dialect.cells
    roles = find_roles(dialect.names, options, entry.shown, columns=cells, partition=beside)
    sample = defaultdict(list, dialect.sample)
    return with_cells(
        roles,
        dialect.names,
        options,
        lambda names: {name: sample[name] for name in names},
        beside,
        headed=cells is None,
    )


def read_text_table(
    entry: SourceFile,
    options: Options,
    *,
    names: Sequence[str] | None = None,
    text: Sequence[str] = (),
) -> tuple[pa.Table, list[str]]:
    """Read all columns of a delimited table, such as a catalogue, and return it with notes.

    Parameters
    ----------
    entry, options
        The file and how it is written.
    names
        The names of the columns of a file without a header.
    text
        Columns to be left as text, whatever stands in them: ids.
    """
    dialect = dialect_of(entry, options)
    if names is not None:
        dialect = replace(dialect, names=tuple(names), headed=bool(options.header))
    notes = []
    block = entry.read()[dialect.bom :]
    try:
        block = as_utf8(block, decoder_of(dialect.encoding), dialect.encoding, final=True)
    except NotUtf8:
        dialect = replace(dialect, encoding=BY_LINE)
        block = latin(block).encode()
        notes.append(f"{entry.name}: not UTF-8, so read as Latin-1")
    kept = BlockColumns(dialect, {})
    whole = one_line_end(block, quoted=dialect.quoted)
    block = kept.body(whole)
    if dialect.headed:
        block = without_headers(block, whole[: len(whole) - len(block)], dialect)
    if dialect.padded:
        block = unpadded(block.decode(), dialect.delimiter).encode()
    above = whole.count(b"\n") - block.count(b"\n")
    types = {name: pa.string() for name in text}
    table = parsed(block, dialect, kept.on_malformed, None, types, entry.shown)
    n_records = table.num_rows + kept.n_malformed + kept.n_blank
    refuse_swallowed(block, dialect, n_records, above, entry.shown)
    kept.refuse(entry, options, notes)
    return table, notes


def _read(entry: SourceFile, options: Options, dialect: Dialect, roles: Mapping[str, str]) -> Raw:
    # Whether 2.500 are thousands, only the texts of the whole column tell.
    cells = dialect.sample.get(roles.get("value", ""), ())
    as_numbers = options.decimal is None and not are_pointed(cells) and _all_fit(_NUMBER, cells)
    plain = as_numbers and options.time_format is None and set(roles.values()) <= set(dialect.names)
    plain = plain and not roles.keys() & {"event", *PARTS}
    if plain and entry.packed_bytes >= LARGE:
        with options.progress.task(f"reading {entry.name}", None) as task:
            columns = read_plain(entry, dialect, roles, task.advance)
        if columns is not None:
            return _plain_raw(columns, entry, dialect, roles)
    try:
        return _read_as(entry, options, dialect, roles, as_numbers=as_numbers)
    except _LateWords:
        return _read_as(entry, options, dialect, roles, as_numbers=False)


def _all_fit(form: re.Pattern[str], cells: Sequence[str]) -> bool:
    """Whether the first cells are plain numbers: others needn't be tried as such."""
    return all(form.match(cell) or cell.strip() in MISSING_WORDS for cell in cells)


def _read_as(
    entry: SourceFile,
    options: Options,
    dialect: Dialect,
    roles: Mapping[str, str],
    *,
    as_numbers: bool,
) -> Raw:
    kept = BlockColumns(dialect, roles, partition_of(entry), time_format=options.time_format)
    first = {"value": pa.float32() if as_numbers else WORDS, "time": pa.int64()}
    times = dialect.sample.get(roles.get("time", ""), ())
    if options.time_format is not None or not _all_fit(_WHOLE, times):
        first["time"] = pa.string()
    types: dict[str, pa.DataType] = {name: first.get(role, WORDS) for role, name in roles.items()}
    with options.progress.task(f"reading {entry.name}", None) as task:
        for block in ahead(line_blocks(entry, dialect)):
            _add(kept, block, types, entry.shown)
            task.advance(len(block))
    notes = _notes(roles, dialect)
    kept.refuse(entry, options, notes)
    if kept.n_rows == 0:
        what = "a header but no rows" if dialect.headed else "no rows"
        raise NoRowsError(f"the file has {what}.", source=entry.shown)
    values, odd = kept.whole_values(options.decimal)
    return Raw(
        users=pa.chunked_array(kept.users, type=WORDS),
        items=pa.chunked_array(kept.items, type=WORDS),
        values=values,
        times=kept.times if "time" in roles else None,
        bare_times=kept.bare,
        source=entry.shown,
        locate=lambda rows: located(entry, dialect, rows, kept.n_malformed + kept.n_blank > 0),
        notes=notes,
        columns=roles,
        headed=dialect.cells is None,
        odd=odd,
        day_first=kept.whole_day_first(),
        fraction=kept.whole_fraction(),
        events=pa.chunked_array(kept.events, type=WORDS) if "event" in roles else None,
    )


def _plain_raw(
    columns: Columns, entry: SourceFile, dialect: Dialect, roles: Mapping[str, str]
) -> Raw:
    return Raw(
        users=columns.users,
        items=columns.items,
        values=columns.values,
        times=columns.times,
        source=entry.shown,
        locate=lambda rows: located(entry, dialect, rows, False),
        notes=_notes(roles, dialect),
        columns=roles,
        headed=dialect.cells is None,
    )


def _notes(roles: Mapping[str, str], dialect: Dialect) -> list[str]:
    notes: list[str] = [roles_note(roles, dialect.names, headed=dialect.cells is None)]
    if dialect.encoding in LEGACY:
        notes.append(f"read as {dialect.encoding}")
    if dialect.escape:
        notes.append(f"quotes after {dialect.escape!r} are part of the text")
    if dialect.title:
        notes.append(f"left out the lines above the header: {dialect.title!r} ...")
    index = None if dialect.cells is None else counting(dialect.cells)
    if index is not None and index not in roles.values():
        notes.append(f"{index} merely counts the lines, so it isn't an id")
    return notes


def _add(kept: BlockColumns, block: bytes, types: dict[str, pa.DataType], source: str) -> None:
    """Parse a block and keep its columns."""
    body = kept.body(block)
    if kept.dialect.padded:
        body = unpadded(body.decode(), kept.dialect.delimiter).encode()
    above = kept.n_lines + block.count(b"\n") - body.count(b"\n")
    before = kept.n_malformed + kept.n_blank
    table = _typed(body, kept, types, source)
    if table is not None:
        n_records = table.num_rows + kept.n_malformed + kept.n_blank - before
        refuse_swallowed(body, kept.dialect, n_records, above, source)
        kept.add(table)
    kept.n_lines += block.count(b"\n")


def _typed(
    block: bytes, kept: BlockColumns, types: dict[str, pa.DataType], source: str
) -> pa.Table | None:
    """A block's columns; values or times that aren't numbers are read as text, which later
    blocks then are too. Values of earlier blocks need their texts too (``1.000`` may be a thousand
    beside ``4,5``), for which `_LateWords` is raised.
    """
    if not block or block.isspace():
        return None
    seen = kept.n_malformed, kept.n_blank, len(kept.malformed)
    while True:
        try:
            columns = [name for name in kept.roles.values() if name in kept.dialect.names]
            return parsed(block, kept.dialect, kept.on_malformed, columns, types, source)
        except Unconvertible as error:
            kept.n_malformed, kept.n_blank, _ = seen
            del kept.malformed[seen[2] :]
            left = [
                name
                for role, name in kept.roles.items()
                if role in ("value", "time") and types[name] in (pa.float32(), pa.int64())
            ]
            if not left:
                raise
            name = error.column if error.column in left else left[-1]
            is_value = name == kept.roles.get("value")
            if is_value and kept.n_rows:
                raise _LateWords from None
            types[name] = WORDS if is_value else pa.string()


class _LateWords(Exception):
    """A value that is no plain number stands behind blocks that were read as numbers."""
