from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cofactor.base.run import Run
from cofactor.data.histories import Histories
from cofactor.data.interactions import Interactions
from cofactor.kernels.cpu import (
    next_rank,
    next_sums,
    session_neighbours,
    session_shares,
    transitions,
)
from cofactor.kernels.reference import next_rank as plain_next_rank
from cofactor.kernels.reference import next_sums as plain_next_sums
from cofactor.kernels.reference import session_neighbours as plain_session_neighbours
from cofactor.kernels.reference import transitions as plain_transitions
from cofactor.models.sequence.session_knn import SessionKNN
from cofactor.retrieval.topk import best_scores
from examples import examples

LISTS = st.lists(st.lists(st.integers(0, 8), max_size=14), max_size=6)


def packed(lists):
    indptr = np.append(0, np.cumsum([len(one) for one in lists])).astype(np.int64)
    return indptr, np.array([item for one in lists for item in one], np.int32)


@given(
    lists=LISTS,
    window=st.integers(1, 20),
    decay=st.sampled_from([0.3, 1.0]),
    backward=st.sampled_from([0.0, 0.4, 1.0]),
    n_threads=st.integers(1, 2),
)
@settings(max_examples=examples(36))
def test_transition_counts_equal_the_reference(lists, window, decay, backward, n_threads):
    arguments = (*packed(lists), 9, window, decay, backward, n_threads)
    ours = transitions.transition_counts(*arguments)
    theirs = plain_transitions.transition_counts(*arguments)
    for one, two in zip(ours, theirs, strict=True):
        assert one.dtype == two.dtype
        np.testing.assert_allclose(one, two, rtol=1e-12)


@given(
    scores=st.lists(st.lists(st.integers(-2, 2), min_size=7, max_size=7), min_size=1, max_size=5),
    seed=st.integers(0, 1000),
)
@settings(max_examples=examples(36))
def test_mid_ranks_equal_the_reference(scores, seed):
    rng = np.random.default_rng(seed)
    table = np.array(scores, np.float32)
    targets = rng.integers(0, 7, len(table)).astype(np.int32)
    lists = [np.flatnonzero(rng.random(7) < 0.3) for _ in table]
    arguments = (table, targets, *packed([one.tolist() for one in lists]), 2)
    np.testing.assert_array_equal(
        next_rank.mid_ranks(*arguments), plain_next_rank.mid_ranks(*arguments)
    )


def test_mid_rank_of_a_constant_model_is_the_middle():
    indptr, nothing = np.zeros(3, np.int64), np.zeros(0, np.int32)
    ranks = next_rank.mid_ranks(
        np.zeros((2, 11), np.float32), np.array([0, 10], np.int32), indptr, nothing, 1
    )
    assert ranks.tolist() == [5.0, 5.0]
    assert pytest.approx(5.0) == ranks.mean()


@given(lists=LISTS, decay=st.sampled_from([0.2, 0.9]))
@settings(max_examples=examples(30))
def test_next_sums_equal_the_reference(lists, decay):
    indptr, items = packed(lists)
    weights = np.linspace(0.5, 1.0, len(lists))
    ours, theirs = np.zeros((2, 9, 18), np.float32)[:, :, :9]  # of a wider matrix, as it is used
    next_sums.next_sums(indptr, items, weights, decay, ours)
    plain_next_sums.next_sums(indptr, items, weights, decay, theirs)
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


@given(
    lists=st.lists(st.lists(st.integers(0, 8), min_size=1, max_size=9), min_size=1, max_size=12),
    queries=LISTS,
    neighbours=st.integers(1, 5),
    per_item=st.integers(1, 4),
)
@settings(max_examples=examples(36))
def test_session_votes_equal_the_reference(lists, queries, neighbours, per_item):
    indptr, items = packed(lists)
    log = Histories(indptr, items, None, None, 9)
    data = Interactions.from_rows(log.owners, items, users=len(lists), items=9)
    object.__setattr__(data, "log", log)
    model = SessionKNN(
        neighbours=neighbours, sessions_per_item=per_item, idf=1.0, query_idf=1.0, repeat_weight=0.5
    ).fit(data, run=Run(threads=1))
    asked = model._queries(Histories.of(queries, 9))
    arguments = (*asked, model.index, model._settings(), model._idf(1.0), 2)
    np.testing.assert_allclose(
        session_neighbours.session_votes(*arguments),
        plain_session_neighbours.session_votes(*arguments),
        rtol=1e-5,
    )
    histories = Histories.of(queries, 9)
    excluded = packed([sorted(set(one[:2])) for one in queries])
    allowed = np.arange(9) != 4
    for k in (1, 3, 9):
        limits = {"excluded": excluded, "allowed": allowed}
        ours = model.topk(model.fold_in(histories), k, **limits)
        theirs = best_scores(model.score_batch(model.fold_in(histories)), k, **limits)
        np.testing.assert_array_equal(ours.rows, theirs.rows)
        np.testing.assert_array_equal(ours.scores, theirs.scores)
    for b in range(len(queries)):
        span = slice(asked[0][b], asked[0][b + 1])
        query = (asked[1][span], asked[2][span], model.index, neighbours)
        ours = session_neighbours.nearest_sessions(*query)
        theirs = plain_session_neighbours.nearest_sessions(*query)
        for one, two in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(one, two)
        rest = (model._settings(), model._idf(1.0), np.array([3, 0, 3, 8]))
        np.testing.assert_allclose(
            session_shares.vote_shares(*query[:3], *rest),
            plain_session_neighbours.vote_shares(*query[:3], *rest),
            rtol=1e-6,
        )
