"""Blocks of one item each: ``1:`` and then a line ``user,rating,date`` for each rating of item 1
(the Netflix prize's files)."""

from __future__ import annotations

import io
import re
from dataclasses import replace

from cofactor.base.errors import DataError
from cofactor.data.readers.columns import Options
from cofactor.data.readers.delimited import read_delimited
from cofactor.data.readers.raw import Raw
from cofactor.data.readers.source_files import HeldFile, SourceFile
from cofactor.data.readers.text_encoding import one_line_end

_HEAD = re.compile(rb"^[ \t]*([^\s,:]+):[ \t]*\r?$", re.MULTILINE)
_LARGEST = 1 << 32


def is_blocks(head: bytes) -> bool:
    """Return whether a file that begins so is written in blocks."""
    lines = [
        line for line in head[:4096].removeprefix(b"\xef\xbb\xbf").splitlines() if line.strip()
    ]
    return (
        len(lines) > 1
        and bool(_HEAD.match(lines[0]))
        and not _HEAD.match(lines[1])
        and b"," in lines[1]
    )


def read_blocks(entry: SourceFile, options: Options) -> Raw:
    """Read a file in blocks as rows of item, user, value and time.

    Raises
    ------
    DataError
        If there are no rows below the heads.
    """
    packed = entry.read(limit=_LARGEST).removeprefix(b"\xef\xbb\xbf")
    text = one_line_end(packed, quoted="")
    heads = list(_HEAD.finditer(text))
    if not heads:
        raise DataError("no line begins a block, as '1:' would.", source=entry.shown)
    ends = [head.start() for head in heads[1:]] + [len(text)]
    rows = io.BytesIO()
    for head, end in zip(heads, ends, strict=True):
        body = text[head.end() : end].strip(b"\r\n")
        if body:
            item = head[1] + b","
            rows.write(item + body.replace(b"\n", b"\n" + item) + b"\n")
    if not rows.tell():
        raise DataError("the file has blocks but no rows.", source=entry.shown)
    user = 1 if options.user is None else options.user
    item_at = 0 if options.item is None else options.item
    held = HeldFile(entry.path, label=entry.shown, content=rows.getvalue())
    options = replace(options, delimiter=",", header=False, user=user, item=item_at)
    raw = read_delimited(held, options)
    raw.notes.append("blocks of one item each: the line before a block names it")
    return raw
