"""Quotes that open and never close, which swallow the rows below them without a trace."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from itertools import islice
from typing import Any

from cofactor.base.errors import DataError
from cofactor.data.readers.sniff import Dialect

# Records by which columns of numbers are known.
_SOME = 200


def refuse_swallowed(
    block: bytes, dialect: Dialect, n_records: int, before: int, source: str
) -> None:
    """Raise DataError where a quoted text of a block holds what is a row of the table.

    Texts over several lines are fine; lines in them that have the table's numbers and ids in the
    table's columns are rows behind a lone quote.

    Parameters
    ----------
    block
        Whole lines.
    dialect
        How they are written.
    n_records
        How many records they were read as, bad ones included.
    before
        How many lines of the file stand above them.
    source
        For messages.
    """
    quote = dialect.quoted.encode()
    if not quote or quote not in block or block.count(b"\n") <= n_records:
        return
    if len(dialect.delimiter) > 1:
        return
    found = _first_swallowed(block.decode("utf-8", "replace"), dialect)
    if found is not None:
        line, text = found
        raise DataError(
            "a quote opens a text that runs on over several rows; close it or remove it, or read"
            " quotes as they are with quote=False:",
            source=source,
            rows=[(before + line, text[:200])],
            total=1,
        )


def _first_swallowed(text: str, dialect: Dialect) -> tuple[int, str] | None:
    """The line and text of the first record that holds a row."""
    reader = _reader(text, dialect)
    ids: set[str] = set()
    start, n_lines = 1, text.count("\n")
    is_closed = text.rstrip("\r\n").endswith(dialect.quoted)
    try:
        numeric = _numeric_columns(text, dialect)
        for record in reader:
            if any("\n" in field for field in record):
                is_last = reader.line_num >= n_lines
                if is_last and record[-1].endswith("\n") and not is_closed:
                    return start, dialect.delimiter.join(record)
                if _holds_row(record, dialect.delimiter, numeric, ids):
                    return start, dialect.delimiter.join(record)
            ids.update(field for field in record[:2] if field.strip())
            start = reader.line_num + 1
    except csv.Error:
        # A field beyond that module's limit.
        return start, text.splitlines()[start - 1] if start <= text.count("\n") else ""
    return None


def _holds_row(
    record: Sequence[str], delimiter: str, numeric: Sequence[bool], ids: set[str]
) -> bool:
    """Whether a field's lines are rows: the first with the fields before it, those in the middle,
    the last as far as that field.
    """
    for place, field in enumerate(record):
        first, *others = (line.split(delimiter) for line in field.split("\n"))
        if not others:
            continue
        if any(_is_row(fields, len(numeric), numeric, ids) for fields in others[:-1]):
            return True
        if _is_row(others[-1], place + 1, numeric, ids):
            return True
        begun = [*record[:place], *first]
        if any(numeric[place + 1 :]) and _is_row(begun, len(numeric), numeric, ids):
            return True
    return False


def _is_row(fields: Sequence[str], width: int, numeric: Sequence[bool], ids: set[str]) -> bool:
    """Whether fields are a row's first ``width`` ones (of which the last may be cut)."""
    if len(fields) != width or width < 2:
        return False
    numbers = [n for n, is_number in enumerate(numeric[:width]) if is_number]
    if width < len(numeric):
        numbers = [n for n in numbers if n < width - 1]
    is_known = any(field in ids for field in fields[:2])
    # One number alone in a row that is cut may be that of a list.
    if not is_known and len(numbers) < (1 if width == len(numeric) else 2):
        return False
    return all(_is_number(fields[n]) for n in numbers)


def _numeric_columns(text: str, dialect: Dialect) -> list[bool]:
    """Which columns are of numbers, by the first records that stand on one line; where a quote
    opens before any, by the first lines.
    """
    text, width = text[: 1 << 16], len(dialect.names)
    records = list(islice(_reader(text, dialect), _SOME))
    lines = [line.split(dialect.delimiter) for line in text.split("\n")[:_SOME]]
    rows = [row for row in records if not any("\n" in field for field in row)] or lines
    rows = [row for row in rows if len(row) == width]
    return [bool(rows) and all(_is_number(row[n]) for row in rows) for n in range(width)]


def _reader(text: str, dialect: Dialect) -> Any:
    return csv.reader(
        io.StringIO(text, newline=""),
        delimiter=dialect.delimiter,
        quotechar=dialect.quoted,
        escapechar=dialect.escape,
    )


def _is_number(text: str) -> bool:
    # Words of a sentence stand behind spaces: "1, 2, 3".
    try:
        float(text)
    except ValueError:
        return False
    return text == text.strip()
