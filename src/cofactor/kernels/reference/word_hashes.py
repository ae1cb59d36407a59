"""Words of UTF-8 text as 64-bit hashes, slowly and plainly: the definition.

A token is a run of letters and digits (folded to lower case where ASCII; the caller folds the
rest), a single ideograph, a pair of neighbouring ideographs (scripts that put no spaces between
words: Chinese, Japanese, Korean, Thai, Lao, Khmer), or a single symbol (emoji). Marks (accents that
stand by themselves, points of Hebrew and Arabic, joiners, direction signs) are passed over and
separate nothing. Words have hashes from 0; a word's character n-grams, of the word between ``<``
and ``>`` and its first 64 letters, have negative ones, so the two never meet."""

from __future__ import annotations

import itertools

import numpy as np

PRIME, BASIS, MIX, WORD = 1099511628211, 14695981039346656037, 0xFF51AFD7ED558CCD, 2**64 - 1
LONGEST = 64
MARKS = (
    (0x300, 0x36F),
    (0x591, 0x5BD),
    (0x64B, 0x65F),
    (0x640, 0x640),
    (0x200B, 0x200F),
    (0xFE00, 0xFE0F),
    (0x2060, 0x2060),
    (0xFEFF, 0xFEFF),
    (0x1F3FB, 0x1F3FF),
    (0xE0000, 0xE01EF),
)
SYMBOLS = ((0x2600, 0x27BF), (0x1F000, 0x1FAFF))
OTHERS = (
    (0xD7, 0xD7),
    (0xF7, 0xF7),
    (0x2000, 0x2BFF),
    (0x2E00, 0x2E7F),
    (0x3000, 0x3004),
    (0x3008, 0x3020),
    (0xFF00, 0xFF0F),
    (0xFF1A, 0xFF20),
    (0xE000, 0xF8FF),
    (0x60C, 0x60C),
    (0x61B, 0x61B),
    (0x61F, 0x61F),
)
IDEOGRAPHS = (
    (0xE00, 0xEFF),
    (0x1780, 0x17FF),
    (0x3005, 0x30FF),
    (0x3400, 0x9FFF),
    (0xAC00, 0xD7AF),
    (0xF900, 0xFAFF),
    (0x20000, 0x3FFFF),
)


def kind(point: int) -> str:
    """Return what a code point is: ``letter``, ``mark``, ``symbol``, ``ideograph`` or ``other``
    (separates).
    """
    if point < 0x80:
        return "letter" if chr(point).isalnum() else "other"
    if point < 0xC0:
        return "letter" if point in (0xAA, 0xB5, 0xBA) else "other"
    for name, ranges in (
        ("mark", MARKS),
        ("symbol", SYMBOLS),
        ("other", OTHERS),
        ("ideograph", IDEOGRAPHS),
    ):
        if any(low <= point <= high for low, high in ranges):
            return name
    return "letter"


def tokens(raw: bytes, shortest: int, longest: int) -> list[tuple[int, int, int]]:
    """Return ``(hash, first byte, byte after)`` of each token of one text, in the order of their
    ends.
    """
    found: list[tuple[int, int, int]] = []
    start = BASIS
    word: list[int] = []
    began, before, at = 0, -1, 0
    text = raw.decode("utf-8") + " "
    for char in text:
        width = len(char.encode())
        point, what = ord(char), kind(ord(char))
        if what == "letter":
            if not word:
                began = at
            word.append(point + 32 if 65 <= point <= 90 else point)
        elif what != "mark" and word:
            found.append((_hash(start, word), began, at))
            marked = [60, *word[:LONGEST], 62]
            for n in range(shortest, longest + 1):
                found += [
                    (-_hash(start ^ n, marked[k : k + n]) - 1, began, at)
                    for k in range(len(marked) - n + 1)
                ]
            word = []
        if what in ("ideograph", "symbol"):
            found.append((_hash(start, [point]), at, at + width))
            if what == "ideograph" and before >= 0:
                found.append((_hash(start, [before, point]), at, at + width))
        before = point if what == "ideograph" else before if what == "mark" else -1
        at += width
    return found


def count_words(text: np.ndarray, offsets: np.ndarray, shortest: int, longest: int) -> np.ndarray:
    """Return the number of tokens of each text, int64 [n_texts].

    Parameters
    ----------
    text
        uint8 [n_bytes]: valid UTF-8.
    offsets
        int64 [n_texts + 1]: text ``t`` is ``text[offsets[t]:offsets[t + 1]]``.
    shortest, longest
        Lengths of a word's character n-grams; none if ``longest < shortest``.
    """
    return np.array(
        [len(tokens(one, shortest, longest)) for one in _texts(text, offsets)], np.int64
    )


def hash_words(
    text: np.ndarray,
    offsets: np.ndarray,
    shortest: int,
    longest: int,
    indptr: np.ndarray,
    hashes: np.ndarray,
    spans: np.ndarray,
) -> None:
    """Write the hash of each token (int64 [n_tokens]) and its first byte and the byte after
    (int64 [n_tokens, 2]).
    """
    for row, one in enumerate(_texts(text, offsets)):
        for place, (token, low, high) in enumerate(tokens(one, shortest, longest), indptr[row]):
            hashes[place] = token
            spans[place] = low + offsets[row], high + offsets[row]


def counted_tokens(indptr: np.ndarray, hashes: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Sort each row's hashes in place, each once, with its count (float32); return how many differ,
    int64 [n_texts].

    What stands in a row beyond that many means nothing.
    """
    distinct = np.zeros(len(indptr) - 1, np.int64)
    for row, (low, high) in enumerate(itertools.pairwise(indptr)):
        once, times = np.unique(hashes[low:high], return_counts=True)
        distinct[row] = len(once)
        hashes[low : low + len(once)], counts[low : low + len(once)] = once, times
    return distinct


def _texts(text: np.ndarray, offsets: np.ndarray) -> list[bytes]:
    return [text[low:high].tobytes() for low, high in itertools.pairwise(offsets)]


def _hash(start: int, points: list[int]) -> int:
    """FNV-1a over code points, then two rounds of mixing; 63 bits."""
    h = start
    for point in points:
        h = (h ^ point) * PRIME & WORD
    h = (h ^ (h >> 33)) * MIX & WORD
    return (h ^ (h >> 33)) & 0x7FFFFFFFFFFFFFFF
