"""All events of a source on disk: chunk after chunk as they come, then by shard."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cofactor.data import sorting

KINDS = {"users": np.int32, "items": np.int32, "values": np.float32, "times": np.int64}


class _Numbers:
    """A file of int32 that is read and written at any place.

    Parameters
    ----------
    path
        The file.
    names
        The columns, of `KINDS`; the same for all chunks.
    starts
        Where each chunk begins that is there already, in events, and where the last one ends.
    """

    def __init__(self, path: Path, names: Collection[str], starts: Sequence[int] = (0,)) -> None:
        self.path, self.file = path, path.open("r+b" if starts[-1] else "w+b")
        self.names = [name for name in KINDS if name in names]
        self.width = sum(np.dtype(KINDS[name]).itemsize // 4 for name in self.names)
        self.starts = list(starts)

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def n_events(self) -> int:
        """How many events there are."""
        return self.starts[-1]

    def close(self) -> None:
        """Close the file."""
        self.file.close()

    def _seek(self, event: int) -> None:
        self.file.seek(4 * self.width * event)

    def _write(self, array: np.ndarray) -> None:
        self.file.write(array.reshape(-1).view(np.uint8).data)

    def _read(self, array: np.ndarray) -> None:
        self.file.readinto(array.reshape(-1).view(np.uint8).data)


class EventFile(_Numbers):
    """The columns of each chunk, one after the other."""

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


class DealtFile(_Numbers):
    """The events of each chunk by shard of users, each with its position in the chunk behind its
    columns.

    Parameters
    ----------
    path, names, starts
        As in `EventFile`; the chunks are those of such a file.
    ends
        int64 [n_chunks, n_shards + 1]: of each shard's events in each chunk, where they were dealt
        out already; otherwise they are dealt out now.
    """

    def __init__(
        self, path: Path, names: Collection[str], starts: Sequence[int], ends: Any = None
    ) -> None:
        super().__init__(path, names, (0,) if ends is None else starts)
        self.starts = list(starts)
        self.width += 1
        self.ends = [] if ends is None else list(ends)
        self.room: list[np.ndarray] = []  # for dealing out: new pages cost the system time

    def deal_out(self, columns: Mapping[str, np.ndarray], cuts: np.ndarray) -> None:
        """Write the next chunk's events by shard of users.

        Parameters
        ----------
        columns
            Those of the chunk, with rows instead of places.
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
        self._seek(self.starts[len(self.ends)])
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
