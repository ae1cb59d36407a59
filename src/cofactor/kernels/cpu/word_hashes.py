"""Words of UTF-8 text as 64-bit hashes: one pass over the bytes, in parallel over texts; the
fast implementation of `reference.word_hashes`.
"""

from __future__ import annotations

import numpy as np

from cofactor.kernels.cpu.jit import helper, kernel, on_parts
from cofactor.kernels.cpu.sorting import sort_integers

_PRIME = np.uint64(1099511628211)
_BASIS = np.uint64(14695981039346656037)
_MIX = np.uint64(0xFF51AFD7ED558CCD)
_SHIFT = np.uint64(33)
_LONGEST = 64  # letters of a word that character n-grams look at
_OTHER, _LETTER, _IDEOGRAPH, _SYMBOL, _MARK = 0, 1, 2, 3, 4


@helper
def _decode(text, q, end):
    """The code point at byte q, and the place after it; a broken byte stands for itself and
    separates.
    """
    first = np.int64(text[q])
    if first < 0x80:
        return first, q + 1
    n = 1 if first >> 5 == 6 else 2 if first >> 4 == 14 else 3 if first >> 3 == 30 else 0
    if n == 0 or q + n >= end:
        return np.int64(0), q + 1
    point = first & (0x3F >> n)
    for k in range(1, n + 1):
        point = point << 6 | np.int64(text[q + k]) & 0x3F
    return point, q + n + 1


@helper
def _kind(c):
    """What a code point is: see `reference.word_hashes.kind`."""
    kind = _LETTER
    if c < 0x80:
        if not (48 <= c <= 57 or 97 <= c <= 122 or 65 <= c <= 90):
            kind = _OTHER
    elif c < 0xC0:
        if c != 0xAA and c != 0xB5 and c != 0xBA:
            kind = _OTHER
    elif c == 0xD7 or c == 0xF7:
        kind = _OTHER
    elif (
        0x300 <= c <= 0x36F
        or 0x591 <= c <= 0x5BD
        or 0x64B <= c <= 0x65F
        or c == 0x640
        or 0x200B <= c <= 0x200F
    ):
        kind = _MARK
    elif (
        0xFE00 <= c <= 0xFE0F
        or c == 0x2060
        or c == 0xFEFF
        or 0x1F3FB <= c <= 0x1F3FF
        or 0xE0000 <= c <= 0xE01EF
    ):
        kind = _MARK
    elif 0x2600 <= c <= 0x27BF or 0x1F000 <= c <= 0x1FAFF:
        kind = _SYMBOL
    elif (
        0x2000 <= c <= 0x2BFF
        or 0x2E00 <= c <= 0x2E7F
        or 0x3000 <= c <= 0x3004
        or 0x3008 <= c <= 0x3020
    ):
        kind = _OTHER
    elif (
        0xFF00 <= c <= 0xFF0F
        or 0xFF1A <= c <= 0xFF20
        or 0xE000 <= c <= 0xF8FF
        or c == 0x60C
        or c == 0x61B
        or c == 0x61F
    ):
        kind = _OTHER
    elif (
        0xE00 <= c <= 0xEFF
        or 0x1780 <= c <= 0x17FF
        or 0x3005 <= c <= 0x30FF
        or 0x3400 <= c <= 0x9FFF
    ):
        kind = _IDEOGRAPH
    elif 0xAC00 <= c <= 0xD7AF or 0xF900 <= c <= 0xFAFF or 0x20000 <= c <= 0x3FFFF:
        kind = _IDEOGRAPH
    return kind


@helper
def _finished(h):
    h = (h ^ (h >> _SHIFT)) * _MIX
    return (h ^ (h >> _SHIFT)) & np.uint64(0x7FFFFFFFFFFFFFFF)


