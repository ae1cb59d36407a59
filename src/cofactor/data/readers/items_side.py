"""The items' side of a folder of shards, from the users' side."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np

from cofactor.base.offsets import offsets
from cofactor.data import sorting

_SPREAD_BYTES = 12  # of an interaction


def write(made: Path, n_items: int, memory: int) -> None:
    """Write the folder ``by_item`` beside ``by_user``, with as many items at a time as memory
    allows.

    Users come in ascending order, so they are ascending for each item.
    """
    indptr = np.load(made / "by_user" / "indptr.npy")
    # "c" as in `shards`: writable for kernels, and never written back.
    item_rows = np.load(made / "by_user" / "item_rows.npy", mmap_mode="c").view(np.ndarray)
    counts = np.zeros(n_items, np.int64)
    sorting.count(item_rows, counts, len(item_rows) >= sorting.LARGE)
    begins = offsets(counts)
    folder = made / "by_item"
    np.save(folder / "indptr.npy", begins)
    paths = [folder / f"{name}.npy" for name in ("user_rows", "positions")]
    for path, kind in zip(paths, (np.int32, np.int64), strict=True):
        np.lib.format.open_memmap(path, "w+", kind, (len(item_rows),))
    for first, end in pairwise(cuts(counts, max(1, memory // 4 // _SPREAD_BYTES))):
        into = [np.load(path, mmap_mode="r+") for path in paths]
        part = begins[first : end + 1], int(first)
        sorting.spread(indptr, item_rows, *part, *(array.view(np.ndarray) for array in into))
        for array in into:
            array.flush()


def cuts(counts: np.ndarray, most: int) -> np.ndarray:
    """Return where ranges of rows begin and end, so that one has about ``most`` events at most."""
    ends = np.cumsum(counts)
    n_ranges = max(1, -(-int(ends[-1]) // most))
    goals = ends[-1] * np.arange(1, n_ranges) / n_ranges
    return np.unique([0, *(np.searchsorted(ends, goals) + 1), len(counts)])
