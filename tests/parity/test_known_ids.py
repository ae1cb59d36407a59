from __future__ import annotations

import numpy as np

from cofactor.kernels.cpu import known_ids as fast
from cofactor.kernels.cpu.jit import unwritten
from cofactor.kernels.reference import known_ids as slow

SEEDS = unwritten(np.array([3, 2**63 + 5], np.uint64))


def test_ids_get_the_places_that_they_had_and_new_ones_count_on() -> None:
    draw = np.random.default_rng(5)
    words = [bytes(draw.integers(0, 256, n % 27).astype(np.uint8)) for n in range(90)]
    words = [*{b"", b"\0", b"\0\0", b"a" * 8, b"a" * 8 + b"\0", *words}]
    made = []
    for module in (fast, slow):
        chooser, known, first, room = np.random.default_rng(6), {}, 0, 40
        hashes, places = np.zeros(64, np.uint64), np.zeros(64, np.int32)
        for _ in range(6):
            chosen = [words[n] for n in chooser.permutation(len(words))[:30]]
            text = np.frombuffer(b"".join(chosen), np.uint8)
            offsets = unwritten(np.cumsum([0, *map(len, chosen)]).astype(np.int32))
            found, fresh = np.empty(len(chosen), np.int32), np.empty(len(chosen), np.int32)
            table = SEEDS, room, hashes, places
            new = module.places(text, offsets, first, *table, found, fresh)
            assert found[fresh[:new]].tolist() == list(range(first, first + new))
            expected, count = [], first
            for word in chosen:
                expected.append(known.get(word, count))
                if word not in known:
                    known |= {word: count} if len(known) < 40 else {}
                    count += 1
            assert found.tolist() == expected
            assert new == count - first
            first, room = count, room - min(new, room)
        assert room == 0
        made.append((hashes, places))
    for ours, theirs in zip(*made, strict=True):
        np.testing.assert_array_equal(ours, theirs)
