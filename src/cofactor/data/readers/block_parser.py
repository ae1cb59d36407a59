"""The blocks of a delimited file, split into typed columns by Arrow."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pyarrow as pa
from pyarrow import csv as pacsv

from cofactor.base.errors import DataError
from cofactor.data.id_text import MISSING_WORDS
from cofactor.data.notes import Note
from cofactor.data.readers.arrow_memory import arrow_reader
from cofactor.data.readers.columns import Options
from cofactor.data.readers.fields import DELIMITERS, SPOKEN, WHITESPACE, unpadded
from cofactor.data.readers.lines import malformed_lines, record_end
from cofactor.data.readers.open_quotes import refuse_swallowed
from cofactor.data.readers.repeated_headers import without_headers
from cofactor.data.readers.sniff import Dialect
from cofactor.data.readers.source_files import SMALL, SourceFile

# Texts as they stand, each once.
WORDS = pa.dictionary(pa.int32(), pa.string())
_SEPARATOR = "\x1f"
# What Arrow says of a field that isn't of its column's type.
_CONVERSION = "conversion error"


class Unconvertible(DataError):
    """A column has a field that isn't of its type."""

    column: str | None = None


class BlockParser:
    """Splits the blocks of a file, one after another, and counts the lines that don't fit.

    Parameters
    ----------
    entry, dialect
        The file and how it is written.
    """

    def __init__(self, entry: SourceFile, dialect: Dialect) -> None:
        self.entry, self.dialect = entry, dialect
        self.lines_due = dialect.above + dialect.headed
        self.n_lines = self.n_malformed = self.n_blank = 0
        self.malformed: list[str] = []

    @property
    def n_left_out(self) -> int:
        """How many records Arrow left out so far."""
        return self.n_malformed + self.n_blank

    def parse(
        self,
        block: bytes,
        types: Mapping[str, pa.DataType],
        columns: Sequence[str] | None = None,
        widen: Callable[[Unconvertible], None] | None = None,
    ) -> pa.Table | None:
        """Return some columns (None for all) of the next block; None if there are no rows in it.

        Parameters
        ----------
        block
            Whole lines, UTF-8.
        types
            The types of columns; those of others are inferred.
        columns
            Their names; None also leaves out the types below a header, and further headers: a table
            is one block.
        widen
            Called where a field isn't of its column's type: changes ``types``, or raises.
        """
        body = self._body(block)
        above = self.n_lines + block.count(b"\n") - body.count(b"\n")
        self.n_lines += block.count(b"\n")
        if not body or body.isspace():
            return None
        if columns is None and self.dialect.headed:
            body = without_headers(body, block[: len(block) - len(body)], self.dialect)
        if self.dialect.padded:
            body = unpadded(body.decode(), self.dialect.delimiter).encode()
        before, n_shown = (self.n_malformed, self.n_blank), len(self.malformed)
        while True:
            try:
                table = self._table(body, types, columns)
                break
            except Unconvertible as error:
                if widen is None:
                    raise
                (self.n_malformed, self.n_blank), self.malformed[n_shown:] = before, []
                widen(error)
        n_records = table.num_rows + self.n_left_out - sum(before)
        refuse_swallowed(body, self.dialect, n_records, above, self.entry.shown)
        return table

    def _body(self, block: bytes) -> bytes:
        """The block without the header and what stands above it."""
        start = 0
        while self.lines_due and start < len(block):
            end = (block.find(b"\n", start) + 1) or len(block)
            if self.dialect.headed and self.lines_due == 1:
                end = record_end(block, start, self.dialect.quoted)
            self.lines_due -= 1
            start = end
        return block[start:]

    def _on_malformed(self, row: Any) -> str:
        """Count a line of another number of fields, which Arrow leaves out then."""
        if not (row.text or "").strip():
            self.n_blank += 1
            return "skip"
        self.n_malformed += 1
        if len(self.malformed) < 5:
            self.malformed.append(row.text or "")
        return "skip"

    def refuse(self, options: Options, notes: list[str]) -> None:
        """Raise DataError for lines of another number of fields; where they are to be skipped, note
        how many there were.
        """
        if not self.n_malformed:
            return
        dialect = self.dialect
        if options.on_bad == "skip":
            what = f"without {len(dialect.names)} fields"
            notes.append(Note.counting("skipped", self.n_malformed, "line", f" {what}"))
            if options.rejects is not None:
                rows = malformed_lines(self.entry, dialect, self.n_malformed)
                options.rejects.add(self.entry.shown, f"a line {what}", rows)
            return
        # A space or a comma is in many a text: the line must have the fields by it.
        between = len(dialect.names) - 1
        other = next((d for d in DELIMITERS if self.malformed[0].count(d) == between), None)
        mixed = (
            f" ({SPOKEN.get(other, repr(other))} stands there: mixed delimiters)" if other else ""
        )
        plural = "line doesn't have" if self.n_malformed == 1 else "lines don't have"
        more = (("delimiter", "give delimiter="), ("on_bad", "or drop them with on_bad='skip'"))
        cures = ["fix them", *(cure for name, cure in more if name in options.offered)]
        raise DataError(
            f"{self.n_malformed:,} {plural} the {len(dialect.names)} fields of the first, split"
            f" at {dialect.spoken}{mixed}; {', '.join(cures)}:",
            source=self.entry.shown,
            rows=malformed_lines(self.entry, dialect),
            total=self.n_malformed,
        )

    def _table(
        self, block: bytes, types: Mapping[str, pa.DataType], columns: Sequence[str] | None
    ) -> pa.Table:
        """Whole lines without a header; those of another number of fields are left out."""
        dialect = self.dialect
        block, delimiter = _one_character(block, dialect.delimiter)
        has_quotes = bool(dialect.quoted) and dialect.quoted.encode() in block
        parsing = {
            "delimiter": delimiter,
            "quote_char": dialect.quoted if has_quotes else False,
            "escape_char": dialect.escape or False,
            "newlines_in_values": has_quotes,
        }
        converting = pacsv.ConvertOptions(
            column_types=dict(types),
            include_columns=list(columns) if columns is not None else None,
            null_values=[*MISSING_WORDS],
            strings_can_be_null=False,
        )
        given = columns is not None and set(columns) <= types.keys()
        try:
            # Where lines were left out, more are likely: they aren't tried twice.
            table = None if self.n_left_out else _whole(block, dialect, parsing, converting, given)
            return self._in_this_thread(block, parsing, converting) if table is None else table
        except pa.ArrowInvalid as error:
            raise _typed_error(str(error), dialect, self.entry.shown) from None

    def _in_this_thread(
        self, block: bytes, parsing: Mapping[str, Any], converting: pacsv.ConvertOptions
    ) -> pa.Table:
        """The table of a block without the lines of another number of fields, which are counted."""
        # A thread of Arrow's would let go of the handler when it likes: see `arrow_reader`.
        return pacsv.read_csv(
            arrow_reader(block),
            _reading(self.dialect, use_threads=False),
            pacsv.ParseOptions(**parsing, invalid_row_handler=self._on_malformed),
            converting,
        )


