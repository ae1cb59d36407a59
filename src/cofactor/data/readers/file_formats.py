"""One file of events: which format it has, what its columns are, and how it is read."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace

from cofactor.base.errors import DataError
from cofactor.data.events import Events
from cofactor.data.readers import jsonl, parquet, reviews
from cofactor.data.readers.assemble import assemble
from cofactor.data.readers.blocks import is_blocks, read_blocks
from cofactor.data.readers.columns import Options, find_roles, folded
from cofactor.data.readers.delimited import read_delimited, roles_of
from cofactor.data.readers.json_text import is_json
from cofactor.data.readers.lists import read_lists, refuse_baskets
from cofactor.data.readers.partitions import partition_of
from cofactor.data.readers.raw import Raw
from cofactor.data.readers.sniff import Dialect, dialect_of
from cofactor.data.readers.source_files import SourceFile, is_workbook
from cofactor.data.readers.text_encoding import beginning
from cofactor.data.readers.usual_names import KNOWN
from cofactor.data.readers.wrapped_lines import is_wrapped, read_wrapped

_RAW: Mapping[str, Callable[[SourceFile, Options], Raw]] = {
    "delimited": read_delimited,
    "jsonl": jsonl.read_jsonl,
    "parquet": parquet.read_parquet,
    "feather": parquet.read_feather,
    "excel": parquet.read_excel,
    "blocks": read_blocks,
    "wrapped": read_wrapped,
}
FORMATS = (*(name for name in _RAW if name != "wrapped"), "lists")
_SUFFIXES = {
    ".feather": "feather",
    ".arrow": "feather",
    ".xlsx": "excel",
    ".xlsm": "excel",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".json": "jsonl",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
}
# Bytes of no text.
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f]")
# What a format may be called instead, for a hint.
ALSO_CALLED = {
    **{suffix[1:]: name for suffix, name in _SUFFIXES.items() if suffix[1:] != name},
    **dict.fromkeys(("csv", "tsv", "txt", "dat", "text"), "delimited"),
}


def read_entry(entry: SourceFile, options: Options) -> Events:
    """Read one file, whose format is detected by name and content if it isn't given."""
    events = _read(entry, options)
    partition = partition_of(entry)
    if not partition:
        return events
    said = f"the folders' names give {', '.join(partition)} where the file has no such column"
    return events.noted(said)


def _read(entry: SourceFile, options: Options) -> Events:
    format = options.format
    if format is None and reviews.is_goodreads(entry):
        return reviews.read_goodreads_file(entry, options)
    chosen = format or format_of(entry)
    if chosen == "lists":
        return read_lists(entry, options)
    if chosen == "delimited" and format is None:
        dialect = dialect_of(entry, options)
        if dialect.ragged is not None:
            refuse_baskets(entry, dialect.ragged)
            return read_lists(entry, options, dialect.ragged)
        return assemble(read_delimited(entry, options, dialect), options)
    return assemble(_RAW[chosen](entry, options), options)


def columns_of(entry: SourceFile, options: Options) -> tuple[str, tuple[str, ...]]:
    """Return what a file's columns make it: ``"events"`` (users and items), ``"items"`` or
    ``"users"`` (one of them alone), or ``"other"``; and their names.
    """
    chosen, partition = format_of(entry), partition_of(entry)
    if chosen == "delimited":
        dialect = dialect_of(entry, options)
        if not dialect.named:
            return "events", (*dialect.names, *partition)
        names = list(dialect.names)
    elif chosen == "parquet":
        names = parquet.names_of(entry)
    elif chosen == "jsonl":
        names = jsonl.sampled_names(entry)
    elif chosen == "excel":
        names = parquet.excel_table(entry).column_names
    elif chosen == "blocks":
        return "events", ("blocks", *partition)
    else:
        return "other", ()
    names = list(dict.fromkeys([*names, *partition]))
    columns = tuple(sorted(folded(name) for name in names))
    try:
        find_roles(names, replace(options, kinds=None), entry.shown)
        return "events", columns
    except DataError:
        known = {folded(name) for name in names}
        if known & KNOWN["user"]:
            return "users", columns
        return "items" if known & (KNOWN["item"] | {"id"}) else "other", columns


def dialect_of_table(entry: SourceFile, options: Options) -> Dialect | None:
    """Return how a delimited file is written; None for other formats, and lists.

    Raises
    ------
    DataError
        If its header names no user or no item.
    """
    dialect = dialect_of(entry, options) if format_of(entry) == "delimited" else None
    if dialect is None or dialect.ragged is not None:
        return None
    if dialect.named:
        roles_of(entry, dialect, options)
    return dialect


def format_of(entry: SourceFile) -> str:
    """Return the format that a file's first bytes show; where they show none, its name's."""
    head = entry.head(4096)
    if head[:4] == b"PAR1":
        return "parquet"
    if head[:6] == b"ARROW1" or head[:4] in (b"FEA1", parquet.STREAM):
        return "feather"
    if head[:4] == b"PK\x03\x04" and is_workbook(entry):
        return "excel"
    if is_blocks(head):
        return "blocks"
    if is_wrapped(head):
        return "wrapped"
    if is_json(head):
        return "jsonl"
    by_name = _SUFFIXES.get(entry.suffix)
    # A name that promises another format may be wrong; what is damaged says so.
    return "delimited" if by_name is None or _is_plain_text(head) else by_name


def _is_plain_text(head: bytes) -> bool:
    """Whether a file's first bytes are a text of fields, or a page, and begin as no JSON does."""
    text = beginning(head) or ""
    start = text.lstrip("\ufeff \t\r\n")
    parted = start[:1] == "<" or re.search(r"[,;\t|]", start.partition("\n")[0])
    return bool(parted) and start[:1] not in '{["' and not _CONTROL.search(text)
