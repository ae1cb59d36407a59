"""Users without interactions among others: popularity answers for them, and the others' scores are
no more held than without them.
"""

from __future__ import annotations

import numpy as np
import pytest

from cofactor.base.run import Run
from cofactor.data.interactions import Interactions
from cofactor.models.implicit.ials import IALS
from cofactor.retrieval.topk import best_scores


def test_lists_of_users_some_of_whom_have_nothing_are_found_without_all_scores(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    draw = np.random.default_rng(0)
    users, items = draw.integers(0, 300, 4000), (60 * draw.random(4000) ** 2).astype(np.int64)
    has = ~np.isin(users, (3, 77, 299))
    data = Interactions.from_rows(
        users[has].astype(np.int32), items[has].astype(np.int32), users=300, items=60
    )
    model = IALS(factors=8, epochs=1, regularization=0.01).fit(data, run=Run(threads=1))
    batch = model.user_batch(np.arange(300))
    assert np.flatnonzero(batch.empty).tolist() == [3, 77, 299]
    excluded, allowed = batch.seen, np.arange(60) % 7 != 1
    wanted = best_scores(model.score_batch(batch), 5, excluded=excluded, allowed=allowed)
    monkeypatch.setattr(IALS, "_score", lambda *_: pytest.fail("all scores are computed"))
    found = model.topk(batch, 5, excluded=excluded, allowed=allowed)
    np.testing.assert_array_equal(found.rows, wanted.rows)
    np.testing.assert_array_equal(found.count, wanted.count)
    np.testing.assert_allclose(found.scores, wanted.scores, rtol=1e-5)
    # What is excluded of an empty user stays out too.
    popular = int(found.rows[3, 0])
    more = np.zeros(301, np.int64)
    more[4:] = 1
    other = model.topk(batch, 5, excluded=(more, np.array([popular], np.int32)), allowed=allowed)
    np.testing.assert_array_equal(other.rows[3, :4], found.rows[3, 1:])
