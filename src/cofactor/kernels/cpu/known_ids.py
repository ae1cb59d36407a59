"""Which ids came before, by a table of their hashes; the fast implementation of
`reference.known_ids`.
"""

from __future__ import annotations

import numpy as np

from cofactor.kernels.cpu.jit import helper, kernel

_A, _B = np.uint64(0xFF51AFD7ED558CCD), np.uint64(0xC4CEB9FE1A85EC53)
_BLOCK = 1024
_8, _33 = np.uint64(8), np.uint64(33)


@helper
def _mixed(h, first, second):
    h = (h ^ (h >> _33)) * first
    h = (h ^ (h >> _33)) * second
    return h ^ (h >> _33)


@kernel(allocates=True)
def places(
    text: np.ndarray,
    offsets: np.ndarray,
    first: int,
    seeds: np.ndarray,
    room: int,
    hashes: np.ndarray,
    known: np.ndarray,
    found: np.ndarray,
    fresh: np.ndarray,
) -> int:
    """Give each id the place that it had before, or else the next one; see
    `reference.known_ids.places`.
    """
    n, last, new = len(offsets) - 1, len(known) - 1, 0
    own = np.empty((_BLOCK, 2), np.uint64)
    for low in range(0, n, _BLOCK):
        high = min(n, low + _BLOCK)
        # Hashes before look-ups, so that the processor can wait for many of these at once.
        for k in range(low, high):
            start, end = np.int64(offsets[k]), np.int64(offsets[k + 1])
            a, b = seeds[0] ^ np.uint64(end - start), seeds[1] ^ np.uint64(end - start)
            while start < end:
                word = np.uint64(0)
                for q in range(min(end, start + 8) - 1, start - 1, -1):
                    word = (word << _8) | np.uint64(text[q])
                a, b = _mixed(a ^ word, _A, _B), _mixed(b ^ word, _B, _A)
                start += 8
            own[k - low, 0], own[k - low, 1] = a, b
        for k in range(low, high):
            slot, tag = np.int64(own[k - low, 0] & np.uint64(last)), own[k - low, 1]
            while known[slot] and hashes[slot] != tag:
                slot = (slot + 1) & last
            if known[slot]:
                found[k] = known[slot] - 1
            else:
                found[k], fresh[new] = first + new, k
                new += 1
                if new <= room:
                    hashes[slot], known[slot] = tag, first + new
    return new
