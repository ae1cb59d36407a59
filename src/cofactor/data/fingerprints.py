"""The fingerprint of interactions: the same, whether they are in memory or mapped from files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np

from cofactor.data.ids import IdMap

_BLOCK = 1 << 20  # numbers that are hashed at a time


def fingerprint_of(users: IdMap, items: IdMap, arrays: Iterable[np.ndarray | None]) -> str:
    """Return a SHA-256 (hex) of ids and arrays.

    Parameters
    ----------
    users, items
        The id maps.
    arrays
        Those by user, and each user's items in order where there are no times; then, where repeats
        are kept, where each user's events begin, and their items.
    """
    digest = hashlib.sha256((users.fingerprint + items.fingerprint).encode())
    for array in arrays:
        if array is None:
            digest.update(b"-")
            continue
        for start in range(0, len(array), _BLOCK):
            digest.update(np.ascontiguousarray(array[start : start + _BLOCK]).tobytes())
    return digest.hexdigest()
