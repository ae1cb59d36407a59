"""Metrics of a model on a validation part equal the evaluator's."""

from __future__ import annotations

import numpy as np
import pytest

from cofactor.base.errors import ArgumentError
from cofactor.base.run import Run
from cofactor.data.interactions import Interactions
from cofactor.data.split import Split
from cofactor.data.splits import split
from cofactor.evaluation.evaluate import evaluate
from cofactor.models import validation
from cofactor.models.baselines.bias import Bias
from cofactor.models.implicit.bpr import BPR

RUN = Run(seed=0, threads=1)


def cut(how: str) -> Split:
    rng = np.random.default_rng(3)
    users, items = np.nonzero(rng.random((60, 40)) < 0.3)
    ratings = rng.integers(1, 6, len(users)).astype(np.float32)
    return split(
        Interactions.from_rows(users, items, ratings, users=60, items=40), how, test=0.3, seed=1
    )


@pytest.mark.parametrize("how", ["per-user", "users"])
def test_ndcg_equals_the_evaluators(how: str) -> None:
    parts = cut(how)
    model = BPR(factors=4, epochs=3).fit(parts.train, run=RUN)
    ours = validation.ndcg(model, parts.test, parts.test.user_rows, 7)
    assert ours == pytest.approx(evaluate(model, parts, "ndcg@7", resamples=0)["ndcg@7"], abs=1e-12)


@pytest.mark.parametrize("how", ["per-user", "users"])
def test_rmse_equals_the_evaluators(how: str) -> None:
    parts = cut(how)
    model = Bias().fit(parts.train, run=RUN)
    theirs = evaluate(model, parts, "rmse", resamples=0)["rmse"]
    assert validation.rmse(model, parts.test) == pytest.approx(theirs, rel=1e-12)


def test_ndcg_among_some_items_ranks_and_counts_those_alone() -> None:
    parts = cut("per-user")
    model = BPR(factors=4, epochs=3).fit(parts.train, run=RUN)
    allowed = np.arange(40) < 20
    ours = validation.ndcg(model, parts.test, parts.test.user_rows, 5, allowed=allowed)
    among = evaluate(model, parts, "ndcg@5", candidates=np.flatnonzero(allowed), resamples=0)
    assert ours == pytest.approx(among["ndcg@5"], abs=1e-12)


def test_rmse_without_values_is_refused() -> None:
    parts = cut("per-user")
    model = Bias().fit(parts.train, run=RUN)
    object.__setattr__(parts.test.truth, "values", None)
    with pytest.raises(ArgumentError, match="no values"):
        validation.rmse(model, parts.test)