@kernel(allocates=True)
def _walk(text, low, high, shortest, longest, hashes, spans, place):
    """Write one text's tokens from ``place`` on (or only count them where ``hashes`` is empty);
    return the place after.
    """
    fill = len(hashes) > 0
    start = _BASIS
    word, before = start, np.int64(-1)
    began, length = np.int64(-1), 0
    letters = np.empty(_LONGEST + 2, np.int64)
    letters[0] = 60
    q = low
    while q <= high:
        c, after = np.int64(32), q + 1
        if q < high:
            c, after = _decode(text, q, high)
        kind = _kind(c)
        if kind == _LETTER:
            c = c + 32 if 65 <= c <= 90 else c
            if began < 0:
                began, length, word = q, 0, start
            word = (word ^ np.uint64(c)) * _PRIME
            if length < _LONGEST:
                letters[length + 1] = c
            length += 1
        elif kind != _MARK and began >= 0:
            if fill:
                hashes[place] = np.int64(_finished(word))
                spans[place, 0], spans[place, 1] = began, q
            place += 1
            known = min(length, _LONGEST) + 2
            letters[known - 1] = 62
            for n in range(shortest, longest + 1):
                for k in range(known - n + 1):
                    if fill:
                        gram = start ^ np.uint64(n)
                        for m in range(n):
                            gram = (gram ^ np.uint64(letters[k + m])) * _PRIME
                        hashes[place] = -np.int64(_finished(gram)) - 1
                        spans[place, 0], spans[place, 1] = began, q
                    place += 1
            began = np.int64(-1)
        if kind == _IDEOGRAPH or kind == _SYMBOL:
            if fill:
                hashes[place] = np.int64(_finished((start ^ np.uint64(c)) * _PRIME))
                spans[place, 0], spans[place, 1] = q, after
            place += 1
            if kind == _IDEOGRAPH and before >= 0:
                if fill:
                    pair = (((start ^ np.uint64(before)) * _PRIME) ^ np.uint64(c)) * _PRIME
                    hashes[place] = np.int64(_finished(pair))
                    spans[place, 0], spans[place, 1] = q, after
                place += 1
        if kind == _IDEOGRAPH:
            before = c
        elif kind != _MARK:
            before = np.int64(-1)
        q = after
    return place


def count_words(text: np.ndarray, offsets: np.ndarray, shortest: int, longest: int) -> np.ndarray:
    """Return the number of tokens of each text; see the reference."""
    counts = np.zeros(len(offsets) - 1, np.int64)
    nowhere, none, spans = (
        np.zeros(len(offsets), np.int64),
        np.empty(0, np.int64),
        np.empty((0, 2), np.int64),
    )
    how = (shortest, longest)
    on_parts(
        lambda low, high: _walk_rows(text, offsets, *how, low, high, nowhere, none, spans, counts),
        len(counts),
    )
    return counts


def hash_words(
    text: np.ndarray,
    offsets: np.ndarray,
    shortest: int,
    longest: int,
    indptr: np.ndarray,
    hashes: np.ndarray,
    spans: np.ndarray,
) -> None:
    """Write the hash and the place of each token of each text; see the reference."""
    how, counts = (shortest, longest), np.zeros(len(offsets) - 1, np.int64)
    if len(hashes):  # without any room for hashes they would be counted
        on_parts(
            lambda low, high: _walk_rows(
                text, offsets, *how, low, high, indptr, hashes, spans, counts
            ),
            len(counts),
        )


@kernel(allocates=True)
def _walk_rows(text, offsets, shortest, longest, low, high, indptr, hashes, spans, counts):
    for row in range(low, high):
        begin = indptr[row]
        counts[row] = (
            _walk(text, offsets[row], offsets[row + 1], shortest, longest, hashes, spans, begin)
            - begin
        )


def counted_tokens(indptr: np.ndarray, hashes: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Sort each row's hashes in place, each once, with its count; return how many differ; see
    the reference.
    """
    distinct = np.zeros(len(indptr) - 1, np.int64)
    on_parts(
        lambda low, high: _counted_tokens(indptr, hashes, counts, low, high, distinct),
        len(distinct),
    )
    return distinct


@kernel(allocates=True)
def _counted_tokens(indptr, hashes, counts, first, end, distinct) -> None:
    for row in range(first, end):
        low, high = indptr[row], indptr[row + 1]
        if high == low:
            continue
        part = hashes[low:high].copy()
        sort_integers(part)
        at = low
        hashes[at], counts[at] = part[0], np.float32(1)
        for q in range(1, len(part)):
            if part[q] == hashes[at]:
                counts[at] += np.float32(1)
            else:
                at += 1
                hashes[at], counts[at] = part[q], np.float32(1)
        distinct[row] = at - low + 1
