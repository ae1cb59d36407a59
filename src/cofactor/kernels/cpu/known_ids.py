"""Which ids came before, by a table of their hashes; the fast implementation of
`reference.known_ids`.
"""

from __future__ import annotations

import numpy as np

from cofactor.kernels.cpu.jit import helper, kernel

_A, _B = np.uint64(0xFF51AFD7ED558CCD), np.uint64(0xC4CEB9FE1A85EC53)
_8, _33 = np.uint64(8), np.uint64(33)


@helper
def _mixed(h, first, second):  # type: ignore[no-untyped-def]
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
) -> int:
    """Give each id the place that it had before, or else the next one; see
    `reference.known_ids.places`.
    """
    n, last = len(offsets) - 1, len(known) - 1
    # All hashes before all look-ups, so that the processor can wait for many of these at once.
    own = np.empty((n, 2), np.uint64)
    for k in range(n):
        start, end = np.int64(offsets[k]), np.int64(offsets[k + 1])
        a, b = seeds[0] ^ np.uint64(end - start), seeds[1] ^ np.uint64(end - start)
        while start < end:
            word = np.uint64(0)
            for q in range(min(end, start + 8) - 1, start - 1, -1):
                word = (word << _8) | np.uint64(text[q])
            a, b = _mixed(a ^ word, _A, _B), _mixed(b ^ word, _B, _A)
            start += 8
        own[k, 0], own[k, 1] = a, b
    new = 0
    for k in range(n):
        slot = np.int64(own[k, 0] & np.uint64(last))
        while known[slot] and hashes[slot] != own[k, 1]:
            slot = (slot + 1) & last
        if known[slot]:
            found[k] = known[slot] - 1
        else:
            found[k] = first + new
            new += 1
            if new <= room:
                hashes[slot], known[slot] = own[k, 1], first + new
    return new
