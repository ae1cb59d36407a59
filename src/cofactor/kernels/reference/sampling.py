"""Random draws inside kernels: a 64-bit generator, an alias table, and negatives that are never
positives.

The generator is SplitMix64 (Steele, Lea and Flood 2014, "Fast splittable pseudorandom number
generators"): the state advances by a constant, and 64 random bits are a mixing bijection of it.
States are Python integers here, so that the arithmetic modulo 2^64 is plain to see."""

from __future__ import annotations

import numpy as np

MASK = 2**64 - 1
_GOLDEN = 0x9E3779B97F4A7C15
_MIX_1 = 0xBF58476D1CE4E5B9
_MIX_2 = 0x94D049BB133111EB

MAX_REDRAWS = 64


def advance(state: int) -> int:
    """Return the next state of the generator."""
    return (state + _GOLDEN) & MASK


def mix(state: int) -> int:
    """Return 64 random bits for a state; a bijection with full avalanche."""
    z = ((state ^ (state >> 30)) * _MIX_1) & MASK
    z = ((z ^ (z >> 27)) * _MIX_2) & MASK
    return z ^ (z >> 31)


def stream(seed: int, lane: int) -> int:
    """Return the first state of one of many streams of a seed: places far apart in the
    generator's cycle.
    """
    return mix((mix(int(seed)) + int(lane) * _MIX_1) & MASK)


def below(bits: int, count: int) -> int:
    """Return an integer in [0, count) from the upper half of random bits; its bias is below
    count / 2^32.
    """
    return ((bits >> 32) * int(count)) >> 32


def draw_item(bits: int, threshold: np.ndarray, alias: np.ndarray, n_items: int) -> int:
    """Return an item by the alias table, or uniformly where the table is empty."""
    item = below(bits, n_items)
    if len(threshold) and (bits & 0xFFFFFFFF) >= int(threshold[item]):
        item = int(alias[item])
    return item


def draw_negative(
    state: int, row: np.ndarray, threshold: np.ndarray, alias: np.ndarray, n_items: int
) -> tuple[int, int]:
    """Return the state after a draw, and an item that isn't in ``row`` (sorted; it must lack one).

    Items are drawn until one isn't in the row. After `MAX_REDRAWS` draws the item is drawn
    uniformly from those not in the row, by rank; under the uniform one that is the same.
    """
    for _ in range(MAX_REDRAWS):
        state = advance(state)
        item = draw_item(mix(state), threshold, alias, n_items)
        place = int(np.searchsorted(row, item))
        if place == len(row) or row[place] != item:
            return state, item
    state = advance(state)
    missing = np.setdiff1d(np.arange(n_items), row)
    return state, int(missing[below(mix(state), len(missing))])


def draw_negatives(
    indptr: np.ndarray,
    indices: np.ndarray,
    user_rows: np.ndarray,
    threshold: np.ndarray,
    alias: np.ndarray,
    n_items: int,
    seed: int,
) -> np.ndarray:
    """Draw one negative for each entry of ``user_rows``: an item that the user doesn't have, by a
    given distribution.

    Parameters
    ----------
    indptr, indices
        The positives as CSR: int64 [n_users + 1], int32 [n_positives], sorted within a row, no
        duplicates.
    user_rows
        int32 [n_draws]; a user may come several times.
    threshold, alias
        The distribution as `alias_table` makes it, uint32 [n_items] and int32 [n_items]; both
        empty: uniform.
    n_items
        The number of items.
    seed
        Any 64-bit seed; each draw has a stream of its own, so the result doesn't depend on threads.

    Returns
    -------
    np.ndarray
        int32 [n_draws]; -1 for a user who has every item.

    Notes
    -----
    A draw that hits a positive is drawn again, not skipped, so the distribution is the given one
    restricted to the user's negatives. Only after 64 hits in a row (users who have nearly all
    of its mass) is the draw uniform over them.
    """
    items = np.empty(len(user_rows), np.int32)
    for n, u in enumerate(user_rows):
        row = indices[indptr[u] : indptr[u + 1]]
        if len(row) >= n_items:
            items[n] = -1
        else:
            items[n] = draw_negative(stream(seed, n), row, threshold, alias, n_items)[1]
    return items


def alias_table(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Make the table that draws k with probability weights[k] / sum(weights) in constant time.

    A column k is drawn uniformly, and kept if 32 random bits are below ``threshold[k]``, else
    replaced by ``alias[k]``.

    Parameters
    ----------
    weights
        float64 [n], not negative, with a positive sum.

    Returns
    -------
    threshold, alias
        uint32 [n] and int32 [n].

    Notes
    -----
    Probabilities are rounded to 2^-32 of a column. A column that is its own alias is always kept.

    Source: Vose 1991, "A linear algorithm for generating random numbers with a given distribution".
    """
    n = len(weights)
    threshold, alias = np.full(n, 0xFFFFFFFF, np.uint32), np.arange(n, dtype=np.int32)
    total = 0.0
    for weight in weights:
        total += float(weight)
    share = [float(weight) / total * n for weight in weights]
    small = [k for k in range(n) if share[k] < 1.0]
    large = [k for k in range(n) if share[k] >= 1.0]
    while small and large:
        less, more = small.pop(), large[-1]
        threshold[less] = int(min(share[less] * 2.0**32, 2.0**32 - 1.0))
        alias[less] = more
        share[more] -= 1.0 - share[less]
        if share[more] < 1.0:
            small.append(large.pop())
    return threshold, alias
