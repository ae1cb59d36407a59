from __future__ import annotations

import re
from collections import Counter

import numpy as np
import pytest

from cofactor.base.errors import ArgumentError
from cofactor.data.describe import tail
from cofactor.data.splits import split
from cofactor.data.synthetic import blocks, low_rank, power_law, sequences, shop


@pytest.fixture(scope="module")
def books():
    return shop(n_users=700, n_items=500, seed=1)


def hit_share(scores: np.ndarray, truth: np.ndarray, hidden: np.ndarray, k: int = 10) -> float:
    top = np.argsort(np.where(hidden, np.inf, -scores), axis=1)[:, :k]
    asked = truth.sum(axis=1)
    hits = np.take_along_axis(truth, top, axis=1).sum(axis=1)[asked > 0]
    return float((hits / np.minimum(k, asked[asked > 0])).mean())


def test_shop_titles_and_descriptions_are_all_different_and_whole(books):
    table = books.catalogue.table
    assert len(set(table.column("title").to_pylist())) == books.n_items
    descriptions = table.column("description").to_pylist()
    assert len(set(descriptions)) == books.n_items
    assert all(
        text.endswith(".") and text[0].isupper() and ".." not in text and "  " not in text
        for text in descriptions
    )
    titles = table.column("title").to_pylist()
    assert not [t for t in titles if re.search(r"\bA [AEIOU]|\bAn [^AEIOU]|s's\b|\(part", t)]


def test_shop_stays_free_of_repeats_at_its_largest():
    titles = shop(n_users=1, n_items=20_000).catalogue.table.column("title").to_pylist()
    assert len(set(titles)) == 20_000
    assert sum("(part" in title for title in titles) < 100


def test_shop_rates_in_halves_and_has_a_long_tail(books):
    assert set((books.values * 2).astype(int)) <= set(range(2, 11))
    assert 3.2 < books.values.mean() < 4.2
    spread = tail(books.item_counts)
    assert 0.4 < spread.gini < 0.8
    assert spread.top_shares["10 %"] > 0.3


def test_shop_is_the_same_for_a_seed_only():
    first, again, other = (shop(90, 60, seed).fingerprint for seed in (3, 3, 4))
    assert first == again != other


def test_shop_rewards_collaborative_models_over_popularity(books):
    made = split(books, "random", test=0.2)
    seen = made.train.matrix().toarray() > 0
    truth = made.test.truth.matrix().toarray() > 0
    gram = seen.T.astype(float) @ seen
    inverse = np.linalg.inv(gram + 100 * np.eye(len(gram)))
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0)
    popular = hit_share(np.tile(made.train.item_counts, (books.n_users, 1)), truth, seen)
    assert hit_share(seen @ weights, truth, seen) > 1.5 * popular


def test_shop_texts_tell_the_preference_for_books_nobody_has_read(books):
    made = split(books, "items", test=0.2)
    texts = [" ".join(map(str, books.catalogue.row(row).values())) for row in range(books.n_items)]
    words = [re.findall(r"\w+", text.lower()) for text in texts]
    often = Counter(word for line in words for word in set(line))
    columns = {word: n for n, word in enumerate(often)}
    features = np.zeros((books.n_items, len(columns)))
    for row, line in enumerate(words):
        for word in line:
            features[row, columns[word]] = np.log(books.n_items / often[word])
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    seen = made.train.matrix().toarray() > 0
    hidden = np.ones(books.n_items, bool)
    hidden[made.test.candidates] = False
    truth = made.test.truth.matrix().toarray() > 0
    by_text = hit_share(seen @ features @ features.T, truth, hidden[None, :])
    by_chance = hit_share(np.random.default_rng(0).random(seen.shape), truth, hidden[None, :])
    assert by_text > 1.7 * by_chance


def test_blocks_leave_each_user_the_one_item_that_all_others_of_the_block_have():
    puzzle = blocks(31, 17, 3)
    taken = puzzle.data.matrix().toarray() > 0
    own = puzzle.user_blocks[:, None] == puzzle.item_blocks[None, :]
    assert not (taken & ~own).any()
    left = own & ~taken
    np.testing.assert_array_equal(left.sum(axis=1), 1)
    np.testing.assert_array_equal(left.argmax(axis=1), puzzle.answers)
    assert (puzzle.data.item_counts > 0).all()


def test_rated_blocks_rate_the_own_block_high():
    puzzle = blocks(31, 17, 2, rated=True)
    own = puzzle.user_blocks[puzzle.data.user_rows] == puzzle.item_blocks[puzzle.data.item_rows]
    assert set(puzzle.data.values[own]) == {5.0}
    assert set(puzzle.data.values[~own]) == {1.0}


def test_low_rank_truth_has_the_rank_and_no_noise_is_exact():
    made = low_rank(23, 31, 2, density=0.4)
    assert np.linalg.matrix_rank(made.truth - 3.0) == 2
    np.testing.assert_allclose(
        made.data.values, made.truth[made.data.user_rows, made.data.item_rows], rtol=1e-6
    )
    assert (made.data.user_counts > 0).all()
    assert (made.data.item_counts > 0).all()


def test_power_law_has_exactly_the_shape_and_distinct_sorted_pairs():
    data = power_law(300, 211, 9000, seed=2)
    assert (data.n_users, data.n_items, len(data)) == (300, 211, 9000)
    pairs = data.user_rows.astype(np.int64) * data.n_items + data.item_rows
    assert (np.diff(pairs) > 0).all()
    assert data.user_counts.min() >= 1
    assert data.fingerprint == power_law(300, 211, 9000, seed=2).fingerprint
    assert data.fingerprint != power_law(300, 211, 9000, seed=3).fingerprint


def test_power_law_skew_makes_the_tail():
    flat, steep = (
        tail(power_law(500, 800, 12_000, skew=skew).item_counts).gini for skew in (0.0, 1.2)
    )
    assert flat < 0.25
    assert steep > 0.6


def test_power_law_fills_half_of_all_pairs_but_no_more():
    assert len(power_law(40, 30, 600)) == 600
    with pytest.raises(ArgumentError, match="at most half of all 1,200 pairs"):
        power_law(40, 30, 601)


def test_chain_without_difficulty_follows_its_successors():
    chain = sequences(50, 31, 9, difficulty=0.0)
    histories = chain.data.histories()
    items = histories.item_rows.reshape(50, 9)
    assert (chain.transitions[items[:, :-1], items[:, 1:]] == 1.0).all()
    np.testing.assert_allclose(chain.transitions.sum(axis=1), 1)
    np.testing.assert_allclose(chain.transitions.sum(axis=0), 1)


@pytest.mark.parametrize(
    ("difficulty", "low", "high"), [(0.1, 0.85, 0.97), (0.5, 0.45, 0.62), (1.0, 0.0, 0.1)]
)
def test_chain_difficulty_sets_how_often_the_likeliest_item_follows(difficulty, low, high):
    chain = sequences(400, 60, 10, difficulty=difficulty, seed=5)
    items = chain.data.histories().item_rows.reshape(400, 10)
    likeliest = chain.transitions.argmax(axis=1)
    assert low < (likeliest[items[:, :-1]] == items[:, 1:]).mean() < high


def test_chain_branches_share_the_weight():
    chain = sequences(20, 30, 5, difficulty=0.0, branches=3)
    top = np.sort(chain.transitions, axis=1)[:, ::-1][:, :4]
    np.testing.assert_allclose(top, np.tile([4 / 7, 2 / 7, 1 / 7, 0], (30, 1)))
