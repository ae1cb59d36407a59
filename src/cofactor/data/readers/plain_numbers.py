"""The fast way through large files of plain numbers (`ratings.csv` of MovieLens and its like):
parsed by a kernel, in parallel.

All or nothing: the first row that is more than plain numbers leaves the whole file to the usual
reader, which can say what is wrong with it; so what comes out is the same either way."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from cofactor.base.threads import current_threads
from cofactor.data.readers.block_columns import BlockColumns
from cofactor.data.readers.fields import WHITESPACE
from cofactor.data.readers.sniff import Dialect
from cofactor.data.readers.source_files import SourceFile
from cofactor.data.readers.text_encoding import BY_LINE
from cofactor.data.readers.times import ParsedTimes

# Stored bytes from which on loading the kernel pays.
LARGE = 1 << 24
# Small enough to stay in a core's own cache from the reading of a block to its parsing.
BLOCK = 1 << 20
# What reads, counts lines and unpacks is one thread: more that parse than this only wait for it.
_PARSERS = 4
# What the kernel may read beyond the end of a text.
_PADDING = 64
_NARROW, _BROAD = 2**31 - 1, 2**62
_ROLES = ("user", "item", "value", "time")


def read_plain(
    entry: SourceFile, dialect: Dialect, columns: BlockColumns, advance: Callable[[int], Any]
) -> bool:
    """Read a file of plain numbers; return whether all rows are no more than that (see
    `kernels.reference.text.parse_rows`).

    Parameters
    ----------
    entry, dialect
        The file and how it is written.
    columns
        Takes what was read, as one block: ids as a dictionary (or plain int64, where a table of
        them would be too large), values and times.
    advance
        Called with the number of bytes of each block.
    """
    from cofactor.kernels.cpu import text as kernels

    if not _suits(dialect) or b"\r" in entry.head(1 << 12).replace(b"\r\n", b""):
        return False
    roles = columns.roles.items()
    names = [
        next((1 + _ROLES.index(role) for role, taken in roles if taken == name), 0)
        for name in dialect.names
    ]
    for kind, limit in ((np.int32, _NARROW), (np.int64, _BROAD)):
        work = _Work(kernels, dialect, np.array(names, np.int64), kind, limit)
        found = _run(entry, dialect, work, min(current_threads(), _PARSERS), advance)
        if found == kernels.PLAIN and work.n_rows:
            _take(columns, work)
            return True
        if found != kernels.WIDE:
            break
    return False


def _suits(dialect: Dialect) -> bool:
    """Whether the kernel knows this writing at all."""
    delimiter = dialect.delimiter.encode()
    if (
        dialect.delimiter == WHITESPACE
        or not 1 <= len(delimiter) <= 2
        or delimiter[0] in b'0123456789-.\r\n"'
        or delimiter[-1] in b'0123456789-.\r\n"'
    ):
        return False
    return dialect.escape is None and (
        dialect.encoding in ("utf-8", BY_LINE)
        or dialect.encoding.startswith(("iso8859", "cp125", "ascii"))
    )


@dataclass
class _Work:
    """The columns while they are written, and the call of the kernel."""

    kernels: Any
    dialect: Dialect
    roles: np.ndarray
    kind: type[np.generic]
    limit: int
    n_rows: int = 0
    room: int = 0
    columns: list[np.ndarray] = field(default_factory=list)

    def reserve(self, rows: int) -> None:
        """Grow the arrays to a number of rows; no thread may be writing."""
        self.room = rows
        if not self.columns:
            kinds = (self.kind, self.kind, np.float32, np.int64)
            self.columns = [
                np.empty(rows if n + 1 in self.roles else 0, kind) for n, kind in enumerate(kinds)
            ]
        else:
            # In place: the system moves pages instead of copying them, so that no moment holds a
            # column twice.
            for column in self.columns:
                if len(column):
                    column.resize(rows, refcheck=False)

    def parse(self, text: np.ndarray, end: int, start: int, stop: int) -> int:
        """Parse the lines before ``end`` into the rows from start to stop."""
        delimiter = self.dialect.delimiter.encode()
        parts = [column[start:stop] for column in self.columns]
        second = delimiter[1] if len(delimiter) > 1 else 0
        return int(
            self.kernels.parse_rows(text, end, delimiter[0], second, self.roles, self.limit, *parts)
        )


def _run(
    entry: SourceFile, dialect: Dialect, work: _Work, threads: int, advance: Callable[[int], Any]
) -> int:
    """Parse all blocks, several at a time; the first status that isn't PLAIN, or PLAIN."""
    blocks = _Blocks(work, threads)
    seen = 0
    with ThreadPoolExecutor(threads, "cofactor-parse") as pool:
        for buffer, begin, end in _blocks(entry, dialect, blocks.free):
            text = np.frombuffer(buffer, np.uint8)[begin:]
            count = int(np.count_nonzero(text[: end - begin] == 10))
            if not count:
                # A line as long as a block isn't a line of plain numbers.
                blocks.status = work.kernels.ODD
                break
            seen += end - begin
            if work.n_rows + count > work.room:
                blocks.finish_all()
                if blocks.status != work.kernels.PLAIN:
                    break
                work.reserve(_room(entry, seen, work.n_rows + count))
            rows = (work.n_rows, work.n_rows + count)
            blocks.pending.append((pool.submit(work.parse, text, end - begin, *rows), buffer))
            work.n_rows += count
            advance(end - begin)
            if not blocks.free:
                blocks.finish_one()
            if blocks.status != work.kernels.PLAIN:
                break
        blocks.finish_all()
    if blocks.status == work.kernels.PLAIN and work.n_rows:
        work.reserve(work.n_rows)
    return blocks.status


