"""Quotes that open and never close, which swallow the rows below them without a trace."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from cofactor.base.errors import DataError
from cofactor.data.readers.sniff import Dialect, split

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
            "a quote opens a text that goes on over what are rows; close it or take it out, or read"
            " quotes as they stand with quote=False:",
            source=source,
            rows=[(before + line, text[:200])],
            total=1,
        )


def _first_swallowed(text: str, dialect: Dialect) -> tuple[int, str] | None:
    """The line and text of the first record that holds a row."""
    reader = csv.reader(
        io.StringIO(text, newline=""),
        delimiter=dialect.delimiter,
        quotechar=dialect.quoted,
        escapechar=dialect.escape,
    )
    numeric = _numeric_columns(text, dialect)
    ids: set[str] = set()
    start = 1
    try:
        for record in reader:
            if any("\n" in field for field in record):
                ended = text.rstrip("\r\n").endswith(dialect.quoted)
                if record[-1].endswith("\n") and not ended:
                    return start, dialect.delimiter.join(record)
                if _holds_row(record, dialect.delimiter, numeric, ids):
                    return start, dialect.delimiter.join(record)
            ids.update(record[:2])
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
    if numbers:
        return all(_is_number(fields[n]) for n in numbers)
    return any(field in ids for field in fields[:2])


def _numeric_columns(text: str, dialect: Dialect) -> list[bool]:
    """Which columns are of numbers, by the first lines whose quotes are closed."""
    lines = text[: 1 << 16].split("\n")[:_SOME]
    lines = [line for line in lines if line.count(dialect.quoted) % 2 == 0]
    rows = [split(line, dialect.delimiter, dialect.quoted, dialect.escape) for line in lines]
    rows = [row for row in rows if len(row) == len(dialect.names)]
    return [
        bool(rows) and all(_is_number(row[n]) for row in rows) for n in range(len(dialect.names))
    ]


def _is_number(text: str) -> bool:
    # Words of a sentence stand behind spaces: "1, 2, 3".
    try:
        float(text)
    except ValueError:
        return False
    return text == text.strip()
