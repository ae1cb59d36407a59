"""Delimited text of any writing: csv, tsv, dat, txt; gzipped or in a zip. In blocks, on all cores,
by Arrow.

A block is some megabytes that end with a line. Ids become dictionaries of texts at once (so that no
zero in front of an id is ever lost), and only the columns that are used are converted; what stays
in memory is 4 bytes an id."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import pyarrow as pa

from cofactor.data.id_text import MISSING_WORDS
from cofactor.data.readers.block_columns import BlockColumns
from cofactor.data.readers.block_parser import WORDS, BlockParser, Unconvertible
from cofactor.data.readers.cell_roles import roles_of_columns
from cofactor.data.readers.clock_columns import PARTS
from cofactor.data.readers.columns import Options, roles_note
from cofactor.data.readers.headers import LEGACY
from cofactor.data.readers.lines import LineBlocks, located
from cofactor.data.readers.links import graph_note
from cofactor.data.readers.partitions import partition_of
from cofactor.data.readers.plain_numbers import LARGE, read_plain
from cofactor.data.readers.positions import counting, kinds_among
from cofactor.data.readers.raw import NoRowsError, Raw
from cofactor.data.readers.sniff import Dialect, dialect_of
from cofactor.data.readers.source_files import SourceFile, ahead
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
    columns = BlockColumns(roles, options, entry.shown, partition_of(entry))
    # Whether 2.500 are thousands, only the texts of the whole column tell.
    cells = dialect.sample.get(roles.get("value", ""), ())
    as_numbers = options.decimal is None and not are_pointed(cells) and _all_fit(_NUMBER, cells)
    plain = as_numbers and options.time_format is None and set(roles.values()) <= set(dialect.names)
    plain = plain and not roles.keys() & {"event", *PARTS} and entry.packed_bytes >= LARGE
    with options.progress.task(f"reading {entry.name}", None) as task:
        if plain and read_plain(entry, dialect, columns, task.advance):
            notes, check = _notes(roles, dialect), False
        else:
            notes, check = _read(entry, dialect, columns, task.advance, as_numbers=as_numbers)
    return columns.raw(
        lambda rows: located(entry, dialect, rows, check),
        notes,
        headed=dialect.named,
        of_hive=dialect.delimiter == "\x01",
    )


_NUMBER = re.compile(r"^\s*[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?\s*$")
_WHOLE = re.compile(r"^\s*-?\d+\s*$")


def roles_of(entry: SourceFile, dialect: Dialect, options: Options) -> dict[str, str]:
    """Return the column of each role of a delimited file."""
    sample = defaultdict(list, dialect.sample)
    return roles_of_columns(
        dialect.names,
        options,
        entry.shown,
        lambda names: {name: sample[name] for name in names},
        partition=partition_of(entry),
        bare=None if dialect.named else dialect.sample,
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
    blocks, parser = LineBlocks(entry, dialect), BlockParser(entry, dialect)
    table = parser.parse(b"".join(blocks), {name: pa.string() for name in text})
    notes = [f"{entry.name}: {note}" for note in (*_legacy(dialect), *blocks.notes())]
    if table is None:
        raise NoRowsError("the file has a header but no rows.", source=entry.shown)
    skipped: list[str] = []
    parser.refuse(options, skipped)
    return table, [*notes, *(f"{entry.name}: {note}" for note in skipped)]


def _all_fit(form: re.Pattern[str], cells: Sequence[str]) -> bool:
    """Whether the first cells are plain numbers: others needn't be tried as such."""
    return all(form.match(cell) or cell.strip() in MISSING_WORDS for cell in cells)


def _read(
    entry: SourceFile,
    dialect: Dialect,
    columns: BlockColumns,
    advance: Callable[[int], Any],
    *,
    as_numbers: bool,
) -> tuple[list[str], bool]:
    """Read the columns by Arrow; notes, and whether some records were left out.

    Values or times that aren't numbers are read as text, which later blocks then are too. Values
    of earlier blocks need their texts too (``1.000`` may be a thousand beside ``4,5``): then the
    file is read again.
    """
    roles, options = columns.roles, columns.options
    first = {"value": pa.float32() if as_numbers else WORDS, "time": pa.int64()}
    times = dialect.sample.get(roles.get("time", ""), ())
    if options.time_format is not None or not _all_fit(_WHOLE, times):
        first["time"] = pa.string()
    types: dict[str, pa.DataType] = {name: first.get(role, WORDS) for role, name in roles.items()}
    wanted = [name for name in roles.values() if name in dialect.names]
    blocks, parser = LineBlocks(entry, dialect), BlockParser(entry, dialect)
    try:
        for block in ahead(iter(blocks)):
            table = parser.parse(block, types, wanted, partial(_widen, types, columns))
            if table is not None:
                columns.add(table)
            advance(len(block))
    except _LateWords:
        columns.clear()
        return _read(entry, dialect, columns, advance, as_numbers=False)
    notes = _notes(roles, dialect)
    parser.refuse(options, notes)
    if not columns.texts:
        what = "a header but no rows" if dialect.headed else "no rows"
        raise NoRowsError(f"the file has {what}.", source=entry.shown)
    return [*notes, *blocks.notes()], parser.n_left_out > 0


def _widen(types: dict[str, pa.DataType], columns: BlockColumns, error: Unconvertible) -> None:
    """Let the column that isn't of its type be of texts, if it is of values or times."""
    numbers = {"value": pa.float32(), "time": pa.int64()}
    roles = columns.roles
    left = [role for role in numbers if role in roles and types[roles[role]] == numbers[role]]
    if not left:
        raise error
    role = next((one for one in left if roles[one] == error.column), left[-1])
    if role == "value" and columns.numbers:
        raise _LateWords
    types[roles[role]] = WORDS if role == "value" else pa.string()


def _legacy(dialect: Dialect) -> list[str]:
    return [f"read as {dialect.encoding}"] if dialect.encoding in LEGACY else []


def _notes(roles: Mapping[str, str], dialect: Dialect) -> list[str]:
    notes: list[str] = [roles_note(roles, dialect.names, headed=dialect.named)]
    notes += _legacy(dialect)
    if dialect.escape:
        notes.append(f"quotes after {dialect.escape!r} are part of the text")
    if dialect.title:
        notes.append(f"left out the lines above the header: {dialect.title!r} ...")
    notes += graph_note(dialect.graph)
    index = None if dialect.named else counting(dialect.sample)
    if index is not None and index not in roles.values():
        notes.append(f"{index} merely counts the lines, so it isn't an id")
    kinds = None if dialect.named else kinds_among(dialect.sample, roles.values())
    if kinds is not None:
        notes.append(f"{kinds} holds kinds of events, which kinds={{'view': 1}} would weigh")
    return notes


class _LateWords(Exception):
    """A value that isn't a plain number stands behind blocks that were read as numbers."""
