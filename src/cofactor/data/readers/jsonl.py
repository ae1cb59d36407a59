"""JSON lines (Amazon and Goodreads dumps, event logs), and the Python-literal lines of old
Amazon metadata.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import json as pajson

from cofactor.base.errors import DataError
from cofactor.data.notes import Note
from cofactor.data.readers.arrow_memory import arrow_reader
from cofactor.data.readers.block_columns import BlockColumns
from cofactor.data.readers.cell_roles import with_cells
from cofactor.data.readers.columns import Options, find_roles, folded, roles_note
from cofactor.data.readers.frames import raw_of_table, raw_of_whole
from cofactor.data.readers.json_shapes import table_of_json
from cofactor.data.readers.json_text import (
    bounded_levels,
    document,
    has_null_record,
    in_utf8,
    is_blank,
    is_document,
    json_of,
    literal_of,
    record_of,
)
from cofactor.data.readers.lines import at_rows
from cofactor.data.readers.nested_items import (
    expanded,
    field_of_items,
    filled_names,
    has_ids,
    opened,
)
from cofactor.data.readers.partitions import partition_of, with_partition
from cofactor.data.readers.raw import NoRowsError, Raw
from cofactor.data.readers.source_files import BLOCK, LONGEST, SMALL, SourceFile
from cofactor.data.readers.text_encoding import encoding_of, not_utf8
from cofactor.data.readers.usual_names import USUAL
from cofactor.data.records import names_of, table_of, table_of_columns

_SAMPLE = 200
_ACTIONS = ("index", "create", "update")
_NO_OBJECTS = (
    "the first lines aren't JSON objects, though they begin as such do; write"
    ' {"user": "u1", "item": "a"}, or rows without braces'
)
# What may be a field's name.
_FIELD = re.compile(rb'"([A-Za-z][\w -]{1,30})"[ \t]*:')


def read_jsonl(entry: SourceFile, options: Options) -> Raw:
    """Read four fields of each line's object.

    Raises
    ------
    DataError
        If a line isn't an object (with its number), the file is empty, or no field is named like a
        user or an item.
    """
    text = in_utf8(entry, options.encoding)
    with bounded_levels(entry.shown):
        raw = _read(text, options)
    if (
        text is not entry
        and options.encoding is None
        and encoding_of(entry.head(4096), None)[0] == "utf-8"
    ):
        raw.notes.append(not_utf8(entry.blocks()))
    return raw


def _read(entry: SourceFile, options: Options) -> Raw:
    head = entry.head()
    if is_document(head):
        table = with_partition(table_of_json(document(entry), entry.shown), partition_of(entry))
        return raw_of_whole(table, options, entry.shown)
    sample, literal = _sample(head, entry)
    inner = field_of_items(sample)
    names, roles = _roles(sample, inner, entry, options)
    bulk = _is_action(record_of(head.lstrip().partition(b"\n")[0]) or {})
    if literal or bulk or inner is not None or any("." in name for name in roles.values()):
        return _slow(entry, options, roles, names, literal=literal, inner=inner)
    beside = partition_of(entry).keys() - names_of(sample)
    kinds = {
        name: _kind([row.get(name) for row in sample])
        for name in roles.values()
        if name not in beside
    }
    if all(kind is not None for kind in kinds.values()):
        raw = _fast(entry, options, roles, names, pa.schema(list(kinds.items())))
        if raw is not None:
            return raw
    return _slow(entry, options, roles, names, literal=False)


def _roles(
    sample: list[dict[str, Any]], inner: str | None, entry: SourceFile, options: Options
) -> tuple[list[str], dict[str, str]]:
    """The fields of records, and the one of each role."""
    rows = [part for row in sample for part in expanded(row, inner)]
    rows = [{**partition_of(entry), **row} for row in rows]
    names = names_of(rows)
    # A field that is always empty at first is nobody's id where another one has some.
    fields = [opened(row) for row in rows]
    filled = filled_names(fields, names)
    given = {options.user, options.item, options.value, options.time}
    paths = names_of(fields)
    if not has_ids(filled) or given & {path for path in paths if path not in names}:
        names, filled = paths, filled_names(fields, paths)
    roles = find_roles(filled if has_ids(filled) else names, options, entry.shown)
    # What holds the ids isn't a value.
    holders = {name.partition(".")[0] for name in roles.values() if "." in name}
    late = [name for name in _late_names(entry, roles, options) if name not in holders]
    if late:
        names += [name for name in late if name not in names]
        roles = find_roles(names, options, entry.shown)

    def texts(some: Sequence[str]) -> dict[str, list[str]]:
        return {n: ["" if f.get(n) is None else str(f[n]) for f in fields] for n in some}

    return names, with_cells(roles, names, options, texts)


def whole_table(entry: SourceFile, *, catalogue: bool = False) -> pa.Table:
    """Read all fields of all lines; fields that aren't of one simple type become texts of JSON. Of
    a ``catalogue`` a record with an id is an item, whatever it lists (variants, offers).
    """
    entry = in_utf8(entry)
    head = entry.head()
    if is_document(head):
        value = document(entry)
        if isinstance(value, dict) and value and all(isinstance(v, str) for v in value.values()):
            # One record, or a mapping.
            return table_of([value])
        return table_of_json(value, entry.shown, catalogue=catalogue)
    _, literal = _sample(head, entry)
    return table_of([opened(row) for _, row in _objects(entry, literal)])


def sampled_names(entry: SourceFile) -> list[str]:
    """Return the fields of the first lines, or those of a whole document."""
    entry = in_utf8(entry)
    if is_document(entry.head()):
        return table_of_json(document(entry), entry.shown).column_names
    return names_of(_sample(entry.head(), entry)[0])


def _late_names(entry: SourceFile, roles: Mapping[str, str], options: Options) -> list[str]:
    """Fields that no line of the sample has, and that may be a value's or a time's."""
    wanted = [
        role
        for role in ("value", "time")
        if role not in roles and getattr(options, role) is None and "event" not in roles
    ]
    known = {name for role in wanted for name in USUAL[role]}
    late = {name for block in _blocks(entry) for name in _FIELD.findall(block)} if wanted else set()
    if not any(folded(name.decode()) in known for name in late):
        return []
    # Such a name may stand within an object or a text: only whole lines tell.
    return names_of(row for _, row in _objects(entry, False, _Aside()))


def _table(block: bytes, parse: pajson.ParseOptions) -> pa.Table | None:
    """The rows of a block of lines; None if any isn't of the schema, or may not be a record."""
    if has_null_record(block):
        return None
    try:
        if not block.isascii():
            # Arrow takes bytes that aren't UTF-8 into its texts.
            block.decode()
        how = pajson.ReadOptions(len(block) > SMALL, block_size=max(len(block), 1))
        return pajson.read_json(arrow_reader(block), how, parse)
    except (pa.ArrowInvalid, UnicodeDecodeError):
        return None


