"""Bytes where Arrow's threads may let go of them."""

from __future__ import annotations

import pyarrow as pa


def arrow_reader(data: bytes) -> pa.BufferReader:
    """Return a reader of a copy of some bytes, in memory of Arrow's own.

    A thread of Arrow's lets go of what it read when it likes. Of memory of Python's it can only do
    so with the interpreter's lock, and where the interpreter is about to end by then, the process
    aborts (Arrow's issue 49942).
    """
    held = pa.allocate_buffer(len(data))
    memoryview(held).cast("B")[:] = data
    return pa.BufferReader(held)
