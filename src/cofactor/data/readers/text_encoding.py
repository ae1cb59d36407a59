"""Text of files: its encoding and its lines."""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import suppress

from cofactor.base.errors import ArgumentError, DataError

_BOMS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


# Encodings of files with a mark, which says more than their name, and what they are without one.
_MARKED = {"utf-16": "utf-16-le", "utf-32": "utf-32-le", "utf-8-sig": "utf-8"}


# Bytes that show UTF-16, and characters of texts that are no letters or signs.
_START, _BLANKS = 1 << 12, frozenset("\t\r\n\x0b\x0c\x1a")


def encoding_of(sample: bytes, given: str | None) -> tuple[str, int]:
    """Return the encoding of a file, and the length of its mark at the beginning."""
    named = None if given is None else _checked(given)
    for mark, name in _BOMS:
        if sample.startswith(mark):
            return (name if named is None or named in _MARKED else named), len(mark)
    if named is not None and named != "utf-16":
        return _MARKED.get(named, named), 0
    found = _of_pairs(sample)
    return found or _MARKED.get(named or "", "utf-8"), 0


def _checked(given: str) -> str:
    """The usual name of an encoding of text."""
    try:
        "a".encode(given)
        return codecs.lookup(given).name
    except (LookupError, ValueError, TypeError):
        raise ArgumentError(
            "encoding must be one of text that Python knows, such as 'utf-8' or 'latin-1', not"
            f" {given!r}."
        ) from None


def _of_pairs(sample: bytes) -> str | None:
    """The UTF-16 that a text without its mark is in; None if it is in none."""
    if not len(sample) % 2 and b"\0" in sample:
        # Latin letters in UTF-16 without its mark: every other byte is nothing.
        for name, zeros, letters in (("utf-16-le", 1, 0), ("utf-16-be", 0, 1)):
            if 4 * sample[zeros::2].count(0) > len(sample) and 0 not in sample[letters::2]:
                return name
        return next((n for n in ("utf-16-le", "utf-16-be") if _is_table(sample, n)), None)
    return None


def _is_table(sample: bytes, encoding: str) -> bool:
    """Whether a file's first bytes are lines of characters with delimiters: in another order of
    bytes the signs are other characters, or none.
    """
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(sample[:_START])
    except UnicodeDecodeError:
        return False
    signs = set(text)
    no_text = (unicodedata.category(sign) in ("Cc", "Cn", "Co") for sign in signs - _BLANKS)
    return bool(signs & set("\r\n")) and bool(signs & set("\t,;|")) and not any(no_text)


# Text of which each line is UTF-8 or, if it isn't, Latin-1: files joined on different systems.
BY_LINE = "utf-8 or latin-1"
NOT_UTF8 = "not UTF-8, so read as Latin-1; give encoding= if it is another"
# Windows' Latin-1, which has € and curly quotes, and where a byte is none of its characters, the
# standard's.
_LATIN = ("cp1252", "iso8859-1")
_ABOVE_ASCII, _END = re.compile(rb"[\x80-\xff]"), re.compile(rb"[\r\n]|\Z")


def latin(text: bytes) -> str:
    """Return text whose lines are UTF-8 or, where they aren't, Latin-1."""
    if is_utf8(text):
        return text.decode()
    pieces, done = [], 0
    for start, end in _high_lines(text):
        if not is_utf8(text[start:end]):
            pieces += [text[done:start], _of_latin(text[start:end])]
            done = end
    return b"".join([*pieces, text[done:]]).decode()


def _of_latin(line: bytes) -> bytes:
    for encoding in _LATIN:
        with suppress(UnicodeDecodeError):
            return line.decode(encoding).encode()
    raise AssertionError("every byte is one of the standard's characters")


def _high_lines(text: bytes) -> Iterator[tuple[int, int]]:
    """Where lines with more than ASCII begin and end."""
    end = 0
    while (found := _ABOVE_ASCII.search(text, end)) is not None:
        place = found.start()
        start = max(end, text.rfind(b"\n", end, place) + 1, text.rfind(b"\r", end, place) + 1)
        stop = _END.search(text, place)
        assert stop is not None
        end = stop.start()
        yield start, end


def is_utf8(text: bytes) -> bool:
    """Return whether all of a text is UTF-8."""
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def beginning(head: bytes) -> str | None:
    """Return the text of a file's first bytes (the last character may be cut off); None if they
    aren't UTF-8.
    """
    try:
        return codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return None


def not_utf8(blocks: Iterable[bytes]) -> str:
    """Return the note of a text that isn't UTF-8: which of its lines aren't, where others are."""
    odd = others = first = n_lines = 0
    for piece in _whole_lines(blocks):
        for start, end in _high_lines(piece):
            if is_utf8(piece[start:end]):
                others += 1
                continue
            odd += 1
            first = first or n_lines + _n_ends(piece[:start]) + 1
        n_lines += _n_ends(piece)
    if not others:
        return NOT_UTF8
    some = f"{odd:,} lines, the first of them line {first}, are"
    return f"{f'line {first} is' if odd == 1 else some} {NOT_UTF8}"


def _whole_lines(blocks: Iterable[bytes]) -> Iterator[bytes]:
    held = b""
    for block in blocks:
        held += block
        end = max(held.rfind(b"\n"), held.rfind(b"\r")) + 1
        yield held[:end]
        held = held[end:]
    yield held


def _n_ends(text: bytes) -> int:
    return text.count(b"\n") or text.count(b"\r")


def decoded(sample: bytes, encoding: str, given: str | None, source: str) -> str:
    """Return the text of a file's beginning; Latin-1 where it isn't the encoding that was found."""
    if encoding == BY_LINE:
        return latin(sample)
    try:
        return codecs.getincrementaldecoder(encoding)().decode(sample)
    except UnicodeError as error:
        if given is not None:
            raise not_of(given, error, source) from None
        return latin(sample)


def not_of(encoding: str, error: UnicodeError, source: str) -> DataError:
    """Return the error of a file that isn't in the encoding that was given or found."""
    why = str(error)  # of encodings of names, not of files
    if isinstance(error, UnicodeDecodeError):
        why = f"{error.reason} at {error.object[error.start : error.start + 10]!r}"
    return DataError(
        f"the file isn't {encoding}: {why}; say what it is with encoding=.", source=source
    )


def lines_of(text: str) -> list[str]:
    """Return the lines of a text, ended by LF, CRLF or CR; unlike `str.splitlines`, no other
    character ends a line.
    """
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def one_line_end(block: bytes, *, quoted: str) -> bytes:
    """Return a text whose lines all end with LF: a lone CR ends one too, unless it stands within
    quotes.
    """
    if b"\r" not in block or block.count(b"\r") == block.count(b"\r\n"):
        return block
    quote = quoted.encode()
    if not quote or quote not in block:
        return block.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    pieces = block.split(quote)
    # Every other piece is within quotes; a doubled quote leaves an empty one and changes nothing.
    pieces[::2] = [p.replace(b"\r\n", b"\n").replace(b"\r", b"\n") for p in pieces[::2]]
    return quote.join(pieces)
