from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest

from cofactor.base.errors import ArgumentError
from cofactor.evaluation.intervals import summaries
from cofactor.evaluation.result import How, Result
from cofactor.evaluation.significance import compare, holm, p_value
from cofactor.runs.words import verdict


def made(label, values, fingerprint="same"):
    n = len(next(iter(values.values())))
    how = How("a split", fingerprint, "full ranking", False, True, "law", 10, 0, 0.95, 100, 0, 0.1)
    summary = summaries(values, confidence=0.95, resamples=100, seed=0)
    return Result(
        label,
        {},
        tuple(values),
        np.arange(n, dtype=np.int32),
        pa.array(range(n)),
        values,
        summary,
        how,
    )


@pytest.mark.parametrize("test", ["t", "wilcoxon", "bootstrap"])
def test_under_the_null_one_in_twenty_is_significant(test):
    rng = np.random.default_rng(0)
    runs = 400
    wrong = sum(
        p_value(rng.normal(size=60), test, resamples=500, seed=n) < 0.05 for n in range(runs)
    )
    # Binomial(400, .05): mean 20, standard deviation 4.4.
    assert 6 <= wrong <= 38


@pytest.mark.parametrize("test", ["t", "wilcoxon", "bootstrap"])
def test_a_known_difference_is_found_with_its_sign_and_its_size(test):
    rng = np.random.default_rng(1)
    base = rng.random(800)
    worse = made("worse", {"ndcg@10": base})
    better = made("better", {"ndcg@10": base + 0.05 + rng.normal(scale=0.1, size=800)})
    (one,) = compare([worse, better], test=test)
    assert one.significant
    assert one.better == "better"
    assert one.low < -0.05 < one.high
    assert one.difference == pytest.approx(-0.05, abs=0.015)


def test_lower_error_is_better():
    rng = np.random.default_rng(2)
    error = rng.random(300)
    (one,) = compare([made("a", {"rmse": error}), made("b", {"rmse": error + 0.1})])
    assert one.better == "a"


def test_holm_equals_the_textbook_example():
    p = np.array([0.01, 0.04, 0.03, 0.005, math.nan])
    np.testing.assert_allclose(holm(p), [0.03, 0.06, 0.06, 0.02, math.nan])


def test_with_many_null_models_holm_seldom_finds_any():
    rng = np.random.default_rng(3)
    found = raw = 0
    for _ in range(60):
        results = [made(f"m{n}", {"ndcg@10": rng.normal(size=40)}) for n in range(6)]
        found += any(c.significant for c in compare(results, resamples=20))
        raw += any(c.significant for c in compare(results, correction="none", resamples=20))
    assert found <= 9 < raw


def test_equal_models_have_p_one_and_constant_gains_have_p_zero():
    for test in ("t", "wilcoxon", "bootstrap"):
        assert p_value(np.zeros(9), test) == 1.0
    assert p_value(np.full(9, 0.25), "t") == 0.0
    assert p_value(np.full(9, 0.25), "wilcoxon") < 0.01
    assert math.isnan(p_value(np.array([0.5]), "t"))


def test_the_t_test_equals_scipys():
    from scipy import stats

    d = np.random.default_rng(8).normal(0.2, size=23)
    assert p_value(d, "t") == pytest.approx(stats.ttest_1samp(d, 0.0).pvalue)


def test_pairs_are_all_or_those_with_the_baseline():
    rng = np.random.default_rng(4)
    results = [made(name, {"ndcg@10": rng.random(20), "hit@5": rng.random(20)}) for name in "abcd"]
    assert len(compare(results, resamples=20)) == 12
    against = compare(results, "hit@5", baseline="b", resamples=20)
    assert [(c.first, c.second, c.metric) for c in against] == [(n, "b", "hit@5") for n in "acd"]


def test_users_without_the_metric_are_left_out_of_the_pair():
    first = np.array([0.1, math.nan, 0.5, 0.7, 0.2])
    second = np.array([0.2, 0.3, math.nan, 0.6, 0.1])
    (one,) = compare([made("a", {"auc": first}), made("b", {"auc": second})])
    assert one.n_users == 3
    # User 4 isn't in the second result at all: rows are matched by user, not by position.
    (one,) = compare([made("a", {"auc": first}), made("b", {"auc": second[:4]})])
    assert one.n_users == 2


def test_what_cannot_be_compared_is_refused_with_the_reason():
    values = {"ndcg@10": np.arange(4.0)}
    assert len(compare(made(name, values) for name in "ab")) == 1  # read once
    for no_results in ({"a": made("a", values), "b": made("b", values)}, ["a", "b"]):
        with pytest.raises(ArgumentError, match="results must be a list of Results"):
            compare(no_results)
    with pytest.raises(ArgumentError, match="different splits"):
        compare([made("a", values), made("b", values, fingerprint="other")])
    with pytest.raises(ArgumentError, match="different labels"):
        compare([made("a", values), made("a", values)])
    with pytest.raises(ArgumentError, match="at least two"):
        compare([made("a", values)])


def test_two_models_on_one_user_are_too_few_to_compare() -> None:
    (test,) = compare(
        [made(name, {"mrr@10": np.array([v])}) for name, v in (("one", 0.5), ("two", 0.25))]
    )
    assert verdict(test, "one") == "Too few users to compare one with two (mrr@10 +0.2500)."
