"""The columns of a delimited file while its blocks are read one after another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from cofactor.base.errors import DataError
from cofactor.data.notes import Note
from cofactor.data.readers import times as clock
from cofactor.data.readers.block_parser import WORDS
from cofactor.data.readers.clock_columns import moments
from cofactor.data.readers.columns import Options
from cofactor.data.readers.fields import DELIMITERS, SPOKEN
from cofactor.data.readers.lines import malformed_lines, record_end
from cofactor.data.readers.partitions import Partition, with_partition
from cofactor.data.readers.sniff import Dialect
from cofactor.data.readers.source_files import SourceFile
from cofactor.data.readers.values import Odd, numbers, numbers_and_odd


@dataclass
class BlockColumns:
    """What accumulates over the blocks of one file.

    Parameters
    ----------
    dialect
        How the file is written.
    roles
        The column of each role.
    partition
        Columns that the folders above the file name.
    time_format
        How times are written, None to tell it.
    """

    dialect: Dialect
    roles: Mapping[str, str]
    partition: Partition = field(default_factory=dict)
    users: list[pa.Array] = field(default_factory=list)
    items: list[pa.Array] = field(default_factory=list)
    values: np.ndarray = field(default_factory=lambda: np.zeros(0, np.float32))
    written: list[pa.Array] = field(default_factory=list)
    times: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    bare: bool = True
    n_rows: int = 0
    n_malformed: int = 0
    n_blank: int = 0
    n_lines: int = 0
    malformed: list[str] = field(default_factory=list)
    lines_due: int = -1
    day_first: list[tuple[int, np.ndarray]] = field(default_factory=list)
    fractions: list[tuple[int, np.ndarray]] = field(default_factory=list)
    events: list[pa.Array] = field(default_factory=list)
    time_format: str | None = None

    def body(self, block: bytes) -> bytes:
        """The block without the header and what stands above it."""
        if self.lines_due < 0:
            self.lines_due = self.dialect.above + self.dialect.headed
        if not self.lines_due:
            return block
        start = 0
        while self.lines_due and start < len(block):
            end = (block.find(b"\n", start) + 1) or len(block)
            if self.dialect.headed and self.lines_due == 1:
                end = record_end(block, start, self.dialect.quoted)
            self.lines_due -= 1
            start = end
        return block[start:]

    def on_malformed(self, row: Any) -> str:
        """Count a line of another number of fields, which Arrow leaves out then."""
        if not (row.text or "").strip():
            self.n_blank += 1
            return "skip"
        self.n_malformed += 1
        if len(self.malformed) < 5:
            self.malformed.append(row.text or "")
        return "skip"

    def add(self, table: pa.Table) -> None:
        """Keep the columns of the next block."""
        count = table.num_rows
        table = with_partition(table, self.partition)
        self.users += table.column(self.roles["user"]).chunks
        self.items += table.column(self.roles["item"]).chunks
        if "event" in self.roles:
            self.events += table.column(self.roles["event"]).chunks
        if "value" in self.roles:
            column = table.column(self.roles["value"])
            if column.type == WORDS:
                self.written += column.chunks
            else:
                self.values = _grown(self.values, self.n_rows, numbers(column))
        if "time" in self.roles:
            columns = {role: table.column(name) for role, name in self.roles.items()}
            found = moments(columns, self.time_format)
            self.times = _grown(self.times, self.n_rows, found.times)
            self.bare = self.bare and found.bare
            if found.day_first is not None:
                self.day_first.append((self.n_rows, found.day_first))
            if found.fraction is not None:
                self.fractions.append((self.n_rows, found.fraction))
        self.n_rows += count

    def whole_values(self, decimal: str | None) -> tuple[np.ndarray | None, list[Odd]]:
        """The values of all blocks, and those that are no plain numbers."""
        if "value" not in self.roles:
            return None, []
        if not self.written:
            return self.values, []
        values, odd = numbers_and_odd(pa.chunked_array(self.written, WORDS), decimal)
        return values, [] if odd is None else [odd]

    def whole_day_first(self) -> np.ndarray | None:
        """The times with the day first, of all blocks; None if no block has such."""
        return _joined(self.day_first, np.full(self.n_rows, clock.AS_BEFORE))

    def whole_fraction(self) -> np.ndarray | None:
        """What numbers of days have behind the point, of all blocks; None if no block has such."""
        return _joined(self.fractions, np.zeros(self.n_rows))

    def refuse(self, entry: SourceFile, options: Options, notes: list[str]) -> None:
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
                rows = malformed_lines(entry, dialect, self.n_malformed)
                options.rejects.add(entry.shown, f"a line {what}", rows)
            return
        # A space or a comma is in many a text: the line must have the fields by it.
        between = len(dialect.names) - 1
        other = next((d for d in DELIMITERS if self.malformed[0].count(d) == between), None)
        mixed = (
            f" ({SPOKEN.get(other, repr(other))} stands there: mixed delimiters)" if other else ""
        )
        plural = "line doesn't have" if self.n_malformed == 1 else "lines don't have"
        raise DataError(
            f"{self.n_malformed:,} {plural} the {len(dialect.names)} fields of the first, split"
            f" at {dialect.spoken}{mixed}; fix them, give delimiter=, or drop them with"
            " on_bad='skip':",
            source=entry.shown,
            rows=malformed_lines(entry, dialect),
            total=self.n_malformed,
        )


def _joined(parts: Sequence[tuple[int, np.ndarray]], whole: np.ndarray) -> np.ndarray | None:
    """A column with the parts of it that begin at some rows; None if there are no parts."""
    for start, part in parts:
        whole[start : start + len(part)] = part
    return whole if parts else None


def _grown(array: np.ndarray, used: int, more: np.ndarray) -> np.ndarray:
    # Grown in place (the system moves pages instead of copying them), so that no moment holds a
    # column twice.
    if used + len(more) > len(array):
        array.resize(used + len(more), refcheck=False)
    array[used : used + len(more)] = more
    return array