def _fast(
    entry: SourceFile,
    options: Options,
    roles: Mapping[str, str],
    names: list[str],
    schema: pa.Schema,
) -> Raw | None:
    """All lines by Arrow on all cores; None if any isn't of the schema."""
    columns = BlockColumns(roles, options, entry.shown, partition_of(entry))
    parse = pajson.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore")
    with options.progress.task(f"reading {entry.name}", None) as task:
        for block in _blocks(entry):
            table = _table(block, parse)
            if table is None:
                return None
            columns.add(table)
            task.advance(len(block))
    if not columns.texts:
        raise NoRowsError("there are no rows in it.", source=entry.shown)
    notes: list[str] = [roles_note(roles, names)]
    return columns.raw(lambda rows: _locate(entry, rows), notes, headed=False)


@dataclass
class _Aside:
    """Lines that gave no record: those without an object, how many held none in the field of
    items, and how many say what a store shall do with the next line.
    """

    bad: list[tuple[int, str]] = field(default_factory=list)
    empty: int = 0
    actions: int = 0

    def count(self, row: Mapping[str, Any]) -> None:
        """Count a line."""
        is_action = _is_action(row)
        self.actions, self.empty = self.actions + is_action, self.empty + (not is_action)

    def notes(self, inner: str | None) -> list[str]:
        """Return what there is to say of a field of items (``inner``), and of lines left out."""
        notes = [] if inner is None else [f"a row for each object in {inner!r}"]
        if self.empty:
            notes.append(Note.counting("left out", self.empty, "line", " without any"))
        if self.actions:
            what = " of actions (of a bulk request)"
            notes.append(Note.counting("left out", self.actions, "line", what))
        return notes


def _is_action(row: Mapping[str, Any]) -> bool:
    """Whether a line only says where Elasticsearch shall put the next one: ``{"index": {...}}``."""
    if len(row) != 1:
        return False
    name, value = next(iter(row.items()))
    return name in _ACTIONS and isinstance(value, dict) and all(key[:1] == "_" for key in value)


