"""Counts of common users by sets of bits: the same as by walking lists, whatever is in the sets."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cofactor.kernels.cpu import _bitsets as bitsets
from cofactor.kernels.cpu import neighbours as fast
from cofactor.kernels.reference import neighbours as slow
from examples import examples
from parity.nasty import both_orders

WALKED = np.zeros(0, np.int64)


def cosine_of(x):
    norm = np.sqrt(x.sum(axis=0)).astype(np.float32)
    return norm, norm, np.zeros_like(norm), np.zeros_like(norm), 0.0


def binary(generator, n_users, n_items, density):
    """Items and users of all popularities, the last item and every seventh user with nothing."""
    chance = density * generator.random((n_users, 1)) * generator.random(n_items) * 4
    x = (generator.random((n_users, n_items)) < chance).astype(np.float32)
    x[::7], x[:, -1] = 0, 0
    return x


def neighbours_with(words, x, k, threads, monkeypatch):
    monkeypatch.setattr(fast, "planned", lambda users, items: np.asarray(words, np.int64))
    return fast.top_neighbours(*both_orders(x), *cosine_of(x), k, threads)


def assert_same(got, wanted):
    for ours, theirs in zip(got, wanted, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("n_users", [31, 32, 33, 63, 64, 65, 200])
def test_sets_of_bits_walked_lists_and_the_reference_agree(n_users, monkeypatch):
    generator = np.random.default_rng(n_users)
    n_words = -(-n_users // 32)
    for n_items in (9, 32, 70):
        n_panels = -(-n_items // 32)
        x = binary(generator, n_users, n_items, 0.4)
        walked = neighbours_with(WALKED, x, 5, 2, monkeypatch)
        twin = slow.top_neighbours(*both_orders(x), *cosine_of(x), 5, 1)
        assert_same(walked[::2], twin[::2])
        np.testing.assert_allclose(walked[1], twin[1], rtol=1e-6)
        staircase = np.maximum(n_words - np.arange(n_panels), 1)
        for words in ([n_words] * n_panels, staircase, [1], [n_words]):
            for threads in (1, 3):
                assert_same(neighbours_with(words, x, 5, threads, monkeypatch), walked)


@settings(max_examples=examples(24))
@given(st.data())
def test_counts_are_the_product_of_the_matrix_with_itself(data):
    n_users, n_items = data.draw(st.integers(1, 140)), data.draw(st.integers(1, 100))
    x = binary(
        np.random.default_rng(data.draw(st.integers(0, 10**6))),
        n_users,
        n_items,
        data.draw(st.floats(0.01, 1.0)),
    )
    most = -(-n_users // 32)
    words = data.draw(st.lists(st.integers(1, most), min_size=1, max_size=-(-n_items // 32)))
    user_indptr, user_indices, _, item_indptr, item_users, _ = both_orders(x)
    words = np.sort(np.asarray(words, np.int64))[::-1].copy()
    sets = bitsets.as_sets(user_indptr, user_indices, item_indptr, item_users, words, 2)
    block = np.full((bitsets.BLOCK, max(n_items, 32 * len(words))), np.nan, np.float32)
    wanted = (x.T @ x)[sets.order][:, sets.order]
    for first in range(0, min(n_items, 32 * len(words)), bitsets.BLOCK):
        bitsets.count_block(first, user_indptr, item_indptr, sets, block)
        rows = min(bitsets.BLOCK, n_items - first)
        np.testing.assert_array_equal(block[:rows, :n_items], wanted[first : first + rows])


def test_more_users_than_are_counted_at_once(monkeypatch):
    n_users = (
        64 * bitsets.WORDS_AT_ONCE + 71
    )  # a half of them in the second part of the words: many have nothing, and come last
    x = binary(np.random.default_rng(1), n_users, 40, 0.3)
    walked = neighbours_with(WALKED, x, 7, 2, monkeypatch)
    assert_same(
        neighbours_with([-(-n_users // 32), bitsets.WORDS_AT_ONCE + 1], x, 7, 2, monkeypatch),
        walked,
    )


def test_dense_data_take_sets_sparse_data_lists_and_weighed_data_neither(monkeypatch):
    generator = np.random.default_rng(2)
    asked = []

    def noted(users, items):
        asked.append(bitsets.planned(users, items))
        return asked[-1]

    monkeypatch.setattr(fast, "planned", noted)
    dense, sparse = binary(generator, 700, 300, 0.5), binary(generator, 300, 700, 0.01)
    for x in (dense, sparse, 2 * dense):
        got = fast.top_neighbours(*both_orders(x), *cosine_of(x), 10, 2)
        wanted = slow.top_neighbours(*both_orders(x), *cosine_of(x), 10, 1)
        assert_same(got[::2], wanted[::2])
    assert len(asked) == 2
    assert asked[0].size > 0
    assert asked[1].size == 0


def test_plan_gives_popular_items_more_words_and_keeps_within_its_limits(monkeypatch):
    generator = np.random.default_rng(3)
    users, items = np.sort(generator.integers(20, 900, 5_000)), generator.integers(0, 2_000, 1_500)
    items = np.r_[items, 5 * np.ones(500, int)]
    users[0] += max(0, items.sum() - users.sum())
    words = bitsets.planned(users, items)
    assert 0 < words.size <= -(-len(items) // 32)
    assert (np.diff(words) <= 0).all()
    assert words[0] <= -(-len(users) // 32)
    assert words[-1] > 0
    monkeypatch.setattr(bitsets, "MEMORY", 2**16)
    assert 4 * 32 * bitsets.planned(users, items).size * words[0] <= 2**16 + 4 * 32 * words[0]
    monkeypatch.setattr(bitsets, "EXACT_BELOW", len(users))
    assert bitsets.planned(users, items).size == 0
    assert bitsets.planned(np.zeros(3, int), np.zeros(5, int)).size == 0
    assert bitsets.planned(np.zeros(0, int), np.zeros(0, int)).size == 0
