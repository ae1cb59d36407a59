"""Ids that came before, known by a table of their hashes."""

from __future__ import annotations

import os
from typing import NamedTuple

import numpy as np
import pyarrow as pa

_SLOT = 12  # bytes


class Places(NamedTuple):
    """What ids have.

    Parameters
    ----------
    places
        int32 [n]: of each.
    fresh
        int32 [n_new]: which of them are new, in the order of their places.
    """

    places: np.ndarray
    fresh: np.ndarray


class KnownIds:
    """Gives each id a place, and the same again when it comes again, as far as there is room.

    Two ids are taken for the same if 64 bits of hash are, and the slots near each other that
    another hash names; seeds are random. So one of 10⁹ is mistaken for another with a probability
    of some 10⁻¹⁰.

    Parameters
    ----------
    memory
        Bytes that the table may take; three quarters of its slots are used.
    """

    def __init__(self, memory: int) -> None:
        slots = 1 << max(10, (memory // _SLOT).bit_length() - 1)
        self.hashes, self.known = np.zeros(slots, np.uint64), np.zeros(slots, np.int32)
        self.seeds = np.frombuffer(os.urandom(16), np.uint64)
        self.room = slots // 4 * 3

    def places_of(self, ids: pa.Array, first: int) -> Places:
        """Return the place of each id (int64 or string, no nulls); new ones count from ``first``
        on.
        """
        from cofactor.kernels.cpu import known_ids
        from cofactor.kernels.cpu.jit import unwritten

        if pa.types.is_integer(ids.type):
            text = np.ascontiguousarray(ids).view(np.uint8)
            offsets = 8 * np.arange(len(ids) + 1, dtype=np.int32)
        else:
            _, at, texts = ids.buffers()
            offsets = np.frombuffer(at, np.int32, len(ids) + 1, 4 * ids.offset)
            text = np.frombuffer(texts, np.uint8) if texts else np.zeros(0, np.uint8)
        found, fresh = np.empty(len(ids), np.int32), np.empty(len(ids), np.int32)
        table = self.seeds, self.room, self.hashes, self.known
        parts = unwritten(text), unwritten(offsets)
        new = known_ids.places(*parts, first, *table, found, fresh)
        self.room -= min(new, self.room)
        return Places(found, fresh[:new])


class Coder:
    """Turns columns of strings into dictionaries, in a third of the time that Arrow takes.

    Parameters
    ----------
    most
        Of the rows of a column.
    """

    def __init__(self, most: int) -> None:
        self.known = KnownIds(3 * _SLOT * most)
        self.room = self.known.room

    def coded(self, column: pa.Array) -> pa.Array:
        """Return a column as a dictionary; as it is if it has nulls or isn't of strings."""
        if not pa.types.is_string(column.type) or column.null_count or len(column) > self.room:
            return column
        self.known.known[:] = 0
        self.known.room = self.room
        places, fresh = self.known.places_of(column, 0)
        return pa.DictionaryArray.from_arrays(pa.array(places), column.take(pa.array(fresh)))
