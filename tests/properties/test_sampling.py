from __future__ import annotations

import numpy as np
import pytest
import scipy  # imports stats, a third of a second, where it is used
from hypothesis import given, settings
from hypothesis import strategies as st

from cofactor.kernels.cpu import sampling as fast
from cofactor.kernels.reference import sampling as slow
from examples import examples

UNIFORM = (np.empty(0, np.uint32), np.empty(0, np.int32))


@given(st.data())
@settings(max_examples=examples(24))
def test_a_draw_is_never_a_positive_and_equals_the_reference(data: st.DataObject) -> None:
    n_items = data.draw(st.integers(1, 40))
    rows = data.draw(st.lists(st.sets(st.integers(0, n_items - 1)), min_size=1, max_size=6))
    indptr = np.cumsum([0] + [len(row) for row in rows]).astype(np.int64)
    indices = np.array([item for row in rows for item in sorted(row)], np.int32)
    popular = data.draw(st.booleans())
    table = slow.alias_table(np.arange(1.0, n_items + 1.0) ** 3) if popular else UNIFORM
    users = np.arange(len(rows) * 5, dtype=np.int32) % len(rows)
    seed = np.uint64(data.draw(st.integers(0, 2**64 - 1)))
    drawn = fast.draw_negatives(indptr, indices, users, *table, n_items, seed)
    np.testing.assert_array_equal(
        drawn, slow.draw_negatives(indptr, indices, users, *table, n_items, seed)
    )
    for user, item in zip(users, drawn, strict=True):
        if len(rows[user]) == n_items:
            assert item == -1
        else:
            assert 0 <= item < n_items
            assert int(item) not in rows[user]


@pytest.mark.parametrize("power", [None, 0.75, 1.0])
def test_negatives_follow_the_distribution_restricted_to_what_the_user_lacks(
    power: float | None,
) -> None:
    n_items, n_draws = 12, 60_000
    row = np.array([1, 4, 5, 11], np.int32)
    weights = np.ones(n_items) if power is None else np.arange(1.0, n_items + 1.0) ** power
    table = UNIFORM if power is None else fast.alias_table(weights)
    users = np.zeros(n_draws, np.int32)
    drawn = fast.draw_negatives(
        np.array([0, 4], np.int64), row, users, *table, n_items, np.uint64(7)
    )
    lacking = np.setdiff1d(np.arange(n_items), row)
    expected = weights[lacking] / weights[lacking].sum() * n_draws
    counts = np.bincount(drawn, minlength=n_items)
    assert counts[row].sum() == 0
    assert scipy.stats.chisquare(counts[lacking], expected).pvalue > 1e-3


def test_a_user_who_lacks_one_item_of_a_thousand_gets_it() -> None:
    row = np.delete(np.arange(1000, dtype=np.int32), 637)
    drawn = fast.draw_negatives(
        np.array([0, 999], np.int64), row, np.zeros(50, np.int32), *UNIFORM, 1000, np.uint64(1)
    )
    assert set(drawn.tolist()) == {637}


@given(st.lists(st.floats(0.0, 1e6), min_size=1, max_size=30).filter(lambda w: sum(w) > 1e-3))
@settings(max_examples=examples(24))
def test_alias_table_holds_the_given_probabilities(weights: list[float]) -> None:
    law = np.asarray(weights)
    threshold, alias = fast.alias_table(law)
    for mine, other in zip((threshold, alias), slow.alias_table(law), strict=True):
        np.testing.assert_array_equal(mine, other)
    n = len(law)
    kept = np.where(alias == np.arange(n), 1.0, threshold / 2.0**32)
    share = kept.copy()
    np.add.at(share, alias, 1.0 - kept)
    np.testing.assert_allclose(share / n, law / law.sum(), atol=1e-8)


def test_generator_is_splitmix64() -> None:
    # the first outputs for seed 0, as published with the algorithm's test vectors
    state, outputs = 0, []
    for _ in range(3):
        state = slow.advance(state)
        outputs.append(slow.mix(state))
    assert outputs == [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]