def _whole(
    block: bytes,
    dialect: Dialect,
    parsing: Mapping[str, Any],
    converting: pacsv.ConvertOptions,
    given: bool,
) -> pa.Table | None:
    """The table of a block; None if a line of it hasn't the number of fields."""
    source, parse = arrow_reader(block), pacsv.ParseOptions(**parsing)
    try:
        # Arrow's reader of streams wakes fewer threads, but settles types by its first block.
        if given and len(block) <= SMALL:
            reading = _reading(dialect, use_threads=False, block_size=len(block) + 1)
            with pacsv.open_csv(source, reading, parse, converting) as stream:
                return stream.read_all()
        return pacsv.read_csv(source, _reading(dialect, len(block) > SMALL), parse, converting)
    except pa.ArrowInvalid as error:
        if _CONVERSION in str(error):
            raise
        return None


def _reading(dialect: Dialect, use_threads: bool, block_size: int = 1 << 22) -> pacsv.ReadOptions:
    names = list(dialect.names)
    return pacsv.ReadOptions(column_names=names, block_size=block_size, use_threads=use_threads)


def _one_character(block: bytes, delimiter: str) -> tuple[bytes, str]:
    """The block with fields separated by a single character, and that."""
    if delimiter == WHITESPACE:
        block = re.sub(rb"[ \t]+", _SEPARATOR.encode(), re.sub(rb"(?m)^[ \t]+|[ \t]+$", b"", block))
        delimiter = _SEPARATOR
    elif len(delimiter) > 1 or not delimiter.isascii():
        block = block.replace(delimiter.encode(), _SEPARATOR.encode())
        delimiter = _SEPARATOR
    return block, delimiter


def _typed_error(text: str, dialect: Dialect, source: str) -> DataError:
    if _CONVERSION not in text:
        return DataError(
            f"the text can't be split into rows ({text}); check its quotes, or give quote=False.",
            source=source,
        )
    error = Unconvertible(text, source=source)
    found = re.search(r"column #(\d+)", text)
    error.column = dialect.names[int(found[1])] if found else None
    return error
