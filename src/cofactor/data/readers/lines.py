"""A delimited file as blocks of whole lines, and as records with their numbers for messages."""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator
from typing import Any

import numpy as np

from cofactor.base.errors import DataError
from cofactor.data.readers.fields import split
from cofactor.data.readers.sniff import Dialect
from cofactor.data.readers.source_files import BLOCK, LONGEST, SourceFile
from cofactor.data.readers.text_encoding import decoder_of, one_line_end

_JOINED = b"\n" + codecs.BOM_UTF8
# The end of a file as DOS writes it.
_ENDS = b"\x1a\r\n"


class NotUtf8(Exception):
    """A block isn't UTF-8."""


def line_blocks(entry: SourceFile, dialect: Dialect, size: int | None = None) -> Iterator[bytes]:
    """The file as UTF-8 blocks of some megabytes, each of which ends with a line (and not within
    quotes).
    """
    decoder = decoder_of(dialect.encoding)
    rest, skip = b"", dialect.bom
    for raw in entry.blocks(size or BLOCK):
        block = rest + as_utf8(raw[skip:] if skip else raw, decoder, dialect.encoding)
        skip = 0
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
                f"a line of more than {LONGEST >> 20} MiB is no row of a table; check its line"
                " ends.",
                source=entry.shown,
            )
        if end:
            yield _valid(block[:end], dialect)
    rest += as_utf8(b"", decoder, dialect.encoding, final=True)
    if rest.strip(_ENDS):
        yield _valid(one_line_end(rest, quoted=dialect.quoted), dialect)


def record_end(block: bytes, start: int, quoted: str) -> int:
    """Return where the record that begins at ``start`` ends, line ends within quotes aside."""
    first = end = (block.find(b"\n", start) + 1) or len(block)
    quote = quoted.encode()
    while quote and end < len(block) and block.count(quote, start, end) % 2:
        end = (block.find(b"\n", end) + 1) or len(block)
    # Quotes that never end are none.
    return first if quote and block.count(quote, start, end) % 2 else end


def as_utf8(raw: bytes, decoder: Any, encoding: str, *, final: bool = False) -> bytes:
    """Return bytes of an encoding as UTF-8; raise `NotUtf8` if they aren't of it."""
    if encoding == "utf-8" or (
        raw.isascii() and encoding.startswith(("iso8859", "cp125", "ascii"))
    ):
        if encoding == "utf-8" and final and raw:
            _check(raw)
        return raw
    try:
        return str(decoder.decode(raw, final)).encode()
    except UnicodeDecodeError as error:
        raise NotUtf8(f"{error.reason} at {raw[error.start : error.start + 10]!r}") from None
    except UnicodeError as error:  # of encodings of names, not of files
        raise NotUtf8(str(error)) from None


def _valid(block: bytes, dialect: Dialect) -> bytes:
    if dialect.encoding == "utf-8":
        _check(block)
    return block


def _check(block: bytes) -> None:
    if block.isascii():
        return
    try:
        block.decode()
    except UnicodeDecodeError as error:
        raise NotUtf8(f"{error.reason} at {block[error.start : error.start + 10]!r}") from None


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
    line, began, held = 0, 1, ""
    headed = dialect.headed
    for block in line_blocks(entry, dialect):
        for text in io.StringIO(block.decode("utf-8", "replace"), newline=""):
            line += 1
            if line <= dialect.above:
                continue
            if not held:
                began = line
            held += text
            if dialect.quoted and _quotes(held.encode(), dialect) % 2:
                continue
            record, held = held.rstrip("\r\n"), ""
            if not record:
                continue
            if headed:
                headed = False
                continue
            yield began, record


def located(
    entry: SourceFile, dialect: Dialect, rows: np.ndarray, check: bool
) -> list[tuple[int, str]]:
    """Return the line and text of some rows; ``check`` leaves malformed lines uncounted."""
    wanted = {int(row) for row in rows}
    found: list[tuple[int, str]] = []
    row = -1
    for line, record in _records(entry, dialect):
        if check and len(split(record, dialect.delimiter, dialect.quoted, dialect.escape)) != len(
            dialect.names
        ):
            continue
        row += 1
        if row in wanted:
            found.append((line, record))
            if len(found) == len(wanted):
                break
    return found


def malformed_lines(entry: SourceFile, dialect: Dialect, most: int = 5) -> list[tuple[int, str]]:
    """Return the first lines that have another number of fields, with their numbers."""
    found: list[tuple[int, str]] = []
    for line, record in _records(entry, dialect):
        if len(split(record, dialect.delimiter, dialect.quoted, dialect.escape)) != len(
            dialect.names
        ):
            found.append((line, record))
            if len(found) == most:
                break
    return found
