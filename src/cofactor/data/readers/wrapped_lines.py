"""Lines that stand in quotes as a whole, as spreadsheets write a table that they took for a single
column: ``"u1,a,4"``."""

from __future__ import annotations

import re

from cofactor.data.readers.columns import Options
from cofactor.data.readers.delimited import read_delimited
from cofactor.data.readers.fields import delimiter_of, split
from cofactor.data.readers.raw import Raw
from cofactor.data.readers.source_files import HeldFile, SourceFile
from cofactor.data.readers.text_encoding import lines_of

# Behind it, the delimiters of a spreadsheet's other columns, which hold nothing.
_WHOLE = re.compile(r'^"((?:[^"]|"")*)"[,;\t]*$')
_MARK = b"\xef\xbb\xbf"
_SOME = 50
_LARGEST = 1 << 32


def is_wrapped(head: bytes) -> bool:
    """Return whether the lines of a file that begins so stand in quotes as a whole."""
    if not head.removeprefix(_MARK).startswith(b'"'):
        return False
    lines = [line for line in lines_of(head.decode("utf-8-sig", "replace")) if line.strip()]
    lines = lines[:-1] if len(lines) > 2 and len(head) >= 4096 else lines
    inner = [_unwrapped(line) for line in lines[:_SOME]]
    if len(inner) < 2 or None in inner:
        return False
    texts = [text for text in inner if text is not None]
    sign = delimiter_of(texts)
    return (
        len({len(split(text, sign, '"')) for text in texts}) == 1 < len(split(texts[0], sign, '"'))
    )


def _unwrapped(line: str) -> str | None:
    """What a line in quotes holds; None if it isn't in quotes."""
    found = _WHOLE.match(line.rstrip())
    return None if found is None else found[1].replace('""', '"')


def read_wrapped(entry: SourceFile, options: Options) -> Raw:
    """Read such a file without the quotes around its lines."""
    # Latin-1 keeps every byte as it is: the encoding is for the reader of what the quotes hold.
    text = entry.read(limit=_LARGEST).removeprefix(_MARK).decode("latin-1")
    lines = (_unwrapped(line) or line for line in lines_of(text))
    held = HeldFile(entry.path, label=entry.shown, content="\n".join(lines).encode("latin-1"))
    raw = read_delimited(held, options)
    raw.notes.append("quotes around whole lines taken off")
    return raw
