"""Ids: one is found as many are."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import cofactor
from cofactor.base.errors import DataError
from cofactor.data.ids import IdMap
from cofactor.data.interactions import Interactions


def test_one_id_is_found_as_many_are() -> None:
    for ids in (
        IdMap.of([5, 3, 900, -7]),
        IdMap(np.array([5, 3, 900, -7])),
        IdMap.of(["5", "x", "007"]),
        IdMap.of(np.zeros(0, np.int64)),
    ):
        for asked in (5, "5", "007", 7, "x", "", -7, "-7", 901, 2**70, "9" * 30, "5.0", " 5"):
            assert ids.find_one(asked) == int(ids.find([asked])[0]), (ids, asked)


def test_numbers_far_apart_that_do_not_ascend_are_found() -> None:
    """Their difference doesn't fit into 64 bits, and wraps around to what looks like ascent."""
    far = [6 * 10**18, -5 * 10**18, 7]
    ids = IdMap(np.array(far))
    assert ids.find(far).tolist() == [0, 1, 2]
    assert ids.find([8, -6 * 10**18]).tolist() == [-1, -1]


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


def test_a_catalogue_tells_its_lines_without_an_id_and_refuses_columns_that_stand_twice() -> None:
    events = [("u1", "7"), ("u2", "9")]
    items = pd.DataFrame({"item_id": ["7", None, "9"], "title": list("abc")})
    data = Interactions.build(cofactor.read(events, items=items))
    assert "knows 2 of 2 items; lines without an id: 1, left out" in data.notes[-1]
    assert not data.catalogue.table.schema.metadata
    twice = pd.DataFrame([["7", "a", "b"]], columns=["item_id", "title", "title"])
    with pytest.raises(DataError, match="'title' 2 times"):
        cofactor.read(events, items=twice)
