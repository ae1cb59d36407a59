"""The laws of docs/evaluation.md, sought for exceptions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cofactor.evaluation.evaluate import evaluate
from cofactor.evaluation.measure import block_size
from cofactor.evaluation.question import ask
from examples import examples
from score_table import question

METRICS = "ndcg@3,recall@3,precision@3,map@3,mrr@3,hit@3,auc,ndcg,map,mrr"
LISTED = "ndcg@3,recall@3,precision@3,map@3,mrr@3,hit@3"


@st.composite
def cases(draw):
    """Scores with ties and broken ones, truth and seen items; the two may overlap, and be empty."""
    n_users, n_items = draw(st.integers(1, 5)), draw(st.integers(1, 9))
    levels = st.sampled_from([-1.0, 0.0, 0.5, 2.0, float("nan"), float("-inf"), float("inf")])
    table = np.array(
        draw(
            st.lists(
                st.lists(levels, min_size=n_items, max_size=n_items),
                min_size=n_users,
                max_size=n_users,
            )
        )
    )
    rows = st.lists(st.integers(0, n_items - 1), unique=True, max_size=n_items)
    truth = draw(st.lists(rows, min_size=n_users, max_size=n_users))
    seen = draw(st.lists(rows, min_size=n_users, max_size=n_users))
    if not any(set(t) - set(s) for t, s in zip(truth, seen, strict=True)):
        truth[0], seen[0] = [0], []
    if not any(seen):
        seen = [*seen, [0]]
        truth = [*truth, []]
        table = np.vstack([table, table[:1]])
    return table.astype(np.float32), truth, seen


def oracle(scores, truth, seen, k):
    """The law, word by word, for one user."""
    answered = [
        i
        for i in range(len(scores))
        if i not in seen and not np.isnan(scores[i]) and scores[i] > -np.inf
    ]
    ranked = sorted(answered, key=lambda i: (-scores[i], i))[:k]
    true = [i for i in truth if i not in seen]
    y = [i in true for i in ranked]
    gain = sum(1 / np.log2(n + 2) for n, hit in enumerate(y) if hit)
    ideal = sum(1 / np.log2(n + 2) for n in range(min(k, len(true))))
    precisions = sum(sum(y[: n + 1]) / (n + 1) for n, hit in enumerate(y) if hit)
    level = np.where(np.isnan(scores), -np.inf, scores)
    others = [i for i in range(len(scores)) if i not in seen and i not in true]
    beaten = [(level[i] > level[j]) + 0.5 * (level[i] == level[j]) for i in true for j in others]
    return {
        "ndcg": gain / ideal,
        "recall": sum(y) / len(true),
        "precision": sum(y) / k,
        "map": precisions / min(k, len(true)),
        "mrr": 1 / (y.index(True) + 1) if any(y) else 0.0,
        "hit": float(any(y)),
        "auc": np.mean(beaten) if beaten else np.nan,
    }


@settings(max_examples=examples(24))
@given(cases())
def test_every_metric_follows_its_definition(case):
    table, truth, seen = case
    model, split = question(table, truth, seen)
    result = evaluate(model, split, METRICS, resamples=0)
    assert list(result.user_rows) == [u for u in range(len(truth)) if set(truth[u]) - set(seen[u])]
    for position, user in enumerate(result.user_rows):
        for name, values in result.values.items():
            kind, _, cutoff = name.partition("@")
            wanted = oracle(table[user], truth[user], seen[user], int(cutoff or 99))[kind]
            assert values[position] == pytest.approx(wanted, nan_ok=True), name


@settings(max_examples=examples(24))
@given(cases())
def test_lists_and_counting_give_the_same(case):
    model, split = question(*case)
    by_lists = evaluate(model, split, LISTED, resamples=0)
    by_counting = evaluate(model, split, LISTED + ",auc", resamples=0)
    for name in LISTED.split(","):
        np.testing.assert_allclose(by_lists.values[name], by_counting.values[name], atol=1e-12)


@settings(max_examples=examples(24))
@given(cases())
def test_metrics_lie_between_zero_and_one(case):
    model, split = question(*case)
    for name, values in evaluate(
        model, split, METRICS + ",auc_sampled@3", resamples=0
    ).values.items():
        defined = values[~np.isnan(values)]
        assert ((defined >= 0) & (defined <= 1 + 1e-12)).all(), name


@settings(max_examples=examples(24))
@given(cases(), st.randoms(use_true_random=False))
def test_the_order_of_users_does_not_matter(case, random):
    table, truth, seen = case
    order = list(range(len(truth)))
    random.shuffle(order)
    first = evaluate(*question(table, truth, seen), METRICS, resamples=0)
    again = evaluate(
        *question(table[order], [truth[u] for u in order], [seen[u] for u in order]),
        METRICS,
        resamples=0,
    )
    place = {order[row]: n for n, row in enumerate(again.user_rows)}
    for name, values in first.values.items():
        np.testing.assert_allclose(
            values, again.values[name][[place[u] for u in first.user_rows]], atol=1e-12
        )


@settings(max_examples=examples(24))
@given(cases())
def test_auc_of_reversed_scores_is_one_less_it(case):
    table, truth, seen = case
    table = np.where(np.isnan(table), -np.inf, table)
    first = evaluate(*question(table, truth, seen), "auc", resamples=0)
    again = evaluate(*question(-table, truth, seen), "auc", resamples=0)
    np.testing.assert_allclose(first.values["auc"], 1 - again.values["auc"], atol=1e-12)


def test_a_perfect_ranking_has_one_and_the_worst_has_zero():
    table = np.tile(np.arange(11.0), (4, 1))
    truth, seen = [[10, 9, 8], [7, 10, 9, 8], [10], [9, 10]], [[0], [], [1, 2], [4]]
    names = ("ndcg@10", "recall@10", "map@10", "mrr@10", "hit@10", "auc", "ndcg", "map", "mrr")
    best = evaluate(*question(table, truth, seen), names, resamples=0)
    for name in names:
        np.testing.assert_allclose(best.values[name], 1.0)
    worst = evaluate(
        *question(-table, truth, seen), "ndcg@3,recall@3,map@3,mrr@3,hit@3,auc", resamples=0
    )
    for name in worst.values:
        np.testing.assert_allclose(worst.values[name], 0.0)


@pytest.mark.parametrize("metrics", [METRICS, LISTED, "auc_sampled@4,coverage@3,novelty@3"])
def test_the_memory_limit_does_not_change_results(metrics):
    rng = np.random.default_rng(0)
    table = rng.normal(size=(23, 17)).astype(np.float32)
    shuffled = [rng.permutation(17) for _ in range(23)]
    asked = question(table, [s[:3] for s in shuffled], [s[3:8] for s in shuffled])
    few, many = (evaluate(*asked, metrics, memory_limit=limit, resamples=0) for limit in (1, 2**20))
    for name in many.summary:
        assert few[name] == pytest.approx(many[name], abs=1e-12), name
    assert block_size(asked[0], ask(asked[1].test, exclude_seen=True), False, 1) == 1
