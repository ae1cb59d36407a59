"""A delimited file as blocks of whole lines, and as records with their numbers for messages."""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

import numpy as np

from cofactor.base.errors import DataError
from cofactor.data.readers.fields import split
from cofactor.data.readers.sniff import Dialect
from cofactor.data.readers.source_files import BLOCK, LONGEST, SourceFile
from cofactor.data.readers.text_encoding import (
    BY_LINE,
    is_utf8,
    latin,
    not_of,
    not_utf8,
    one_line_end,
)

_JOINED = b"\n" + codecs.BOM_UTF8
# The end of a file as DOS writes it.
_ENDS = b"\x1a\r\n"
# Encodings of which ASCII is a part.
_WIDER = ("iso8859", "cp125", "ascii")
_Record = TypeVar("_Record")


class LineBlocks:
    """A delimited file as UTF-8 blocks of some megabytes, each of which ends with a line (and not
    within quotes); iterate over it.

    Parameters
    ----------
    entry, dialect
        The file and how it is written.
    size
        Bytes of the file that are read at once.
    """

    def __init__(self, entry: SourceFile, dialect: Dialect, size: int | None = None) -> None:
        self.entry, self.dialect, self.size = entry, dialect, size or BLOCK
        self.is_mixed = False  # whether some lines weren't UTF-8, and were read as Latin-1

    def __iter__(self) -> Iterator[bytes]:
        dialect, rest = self.dialect, b""
        for raw in self._decoded():
            block = rest + raw
            # A CR at the very end may be the first half of a CRLF.
            held = block[-1:] if block[-1:] == b"\r" else b""
            block = one_line_end(block[:-1] if held else block, quoted=dialect.quoted)
            if _JOINED in block:
                # Files that begin with a mark, one below the other.
                block = block.replace(_JOINED, b"\n")
            end = _last_line_end(block, dialect)
            if len(block) - end > LONGEST:
                # So long a quoted text is none: a lone quote stands somewhere.
                end = block.rfind(b"\n") + 1
            rest = block[end:] + held
            if len(rest) > LONGEST:
                raise DataError(
                    f"a line of more than {LONGEST >> 20} MiB isn't a row of a table; check"
                    " its line ends.",
                    source=self.entry.shown,
                )
            if end:
                yield self._in_utf8(block[:end])
        if rest.strip(_ENDS):
            yield self._in_utf8(one_line_end(rest, quoted=dialect.quoted))

    def notes(self) -> list[str]:
        """Return what there is to say of the encoding."""
        return [not_utf8(self.entry.blocks())] if self.is_mixed else []

    def _decoded(self) -> Iterator[bytes]:
        """The file's bytes without its mark; in UTF-8, where they are in another encoding."""
        encoding, skip = self.dialect.encoding, self.dialect.bom
        is_utf8 = encoding in ("utf-8", BY_LINE)
        decoder = codecs.getincrementaldecoder("utf-8" if is_utf8 else encoding)()
        try:
            for block in self.entry.blocks(self.size):
                raw, skip = block[skip:] if skip else block, 0
                as_is = is_utf8 or (raw.isascii() and encoding.startswith(_WIDER))
                yield raw if as_is else decoder.decode(raw).encode()
            yield decoder.decode(b"", True).encode()
        except UnicodeError as error:
            raise not_of(encoding, error, self.entry.shown) from None

    def _in_utf8(self, block: bytes) -> bytes:
        """Whole lines, of which those that aren't UTF-8 are Latin-1, where that may be."""
        if block.isascii() or is_utf8(block):
            return block
        if self.dialect.encoding != BY_LINE:
            try:
                block.decode()
            except UnicodeDecodeError as error:
                raise not_of(self.dialect.encoding, error, self.entry.shown) from None
        self.is_mixed = True
        return latin(block).encode()


def record_end(block: bytes, start: int, quoted: str) -> int:
    """Return where the record that begins at ``start`` ends, line ends within quotes aside."""
    first = end = (block.find(b"\n", start) + 1) or len(block)
    quote = quoted.encode()
    n_quotes = block.count(quote, start, end) if quote else 0
    while end < len(block) and n_quotes % 2:
        line, end = end, (block.find(b"\n", end) + 1) or len(block)
        n_quotes += block.count(quote, line, end)
    # Quotes that never end are none.
    return first if n_quotes % 2 else end


def _last_line_end(block: bytes, dialect: Dialect) -> int:
    end = block.rfind(b"\n") + 1
    if not dialect.quoted or dialect.quoted.encode() not in block:
        return end
    open_quotes = _quotes(block[:end], dialect)
    while end and open_quotes % 2:
        before = block.rfind(b"\n", 0, end - 1) + 1
        open_quotes -= _quotes(block[before:end], dialect)
        end = before
    return end


def _quotes(text: bytes, dialect: Dialect) -> int:
    quote = dialect.quoted.encode()
    return text.count(quote) - (
        text.count(dialect.escape.encode() + quote) if dialect.escape else 0
    )


def _records(entry: SourceFile, dialect: Dialect) -> Iterator[tuple[int, str]]:
    """The file's records with their line numbers, without the header; slow, for messages only."""
    line, began, n_quotes = 0, 1, 0
    held: list[str] = []
    headed = dialect.headed
    for block in LineBlocks(entry, dialect):
        for text in io.StringIO(block.decode("utf-8", "replace"), newline=""):
            line += 1
            if line <= dialect.above:
                continue
            if not held:
                began = line
            held.append(text)
            n_quotes += _quotes(text.encode(), dialect) if dialect.quoted else 0
            if n_quotes % 2:
                continue
            record = "".join(held).rstrip("\r\n")
            held.clear()
            if not record:
                continue
            if headed:
                headed = False
                continue
            yield began, record


def _is_malformed(record: str, dialect: Dialect) -> bool:
    """Whether a record has another number of fields than there are columns."""
    fields = split(record, dialect.delimiter, dialect.quoted, dialect.escape)
    return len(fields) != len(dialect.names)


def located(
    entry: SourceFile, dialect: Dialect, rows: np.ndarray, check: bool
) -> list[tuple[int, str]]:
    """Return the line and text of some rows; ``check`` leaves malformed lines uncounted."""
    records = _records(entry, dialect)
    whole = (one for one in records if not (check and _is_malformed(one[1], dialect)))
    return at_rows(whole, rows)


def at_rows(records: Iterable[_Record], rows: np.ndarray) -> list[_Record]:
    """Return the records of some rows; those behind the last of them aren't read."""
    wanted = set(rows.tolist())
    first = islice(records, max(wanted, default=-1) + 1)
    return [record for row, record in enumerate(first) if row in wanted]


def malformed_lines(entry: SourceFile, dialect: Dialect, most: int = 5) -> list[tuple[int, str]]:
    """Return the first lines that have another number of fields, with their numbers."""
    odd = (one for one in _records(entry, dialect) if _is_malformed(one[1], dialect))
    return list(islice(odd, most))
