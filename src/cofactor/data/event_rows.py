"""The rows of the ids in events' columns."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cofactor.data.ids import IdMap


def rows_of(ids: IdMap, column: pa.ChunkedArray, what: str) -> np.ndarray:
    """Return the row of each event's id, int32; distinct ids are looked up once.

    Raises
    ------
    UnknownIdError
        If the id map lacks one; ``what`` says whose ids they are.
    """
    if pa.types.is_integer(column.type):
        return ids.rows(np.asarray(column), what=what)
    if not pa.types.is_dictionary(column.type):
        column = pc.dictionary_encode(column)
    column = column.unify_dictionaries()
    if column.num_chunks == 0:
        return np.zeros(0, np.int32)
    # The dictionary may hold ids that no event has any more: only those that occur have to be
    # known.
    table = ids.find(column.chunk(0).dictionary)
    if column.num_chunks == 1 and np.array_equal(table, np.arange(len(ids))):
        return _writable(column.chunk(0).indices)
    rows = np.empty(len(column), np.int32)
    start = 0
    for chunk in column.chunks:
        # "clip" never clips here; "raise" would make NumPy fill a copy of the output first.
        np.take(table, np.asarray(chunk.indices), out=rows[start : start + len(chunk)], mode="clip")
        start += len(chunk)
    if (table < 0).any() and (rows < 0).any():
        strange = pc.unique(column.filter(pa.array(rows < 0)))
        ids.rows(
            strange.dictionary_decode() if pa.types.is_dictionary(strange.type) else strange,
            what=what,
        )
    return rows


def _writable(codes: pa.Array) -> np.ndarray:
    """Codes (int32, no nulls) as an array that may be written: for one that may not, kernels
    would be compiled again.
    """
    if codes.type == pa.int32() and codes.buffers()[1].is_mutable:
        return np.frombuffer(codes.buffers()[1], np.int32, len(codes), 4 * codes.offset)
    return np.array(codes, np.int32)
