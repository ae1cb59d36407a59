"""Which ids came before, by a table of their hashes: the definition."""

from __future__ import annotations

import numpy as np

_WORD = (1 << 64) - 1
# Of the finaliser of MurmurHash3 (A. Appleby), and its two halves in the other order.
_MIX = ((0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53), (0xC4CEB9FE1A85EC53, 0xFF51AFD7ED558CCD))


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
    """Give each id the place that it had before, or else the next one; return how many are new.

    Parameters
    ----------
    text
        uint8: the bytes of the ids.
    offsets
        int32 [n + 1]: where each id begins, and the last one ends.
    first
        The place of the first new one; they count on from it.
    seeds
        uint64 [2]: of the hashes, random numbers that nobody knew who chose the ids.
    room
        How many more ids the table may take. New ones beyond it aren't known when they come again.
    hashes, known
        The table: uint64 [slots] and int32 [slots], zeros at first; afterwards a hash of an id, in
        the slot that another hash of it names or the next that was free, and its place plus one.
        ``slots`` is a power of two, and more than it may take.
    found
        int32 [n]; written: the place of each id.
    fresh
        int32 [n]; its beginning is written: which ids are new.
    """
    new, slots = 0, len(known)
    for k in range(len(offsets) - 1):
        slot, own = _hashed(text[offsets[k] : offsets[k + 1]].tobytes(), seeds.tolist())
        slot %= slots
        while known[slot] and int(hashes[slot]) != own:
            slot = (slot + 1) % slots
        if known[slot]:
            found[k] = known[slot] - 1
            continue
        found[k], fresh[new] = first + new, k
        new += 1
        if new <= room:
            hashes[slot] = own
            known[slot] = first + new
    return new


def _hashed(word: bytes, seeds: list[int]) -> tuple[int, int]:
    first, second = (
        _lane(word, seed ^ len(word), mix) for seed, mix in zip(seeds, _MIX, strict=True)
    )
    return first, second


def _lane(word: bytes, h: int, mix: tuple[int, int]) -> int:
    for start in range(0, len(word), 8):
        h ^= int.from_bytes(word[start : start + 8], "little")
        for factor in mix:
            h = (h ^ (h >> 33)) * factor & _WORD
        h ^= h >> 33
    return h