class _Blocks:
    """The buffers that are free, those that are being parsed, and the first status that isn't
    PLAIN.
    """

    def __init__(self, work: _Work, threads: int) -> None:
        self.free = [bytearray(BLOCK + _PADDING) for _ in range(2 * threads)]
        self.pending: deque[tuple[Future[int], bytearray]] = deque()
        self.status = self._plain = work.kernels.PLAIN

    def finish_one(self) -> None:
        """Wait for the oldest block."""
        task, buffer = self.pending.popleft()
        self.free.append(buffer)
        found = task.result()
        self.status = found if self.status == self._plain else self.status

    def finish_all(self) -> None:
        """Wait until no thread writes."""
        while self.pending:
            self.finish_one()


def _room(entry: SourceFile, seen: int, rows: int) -> int:
    """How many rows to make room for: what the file's size lets expect, or an eighth more than
    there are.
    """
    whole = entry.plain_bytes
    expected = int(rows * (whole / max(1, seen)) * 1.02) if whole is not None else 0
    return max(expected if expected > rows else rows + rows // 8, 1024)


def _blocks(
    entry: SourceFile, dialect: Dialect, free: list[bytearray]
) -> Iterator[tuple[bytearray, int, int]]:
    """The file in buffers of ``free``, with where the text in each begins and ends (behind a
    line end); no header.
    """
    rest, lines_due = b"", dialect.above + dialect.headed
    begin = dialect.bom
    with entry.open() as stream:
        while True:
            buffer = free.pop()
            buffer[: len(rest)] = rest
            filled, room = len(rest), len(buffer) - _PADDING
            with memoryview(buffer) as view:
                readinto = stream.readinto  # type: ignore[attr-defined]
                while filled < room and (count := readinto(view[filled:room])):
                    filled += count
            if filled < room and filled and buffer[filled - 1] != 10:
                buffer[filled] = 10
                filled += 1
            end = buffer.rfind(b"\n", 0, filled) + 1
            rest = bytes(memoryview(buffer)[end:filled])
            while lines_due and begin < end:
                begin, lines_due = buffer.find(b"\n", begin, end) + 1, lines_due - 1
            if end > begin or filled >= room:
                yield buffer, begin, end if end > begin else filled
            else:
                free.append(buffer)
            if filled < room:
                return
            begin = 0


def _take(columns: BlockColumns, work: _Work) -> None:
    """Take over the columns, with ids as dictionaries, each made by a thread of its own."""
    with ThreadPoolExecutor(2, "cofactor-number") as pool:
        users, items = pool.map(_dictionary, work.columns[:2])
    columns.texts = {"user": [users], "item": [items]}
    columns.numbers = [work.columns[2]]
    if "time" in columns.roles:
        columns.times = [ParsedTimes(work.columns[3], bare=True)]


def _dictionary(ids: np.ndarray) -> pa.Array:
    """Ids as rows into the ascending distinct ones, written in place; plain int64 where a table
    over their range is too large.
    """
    from cofactor.kernels.cpu import numbering

    low, high = int(ids.min()), int(ids.max())
    span = high - low + 1
    if ids.dtype != np.int32 or span > max(4 * len(ids), 1 << 20):
        return pa.array(ids.astype(np.int64, copy=False))
    table = np.zeros(span, np.int32)
    numbering.number(ids, low, table)
    distinct = np.flatnonzero(table) + low
    return pa.DictionaryArray.from_arrays(pa.array(ids), pa.array(distinct))
