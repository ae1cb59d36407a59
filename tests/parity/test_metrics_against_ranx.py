"""Our metrics against an independent implementation."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import scipy  # imports stats, a third of a second, where it is used

from cofactor.evaluation.evaluate import evaluate
from score_table import question

NAMES = {
    "ndcg@5": "ndcg@5",
    "ndcg@10": "ndcg@10",
    "recall@3": "recall@3",
    "recall@10": "recall@10",
    "precision@1": "precision@1",
    "precision@10": "precision@10",
    "mrr@10": "mrr@10",
    "mrr": "mrr",
    "hit@5": "hit_rate@5",
    "map": "map",
}


def random_case(rng, n_users, n_items):
    table = rng.permuted(np.tile(np.arange(n_items, dtype=np.float32), (n_users, 1)), axis=1)
    truth, seen = [], []
    for u in range(n_users):
        shuffled = rng.permutation(n_items)
        n_truth = 0 if u % 5 == 0 else int(rng.integers(1, n_items // 2))
        # Every seventh user has so much behind them that the list is shorter than the cutoff.
        n_seen = n_items - n_truth - 2 if u % 7 == 0 else int(rng.integers(1, n_items // 3))
        truth.append(shuffled[:n_truth])
        seen.append(shuffled[n_truth : n_truth + n_seen])
    return table, truth, seen


@pytest.mark.slow  # its own compilation takes a minute and more
@pytest.mark.parametrize("seed", [0, 1])
def test_metrics_agree_with_ranx_with_users_without_truth_and_short_lists(seed):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ranx = pytest.importorskip("ranx")
        rng = np.random.default_rng(seed)
        table, truth, seen = random_case(rng, 41, 27)
        qrels, runs = {}, {}
        for u, (true, known) in enumerate(zip(truth, seen, strict=True)):
            if len(true) == 0:
                continue
            qrels[f"{u:03}"] = {str(i): 1 for i in true}
            runs[f"{u:03}"] = {str(i): float(table[u, i]) for i in range(27) if i not in known}
        run = ranx.Run(runs)
        wanted = ranx.evaluate(ranx.Qrels(qrels), run, list(NAMES.values()), return_mean=False)
    model, split = question(table, truth, seen)
    result = evaluate(model, split, list(NAMES), resamples=0)
    for ours, theirs in NAMES.items():
        np.testing.assert_allclose(result.values[ours], wanted[theirs], atol=1e-9, err_msg=ours)


def test_auc_agrees_with_scipys_mann_whitney_statistic_with_ties():
    rng = np.random.default_rng(3)
    table, truth, seen = random_case(rng, 30, 19)
    table = np.floor(table / 3)
    model, split = question(table, truth, seen)
    result = evaluate(model, split, "auc", resamples=0)
    for u, value in zip(result.user_rows, result.values["auc"], strict=True):
        negatives = np.setdiff1d(np.arange(19), np.concatenate([seen[u], truth[u]]))
        won = scipy.stats.mannwhitneyu(table[u, truth[u]], table[u, negatives]).statistic
        assert value == pytest.approx(won / (len(truth[u]) * len(negatives)))
