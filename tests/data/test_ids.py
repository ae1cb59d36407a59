"""Ids: one is found as many are."""

from __future__ import annotations

import numpy as np

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
