"""Tokens: the compiled kernel against the plain definition."""

from __future__ import annotations

import numpy as np
import pytest

from cofactor.kernels.cpu import word_hashes as cpu
from cofactor.kernels.reference import word_hashes as reference

NASTY = [
    "",
    "   \t\n",
    "One two-three ONE",
    "naïve café Straße",
    "日本語のテキスト",
    "한국어 text",
    "مرحبا بالعالم",
    "שָׁלוֹם עולם",
    "emoji 👍🏽 and ❤️",
    "a" * 200,
    "x<b>y</b>",
    "e\u0301te\u0301",
    "ไทย",
    "0 1 22",
    "word",
    "\u200fמילה\u200f",
]


def _both(texts: list[str], shortest: int, longest: int) -> list[tuple[np.ndarray, ...]]:
    raws = [t.encode() for t in texts]
    offsets = np.zeros(len(texts) + 1, np.int64)
    np.cumsum([len(r) for r in raws], out=offsets[1:])
    text = np.frombuffer(bytearray(b"".join(raws)), np.uint8)  # writable, as those of texts are
    found = []
    for twin in (cpu, reference):
        counts = twin.count_words(text, offsets, shortest, longest)
        indptr = np.zeros(len(texts) + 1, np.int64)
        np.cumsum(counts, out=indptr[1:])
        hashes, spans = np.zeros(indptr[-1], np.int64), np.zeros((indptr[-1], 2), np.int64)
        twin.hash_words(text, offsets, shortest, longest, indptr, hashes, spans)
        in_order = hashes.copy()
        times = np.zeros(len(hashes), np.float32)
        distinct = twin.counted_tokens(indptr, hashes, times)
        kept = np.concatenate(
            [np.arange(low, low + n) for low, n in zip(indptr[:-1], distinct, strict=True)]
        )
        found.append(
            (counts, in_order, spans, distinct, hashes[kept.astype(int)], times[kept.astype(int)])
        )
    return found


@pytest.mark.parametrize(("shortest", "longest"), [(1, 0), (3, 5)])
def test_tokens_of_nasty_text_equal_the_definition(shortest: int, longest: int) -> None:
    fast, slow = _both(NASTY, shortest, longest)
    for one, other in zip(fast, slow, strict=True):
        np.testing.assert_array_equal(one, other)


def test_random_code_points_equal_the_definition() -> None:
    rng = np.random.default_rng(3)
    ranges = [
        (32, 127),
        (0xA0, 0x250),
        (0x300, 0x700),
        (0xE00, 0xE80),
        (0x2000, 0x2070),
        (0x3040, 0x30FF),
        (0x1F300, 0x1F650),
    ]
    texts = [
        "".join(
            chr(rng.integers(*ranges[rng.integers(len(ranges))]))
            for _ in range(rng.integers(0, 60))
        )
        for _ in range(41)
    ]
    fast, slow = _both(texts, 3, 4)
    for one, other in zip(fast, slow, strict=True):
        np.testing.assert_array_equal(one, other)


def test_broken_utf8_is_read_to_its_end_without_fault() -> None:
    text = np.frombuffer(bytearray(b"good \xff\xfe bad \xf0\x9f"), np.uint8)
    assert cpu.count_words(text, np.array([0, len(text)], np.int64), 1, 0)[0] == 2
