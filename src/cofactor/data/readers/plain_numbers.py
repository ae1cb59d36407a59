"""The fast way through large files of plain numbers (`ratings.csv` of MovieLens and its like): one pass by a kernel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Self

import numpy as np

from cofactor.base.threads import native_threads
from cofactor.data.readers.sniff import Dialect

# Stored bytes from which on loading the kernel pays.
LARGE = 1 << 24
_PARTS = 64
# Two keep up with unpacking and copying; more only wait for each other on a busy machine.
_THREADS = 2
_SEPARATOR = b"\x1f"


@dataclass(frozen=True)
class Block:
    """The numbers of one block of lines: int64 ids, float32 values, int64 times, [n_rows] each or empty."""

    users: np.ndarray
    items: np.ndarray
    values: np.ndarray
    times: np.ndarray


@dataclass(frozen=True)
class PlainNumbers:
    """Where the four columns stand in lines of numbers.

    Parameters
    ----------
    delimiter
        The text between fields, as bytes.
    n_fields
        How many fields a line has.
    places
        int64 [4]: the fields of user, item, value, time; -1 where there is none.
    """

    delimiter: bytes
    n_fields: int
    places: np.ndarray

    @classmethod
    def of(cls, dialect: Dialect, roles: Mapping[str, str]) -> Self:
        """Return the places of a file's columns."""
        places = [dialect.names.index(roles[role]) if role in roles else -1 for role in ("user", "item", "value", "time")]
        return cls(dialect.delimiter.encode(), len(dialect.names), np.array(places, np.int64))

    def parse(self, block: bytes) -> Block | None:
        """Return the numbers of a block of lines, or None if any line is more than plain numbers."""
        from cofactor.kernels.cpu import text as kernels

        if not block:
            return None
        delimiter = self.delimiter
        if len(delimiter) > 1:
            block, delimiter = block.replace(delimiter, _SEPARATOR), _SEPARATOR
        with native_threads(_THREADS):
            return self._parsed(block, delimiter, kernels)

    def _parsed(self, block: bytes, delimiter: bytes, kernels: ModuleType) -> Block | None:
        text = np.frombuffer(block if block.endswith(b"\n") else block + b"\n", np.uint8)
        bounds = _bounds(block, len(text))
        counts = kernels.count_lines(text, bounds)
        firsts = np.cumsum(counts) - counts
        n_rows = int(counts.sum())
        users, items = np.empty(n_rows, np.int64), np.empty(n_rows, np.int64)
        values = np.empty(n_rows if self.places[2] >= 0 else 0, np.float32)
        times = np.empty(n_rows if self.places[3] >= 0 else 0, np.int64)
        good = kernels.parse_rows(text, bounds, firsts, delimiter[0], self.n_fields, self.places, users, items, values, times)
        return Block(users, items, values, times) if good else None


def _bounds(block: bytes, size: int) -> np.ndarray:
    """Where the parts begin, each with a line, int64 [n_parts + 1]."""
    marks = [0]
    for part in range(1, _PARTS):
        end = block.find(b"\n", max(part * size // _PARTS, marks[-1]))
        marks.append(size if end < 0 else end + 1)
    return np.array([*marks, size], np.int64)
