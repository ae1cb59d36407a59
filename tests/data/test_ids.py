"""Ids: one is found as many are."""

from __future__ import annotations

import hashlib

import numpy as np
import pyarrow as pa
import pytest

from cofactor.data.ids import IdMap


def test_one_id_is_found_as_many_are() -> None:
    for ids in (
        IdMap.of([5, 3, 900, -7]),
        IdMap(np.array([5, 3, 900, -7])),
        IdMap.of(["5", "x", "007"]),
        IdMap.of(np.zeros(0, np.int64)),
    ):
        for asked in (5, "5", "007", 7, "x", "", -7, "-7", 901, 2**70, "9" * 30, "5.0", " 5"):
            assert ids.find_one(asked) == int(ids.find([asked])[0]), (ids, asked)


@pytest.mark.parametrize(
    "texts", [["", "a", "böse", "日本", "x" * 300], ["one"], [f"u{n}" for n in range(5000)]]
)
@pytest.mark.parametrize("start", [0, 1])
def test_the_fingerprint_of_texts_is_that_of_their_lengths_and_bytes(texts, start):
    texts = sorted(texts)
    digest = hashlib.sha256(b"string")
    for text in texts[start:]:
        raw = text.encode()
        digest.update(len(raw).to_bytes(4, "little") + raw)
    assert IdMap(pa.array(texts)[start:]).fingerprint == digest.hexdigest()
