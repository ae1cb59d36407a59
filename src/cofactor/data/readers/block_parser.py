"""One block of delimited text, split into typed columns by Arrow."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pyarrow as pa
from pyarrow import csv as pacsv

from cofactor.base.errors import DataError
from cofactor.data.id_text import MISSING_WORDS
from cofactor.data.readers.fields import WHITESPACE
from cofactor.data.readers.raw import NoRowsError
from cofactor.data.readers.sniff import Dialect
from cofactor.data.readers.source_files import SMALL

# Texts as they stand, each once.
WORDS = pa.dictionary(pa.int32(), pa.string())
_SEPARATOR = "\x1f"


class Unconvertible(DataError):
    """A column has a field that isn't of its type."""

    column: str | None = None


def _one_character(block: bytes, delimiter: str) -> tuple[bytes, str]:
    """The block with fields separated by a single character, and that."""
    if delimiter == WHITESPACE:
        block = re.sub(rb"[ \t]+", _SEPARATOR.encode(), re.sub(rb"(?m)^[ \t]+|[ \t]+$", b"", block))
        delimiter = _SEPARATOR
    elif len(delimiter) > 1 or not delimiter.isascii():
        block = block.replace(delimiter.encode(), _SEPARATOR.encode())
        delimiter = _SEPARATOR
    return block, delimiter


def parsed(
    block: bytes,
    dialect: Dialect,
    on_malformed: Callable[[Any], str],
    columns: Sequence[str] | None,
    types: Mapping[str, pa.DataType],
    source: str,
) -> pa.Table:
    """Return some columns (None for all) of whole lines without a header, or raise `Unconvertible`.

    Lines of another number of fields are left to ``on_malformed``.
    """
    block, delimiter = _one_character(block, dialect.delimiter)
    has_quotes = bool(dialect.quoted) and dialect.quoted.encode() in block
    # Arrow's reader of streams wakes fewer threads, but settles types by its first block.
    given = columns is not None and set(columns) <= types.keys()
    small = len(block) <= SMALL and given
    reader = _streamed if small else pacsv.read_csv
    try:
        return reader(
            pa.BufferReader(block),
            read_options=pacsv.ReadOptions(
                column_names=list(dialect.names),
                block_size=len(block) + 1 if small else 1 << 22,
                use_threads=len(block) > SMALL,
            ),
            parse_options=pacsv.ParseOptions(
                delimiter=delimiter,
                quote_char=dialect.quoted if has_quotes else False,
                escape_char=dialect.escape or False,
                newlines_in_values=has_quotes,
                invalid_row_handler=on_malformed,
            ),
            convert_options=pacsv.ConvertOptions(
                column_types=dict(types),
                include_columns=list(columns) if columns is not None else None,
                null_values=[*MISSING_WORDS],
                strings_can_be_null=False,
            ),
        )
    except pa.ArrowInvalid as error:
        raise _typed_error(str(error), dialect, source) from None


def _streamed(source: pa.BufferReader, **how: Any) -> pa.Table:
    with pacsv.open_csv(source, **how) as reader:
        return reader.read_all()


def _typed_error(text: str, dialect: Dialect, source: str) -> DataError:
    if "Empty CSV" in text:
        return NoRowsError("the file has a header but no rows.", source=source)
    if "conversion error" not in text:
        return DataError(
            f"the text can't be split into rows ({text}); check its quotes, or give quote=False.",
            source=source,
        )
    error = Unconvertible(text, source=source)
    found = re.search(r"column #(\d+)", text)
    error.column = dialect.names[int(found[1])] if found else None
    return error
