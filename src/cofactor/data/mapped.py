"""Arrays that are mapped from files: what is kept of them is mapped too."""

from __future__ import annotations

import mmap
import os
import tempfile
from collections.abc import Iterator
from typing import Any

import numpy as np

LEAST = 1 << 24  # bytes below which a copy in memory does as well
_BLOCK = 1 << 22  # numbers that are copied at once


def is_mapped(array: Any) -> bool:
    """Return whether an array's numbers lie in a mapped file."""
    while isinstance(array, np.ndarray):
        array = array.base
    return isinstance(array, mmap.mmap)


def kept(array: np.ndarray, which: np.ndarray | slice) -> np.ndarray:
    """Return ``array[which]``; large parts of a mapped array that a mask (bool [n]) keeps are
    mapped from a file without a name, in the folder for temporary files.

    The system then writes them to disk where memory is short, and drops them. Without room there
    they are held in memory.
    """
    if isinstance(which, slice) or which.dtype != bool or not is_mapped(array):
        return array[which]
    blocks = range(0, len(array), _BLOCK)
    made = _stored(
        (array[start : start + _BLOCK][which[start : start + _BLOCK]] for start in blocks), array
    )
    return array[which] if made is None else made


def moved(array: np.ndarray) -> np.ndarray:
    """Return an array's copy in such a file; the array itself where it is small or has no room."""
    made = _stored(iter([array]), array)
    return array if made is None else made


def _stored(blocks: Iterator[np.ndarray], like: np.ndarray) -> np.ndarray | None:
    """What comes, mapped from a file; None where it isn't worth one, or there is none."""
    if like.nbytes < LEAST or os.name != "posix":
        return None
    try:
        with tempfile.TemporaryFile() as file:
            for block in blocks:
                block.tofile(file)
            # "c" as in `shards`: writable for kernels, and never written back.
            return np.memmap(file, like.dtype, "c").view(np.ndarray)
    except (OSError, ValueError):  # a full disk; nothing to map
        return None