def _slow(
    entry: SourceFile,
    options: Options,
    roles: Mapping[str, str],
    names: Sequence[str],
    *,
    literal: bool,
    inner: str | None = None,
) -> Raw:
    """Line by line: says which lines aren't objects, and takes fields of mixed types."""
    aside = _Aside()
    columns: dict[str, list[Any]] = {name: [] for name in roles.values()}
    nested, partition = any("." in name for name in columns), partition_of(entry)
    for _, row in _objects(entry, literal, aside, inner):
        fields = opened(row) if nested else row
        for name, column in columns.items():
            column.append(fields.get(name, row.get(name, partition.get(name))))
    bad, n_bad = aside.bad, len(aside.bad)
    if n_bad and options.on_bad == "error":
        plural = "line isn't a JSON object" if n_bad == 1 else "lines aren't JSON objects"
        raise DataError(
            f"{n_bad:,} {plural}; fix them, or drop them with on_bad='skip':",
            source=entry.shown,
            rows=bad[:5],
            total=n_bad,
        )
    table = table_of_columns(columns)
    raw = raw_of_table(table, roles, options, entry.shown, names=names)
    raw.locate = lambda rows: _locate(entry, rows, literal, inner)
    raw.notes += aside.notes(inner)
    if literal:
        raw.notes.append("lines are Python literals and no JSON; read as literals, never run")
    if n_bad:
        at = f" (the first on line {bad[0][0]:,})"
        raw.notes.append(Note.counting("skipped", n_bad, "line", " without a JSON object", at))
        if options.rejects is not None:
            options.rejects.add(entry.shown, "no JSON object", bad)
    return raw


def _sample(head: bytes, entry: SourceFile) -> tuple[list[dict[str, Any]], bool]:
    """The objects of the first lines, and whether they are Python literals instead of JSON."""
    lines = [line for line in head.splitlines() if not is_blank(line)]
    if not lines:
        raise NoRowsError("the file is empty.", source=entry.shown)
    if len(lines) > 1 and not head.endswith(b"\n"):
        lines = lines[:-1]
    rows, literals = [], 0
    for line in lines[:_SAMPLE]:
        row = record_of(line)
        if row is None:
            row = literal_of(line)
            literals += row is not None
        if row is not None and not _is_action(row):
            rows.append(row)
    if not rows:
        raise DataError(
            f"{_NO_OBJECTS}:",
            source=entry.shown,
            rows=[(1, lines[0].decode("utf-8", "replace"))],
        )
    return rows, literals > len(rows) // 2


def _objects(
    entry: SourceFile,
    literal: bool,
    aside: _Aside | None = None,
    inner: str | None = None,
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Each line's number and records; lines without any are counted in ``aside``."""
    line = 0
    for block in _blocks(entry):
        for text in block.split(b"\n")[: None if not block.endswith(b"\n") else -1]:
            line += 1
            if is_blank(text):
                continue
            row = (literal_of(text) or record_of(text)) if literal else record_of(text)
            if row is not None:
                parts = () if _is_action(row) else (*expanded(row, inner),)
                if not parts and aside is not None:
                    aside.count(row)
                yield from ((line, part) for part in parts)
            elif aside is not None:
                aside.bad.append((line, text.decode("utf-8", "replace").rstrip("\r")))
            else:
                raise DataError(
                    "a line isn't a JSON object:",
                    source=entry.shown,
                    rows=[(line, text.decode("utf-8", "replace"))],
                )


def _blocks(entry: SourceFile) -> Iterator[bytes]:
    rest = b""
    for raw in entry.blocks(BLOCK):
        block = rest + raw
        end = block.rfind(b"\n") + 1
        rest = block[end:]
        if len(rest) > LONGEST:
            raise DataError(
                f"a line of more than {LONGEST >> 20} MiB isn't a record; a JSON document of many"
                " lines must begin with '['.",
                source=entry.shown,
            )
        if block[:end].strip():
            yield block[:end]
        elif end:
            rest = block
    if rest.strip():
        yield rest


def _locate(
    entry: SourceFile, rows: np.ndarray, literal: bool = False, inner: str | None = None
) -> list[tuple[int, str]]:
    found = at_rows(_objects(entry, literal, _Aside(), inner), rows)
    return [(line, json_of(content)) for line, content in found]


def _kind(values: list[Any]) -> pa.DataType | None:
    """The Arrow type of a field by its first values; None if it is of no single simple type."""
    kinds = {type(value) for value in values if value is not None}
    if kinds == {str}:
        return pa.string()
    if kinds == {bool}:
        return pa.bool_()
    if kinds == {int}:
        return pa.int64()
    if kinds and kinds <= {int, float}:
        return pa.float64()
    return None
