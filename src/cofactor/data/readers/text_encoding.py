"""Text of files: its encoding and its lines."""

from __future__ import annotations

import codecs

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
    return None


# Of what isn't UTF-8: Windows' Latin-1, and where a byte is none of its characters, the standard's.
LATIN = ("cp1252", "iso8859-1")
NOT_UTF8 = "not UTF-8, so read as Latin-1; give encoding= if it is another"


def latin_of(text: bytes) -> str:
    """Return which of the Latin-1s a text is in: Windows', which has € and curly quotes, if it can
    be.
    """
    try:
        text.decode(LATIN[0])
    except UnicodeDecodeError:
        return LATIN[1]
    return LATIN[0]


def latin(text: bytes) -> str:
    """Return a text in Latin-1."""
    return text.decode(latin_of(text))


def decoded(sample: bytes, encoding: str, given: str | None, source: str) -> str:
    """Return the text of a file's beginning; Latin-1 where it isn't the encoding that was found."""
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        return decoder.decode(sample)
    except UnicodeError as error:
        if given is not None:
            raise not_of(given, error, source) from None
        return latin(sample)


def not_of(given: str, error: UnicodeError, source: str) -> DataError:
    """Return the error of a file that isn't in the encoding that the caller gave."""
    why = str(error)
    if isinstance(error, UnicodeDecodeError):
        why = f"{error.reason} at byte {error.start}"
    return DataError(f"the file isn't {given}: {why}.", source=source)


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
