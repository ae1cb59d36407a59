from __future__ import annotations

import numpy as np
import pytest

from cofactor.kernels.cpu import numbering as fast
from cofactor.kernels.cpu.jit import unwritten
from cofactor.kernels.reference import numbering as slow


@pytest.mark.parametrize("low", [-7, 0, 3])
@pytest.mark.parametrize("share", [0.3, 1.0])
def test_numbers_are_the_ranks_of_the_distinct_ids(low: int, share: float) -> None:
    generator = np.random.default_rng(3)
    pool = np.flatnonzero(generator.random(41) < share) + low
    pool[0] = low
    ids = generator.permutation(np.concatenate([pool, generator.choice(pool, 300)])).astype(
        np.int32
    )
    ours, theirs = ids.copy(), ids.copy()
    span = int(ids.max()) - low + 1
    tables = [np.zeros(span, np.int32) for _ in range(2)]
    fast.number(ours, low, tables[0])
    slow.number(theirs, low, tables[1])
    np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_array_equal(tables[0], tables[1])
    np.testing.assert_array_equal((np.flatnonzero(tables[0]) + low)[ours], ids)


def test_rows_that_occur_are_marked_beside_those_that_were() -> None:
    rows = unwritten(np.array([4, 4, 1], np.int32))
    for module in (fast, slow):
        occurs = np.zeros(6, bool)
        occurs[5] = True
        module.occurring(rows, occurs)  # type: ignore[attr-defined]
        assert np.flatnonzero(occurs).tolist() == [1, 4, 5]
