"""The text of JSON files: whether a file is one, its encoding, documents and lines."""

from __future__ import annotations

import ast
import codecs
import json
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cofactor.base.errors import DataError
from cofactor.data.readers.headers import has_roles
from cofactor.data.readers.nested_items import is_wrapped
from cofactor.data.readers.source_files import HeldFile, SourceFile
from cofactor.data.readers.text_encoding import beginning, encoding_of, latin, not_of

# What may stand between the values of a document.
_BETWEEN = re.compile(r"[\s,]*")
_ARRAY = re.compile(rb"^\[\s*[\[{]")
# A whole JSON document is held in memory, some ten times its size.
_LARGEST_DOCUMENT = 1 << 30
_COMMENTS = (b"#", b"//")
# A null in a record's place: at the beginning, on a line of its own or behind an object.
# (Ends of lines begin a match and are none of its blanks, else many empty lines took hours.)
_NULL_RECORD = re.compile(rb"(?:\A|[\n\r}])[ \t]*null")


def is_json(head: bytes) -> bool:
    """Return whether a file's first bytes are those of JSON, whatever its encoding and the lines of
    comment above it.
    """
    encoding, mark = encoding_of(head, None)
    start = head[mark:]
    if encoding != "utf-8":
        start = start.decode(encoding, "replace").encode()
    while start.lstrip().startswith(_COMMENTS):
        start = start.lstrip().partition(b"\n")[2]
    start = start.lstrip()
    if start[:1] == b"{" or _ARRAY.match(start):
        return True
    row = _parsed(start.partition(b"\n")[0])
    return isinstance(row, list) and len(row) > 1


def has_null_record(block: bytes) -> bool:
    """Return whether a null may stand where a record should: also true of some nulls within one.

    Arrow reads memory that isn't its own at such a null, and ends the process at some of them; so
    nothing that this is true of may be given to it.
    """
    return b"null" in block and _NULL_RECORD.search(block) is not None


def is_blank(line: bytes) -> bool:
    """Return whether a line between records holds nothing, or a comment."""
    return not line.strip() or line.startswith(_COMMENTS)


def in_utf8(entry: SourceFile, encoding: str | None = None) -> SourceFile:
    """Return the file, or its text in UTF-8 where it is in another encoding: the one that is given
    or that its first bytes show.
    """
    head = entry.head(4096)
    found, mark = encoding_of(head, encoding)
    if found == "utf-8" and (encoding is not None or beginning(head) is not None):
        return entry
    raw = entry.read(limit=_LARGEST_DOCUMENT)[mark:]
    try:
        text = latin(raw) if found == "utf-8" else raw.decode(found, "replace")
    except UnicodeError as error:
        raise not_of(found, error, entry.shown) from None
    return HeldFile(entry.path, entry.member, entry.shown, content=text.encode())


def is_document(head: bytes) -> bool:
    """Return whether the file is one JSON document instead of an object a line."""
    start = head.removeprefix(codecs.BOM_UTF8).lstrip()
    if start[:1] == b"[":
        return True
    first, _, rest = start.partition(b"\n")
    row = record_of(first)
    if row is None:
        # A document over several lines begins with a line that is none by itself, and objects
        # without any line end between them are one line.
        alone = bool(first.strip()) and not rest.strip()
        return first.strip() == b"{" or b"}{" in first or alone
    nested = [
        isinstance(v, list) or (isinstance(v, dict) and not is_wrapped(v)) for v in row.values()
    ]
    return not rest.strip() and any(nested) and (all(nested) or not has_roles(row))


def document(entry: SourceFile) -> Any:
    """Return what a whole JSON document holds.

    Raises
    ------
    DataError
        If it isn't JSON, or nested too deeply.
    """
    try:
        with bounded_levels(entry.shown):
            return _values(entry.read(limit=_LARGEST_DOCUMENT))
    except DataError:
        raise
    except ValueError as error:
        raise DataError(
            f"this isn't JSON, though it begins as JSON does: {error}.", source=entry.shown
        ) from None


@contextmanager
def bounded_levels(source: str) -> Iterator[None]:
    """Turn what objects within objects without end lead to into DataError."""
    try:
        yield
    except RecursionError:
        raise DataError("this JSON is nested too deeply to be data.", source=source) from None


def _values(raw: bytes) -> Any:
    """The value of a document; a list where several stand one after another, as jq and some
    streams write them.
    """
    text, found, at = raw.decode("utf-8-sig"), [], 0
    decoder = json.JSONDecoder()
    while at < len(text):
        value, end = decoder.raw_decode(text, at)
        found.append(value)
        at = _BETWEEN.match(text, end).end()  # type: ignore[union-attr]  # it matches nothing too
    return found[0] if len(found) == 1 else found


def record_of(text: bytes) -> dict[str, Any] | None:
    """Return a line's object; None if it isn't one."""
    row = _parsed(text)
    return row if isinstance(row, dict) and all(isinstance(key, str) for key in row) else None


def _parsed(text: bytes) -> Any:
    try:
        # An array's lines may have lost its brackets.
        return json.loads(text.rstrip().removesuffix(b","))
    except (ValueError, RecursionError):
        return None


def literal_of(text: bytes) -> dict[str, Any] | None:
    """Return a line's object as Python writes it; None if it isn't one."""
    # Literals only: names, calls and operators are refused by the parser, so nothing of the file is
    # ever run.
    try:
        with warnings.catch_warnings():  # the parser's, of damaged lines
            warnings.simplefilter("ignore")
            row = ast.literal_eval(text.decode("utf-8").strip())
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None  # TypeError: a set or the keys of a mapping can hold no lists
    return row if isinstance(row, dict) and all(isinstance(key, str) for key in row) else None


def json_of(content: Any) -> str:
    """Return content as JSON, or as Python writes it where its keys can't be those of JSON."""
    try:
        return json.dumps(content, ensure_ascii=False, default=str)
    except (TypeError, ValueError):
        return repr(content)
