"""Random draws inside kernels: a 64-bit generator, an alias table, and negatives that are never
positives.
"""

from __future__ import annotations

import numpy as np

from cofactor.kernels.cpu.jit import helper, kernel, on_parts

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_S27, _S30, _S31, _S32 = np.uint64(27), np.uint64(30), np.uint64(31), np.uint64(32)
_LOW = np.uint64(0xFFFFFFFF)
_ONE, _SIX, _WORD_BITS = np.uint64(1), np.uint64(6), np.uint64(63)

FILTER_WORDS = 64  # 4,096 bits: 512 bytes a user in work, which stay in the first-level cache
MAX_REDRAWS = 64


@helper
def advance(state):
    """Return the next state of the generator (SplitMix64: Steele, Lea and Flood 2014)."""
    return state + _GOLDEN


@helper
def mix(state):
    """Return 64 random bits for a state; a bijection with full avalanche."""
    z = (state ^ (state >> _S30)) * _MIX_1
    z = (z ^ (z >> _S27)) * _MIX_2
    return z ^ (z >> _S31)


@helper
def stream(seed, lane):
    """Return the first state of one of many streams of a seed: places far apart in the
    generator's cycle.
    """
    return mix(mix(np.uint64(seed)) + np.uint64(lane) * _MIX_1)


@helper
def below(bits, count):
    """Return an integer in [0, count) from the upper half of random bits; its bias is below
    count / 2^32.
    """
    return np.int64(((bits >> _S32) * np.uint64(count)) >> _S32)


@helper
def lower_bound(indices: np.ndarray, begin, end, item):
    """Return the first place in indices[begin:end], sorted, whose item isn't below ``item``."""
    while begin < end:
        middle = (begin + end) >> 1
        if indices[np.uint64(middle)] < item:
            begin = middle + 1
        else:
            end = middle
    return begin


@helper
def owns(indices: np.ndarray, begin, end, item):
    """Return whether ``item`` is in indices[begin:end], sorted."""
    place = lower_bound(indices, begin, end, item)
    return place < end and indices[np.uint64(place)] == item


@helper
def nth_unowned(indices: np.ndarray, begin, end, n):
    """Return the n-th item (from 0) that isn't in indices[begin:end]: n + p for the least p with
    indices[p] - p > n.
    """
    low, high = begin, end
    while low < high:
        middle = (low + high) >> 1
        if indices[np.uint64(middle)] - (middle - begin) <= n:
            low = middle + 1
        else:
            high = middle
    return n + (low - begin)


@helper
def draw_item(bits, threshold: np.ndarray, alias: np.ndarray, n_items):
    """Return an item by the alias table, or uniformly where the table is empty."""
    item = below(bits, n_items)
    if threshold.shape[0] > 0 and np.uint32(bits & _LOW) >= threshold[np.uint64(item)]:
        item = np.int64(alias[np.uint64(item)])
    return item


@helper
def filter_fill(words: np.ndarray, lane, indices: np.ndarray, begin, end) -> None:
    """Set a user's bits in his filter, after clearing it: an item that isn't in the filter isn't
    his.
    """
    words[lane, :] = np.uint64(0)
    for place in range(begin, end):
        item = np.uint64(indices[np.uint64(place)])
        words[lane, (item >> _SIX) & _WORD_BITS] |= _ONE << (item & _WORD_BITS)


@helper
def draw_negative(
    state,
    words: np.ndarray,
    lane,
    indices: np.ndarray,
    begin,
    end,
    threshold: np.ndarray,
    alias: np.ndarray,
    n_items,
):
    """Draw an item that isn't in indices[begin:end] (which must lack one); return the state and
    the item.
    """
    for _ in range(MAX_REDRAWS):
        state = advance(state)
        item = draw_item(mix(state), threshold, alias, n_items)
        bits = np.uint64(item)
        if (words[lane, (bits >> _SIX) & _WORD_BITS] >> (bits & _WORD_BITS)) & _ONE == np.uint64(0):
            return state, item
        if not owns(indices, begin, end, item):
            return state, item
    state = advance(state)
    return state, nth_unowned(indices, begin, end, below(mix(state), n_items - (end - begin)))


def draw_negatives(
    indptr: np.ndarray,
    indices: np.ndarray,
    user_rows: np.ndarray,
    threshold: np.ndarray,
    alias: np.ndarray,
    n_items: int,
    seed: int | np.uint64,
) -> np.ndarray:
    """Draw one negative for each entry of ``user_rows``; see
    `reference.sampling.draw_negatives`.
    """
    items = np.empty(user_rows.shape[0], np.int32)
    problem = (indptr, indices, user_rows, threshold, alias, n_items, np.uint64(seed), items)
    on_parts(
        lambda first, end: _draw_negatives(
            first, end, *problem, np.empty((1, FILTER_WORDS), np.uint64)
        ),
        len(items),
    )
    return items


@kernel
def _draw_negatives(
    first, end, indptr, indices, user_rows, threshold, alias, n_items, seed, items, words
) -> None:
    for n in range(first, end):
        begin, stop = indptr[user_rows[n]], indptr[user_rows[n] + 1]
        if stop - begin >= n_items:
            items[n] = -1
        else:
            filter_fill(words, 0, indices, begin, stop)
            state = stream(seed, n)
            _, item = draw_negative(
                state, words, 0, indices, begin, stop, threshold, alias, n_items
            )
            items[n] = item


# As the reference rounds: a share that is 1 but for rounding decides whose alias an item becomes.
@kernel(fast=False, allocates=True)
def alias_table(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Make the alias table of a distribution; see `reference.sampling.alias_table`."""
    n = weights.shape[0]
    threshold = np.empty(n, np.uint32)
    alias = np.arange(n).astype(np.int32)
    total = 0.0
    for k in range(n):
        total += weights[k]
    share = np.empty(n, np.float64)
    small = np.empty(n, np.int64)
    large = np.empty(n, np.int64)
    n_small, n_large = 0, 0
    for k in range(n):
        share[k] = weights[k] / total * n
        if share[k] < 1.0:
            small[n_small] = k
            n_small += 1
        else:
            large[n_large] = k
            n_large += 1
    while n_small > 0 and n_large > 0:
        less, more = small[n_small - 1], large[n_large - 1]
        threshold[less] = np.uint32(min(share[less] * 4294967296.0, 4294967295.0))
        alias[less] = more
        share[more] -= 1.0 - share[less]
        n_small -= 1
        if share[more] < 1.0:
            small[n_small] = more
            n_small += 1
            n_large -= 1
    for k in range(n_large):
        threshold[large[k]] = np.uint32(0xFFFFFFFF)
    for k in range(n_small):
        threshold[small[k]] = np.uint32(0xFFFFFFFF)
    return threshold, alias
