"""All events of a source in one file on disk: chunk after chunk as they come, then by shard."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from cofactor.data import sorting

KINDS = {"users": np.int32, "items": np.int32, "values": np.float32, "times": np.int64}


class EventFile:
    """The columns of each chunk, and later, in the same place on disk, its events dealt out.

    An event takes as many int32 as its columns have, and one more for its position in the chunk,
    which is only there once events are dealt out: a page of the file that was written just before
    costs the system less than a new one.

    Parameters
    ----------
    path
        Of the file, which is made.
    names
        The columns, of `KINDS`; the same for all chunks.
    """

    def __init__(self, path: Path, names: set[str]) -> None:
        self.path, self.file = path, path.open("w+b")
        self.names = [name for name in KINDS if name in names]
        self.width = 1 + sum(np.dtype(KINDS[name]).itemsize // 4 for name in self.names)
        self.starts = [0]  # of each chunk, in events
        self.ends: list[np.ndarray] = []  # of each shard's events in each chunk
        self.room: list[np.ndarray] = []  # for dealing out: new pages cost the system time

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def n_events(self) -> int:
        """How many events there are."""
        return self.starts[-1]

    def close(self) -> None:
        """Remove the file."""
        self.file.close()
        self.path.unlink(missing_ok=True)

    def append(self, columns: Mapping[str, Any]) -> None:
        """Write the columns of the next chunk."""
        self._seek(self.n_events)
        for name in self.names:
            self._write(np.ascontiguousarray(columns[name], KINDS[name]))
        self.starts.append(self.n_events + len(columns["users"]))

    def columns(self, number: int, *names: str) -> dict[str, np.ndarray]:
        """Read the first columns of a chunk, all if none is named."""
        start, end = self.starts[number : number + 2]
        self._seek(start)
        wanted = names or self.names
        found = {name: np.empty(end - start, KINDS[name]) for name in self.names[: len(wanted)]}
        for array in found.values():
            self._read(array)
        return found

    def deal_out(self, number: int, columns: Mapping[str, np.ndarray], cuts: np.ndarray) -> None:
        """Write a chunk's events in the place of its columns, by shard of users.

        Parameters
        ----------
        number
            Of the chunk; all before it were dealt out.
        columns
            Those of the chunk, with rows instead of codes.
        cuts
            int64 [n_shards + 1]: where each shard's users begin.
        """
        length = len(columns["users"])
        if not self.room:
            longest = int(np.diff(self.starts).max())
            self.room = [np.empty((longest, self.width), np.int32) for _ in range(2)]
        events, dealt = (room[:length] for room in self.room)
        events[:, -1] = np.arange(length)
        place = 0
        for name in self.names:
            parts = columns[name].view(np.int32).reshape(length, -1)
            events[:, place : place + parts.shape[1]] = parts
            place += parts.shape[1]
        ends = sorting.deal(events, cuts, dealt, self.n_events >= sorting.LARGE)
        self._seek(self.starts[number])
        self._write(dealt)
        self.ends.append(ends)

    def shard(self, s: int) -> dict[str, np.ndarray]:
        """Read the columns of a shard's events in their order, and their ``positions``."""
        spans = [(int(ends[s]), int(ends[s + 1])) for ends in self.ends]
        events = np.empty((sum(end - start for start, end in spans), self.width), np.int32)
        positions = np.empty(len(events), np.int64)
        done = 0
        for first, (start, end) in zip(self.starts, spans, strict=False):
            if end > start:
                part = slice(done, done + end - start)
                self._seek(first + start)
                self._read(events[part])
                positions[part] = events[part, -1]
                positions[part] += first
                done = part.stop
        found, place = {"positions": positions}, 0
        for name in self.names:
            width = np.dtype(KINDS[name]).itemsize // 4
            column = np.ascontiguousarray(events[:, place : place + width])
            found[name] = column.reshape(-1).view(KINDS[name])
            place += width
        return found

    def _seek(self, event: int) -> None:
        self.file.seek(4 * self.width * event)

    def _write(self, array: np.ndarray) -> None:
        self.file.write(array.reshape(-1).view(np.uint8).data)

    def _read(self, array: np.ndarray) -> None:
        self.file.readinto(array.reshape(-1).view(np.uint8).data)
