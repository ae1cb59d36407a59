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


def encoding_of(sample: bytes, given: str | None) -> tuple[str, int]:
    """Return the encoding of a file, and the length of its mark at the beginning."""
    for mark, name in _BOMS:
        if sample.startswith(mark):
            return (given or name), len(mark)
    if given is not None:
        try:
            return codecs.lookup(given).name, 0
        except LookupError:
            raise ArgumentError(
                "encoding must be one that Python knows, such as 'utf-8' or 'latin-1', not"
                f" {given!r}."
            ) from None
    if not len(sample) % 2 and b"\0" in sample:
        # Latin letters in UTF-16 without its mark: every other byte is nothing.
        for name, zeros, letters in (("utf-16-le", 1, 0), ("utf-16-be", 0, 1)):
            if 4 * sample[zeros::2].count(0) > len(sample) and 0 not in sample[letters::2]:
                return name, 0
    return "utf-8", 0


# Of what isn't UTF-8: Windows' Latin-1, and where a byte is none of its characters, the standard's.
LATIN = ("cp1252", "iso8859-1")


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
    except UnicodeDecodeError as error:
        if given is not None:
            raise DataError(
                f"the file isn't {given}: {error.reason} at byte {error.start}.", source=source
            ) from None
        return latin(sample)


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
